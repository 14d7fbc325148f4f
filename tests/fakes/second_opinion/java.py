"""Java's date parser and, where its jars are at hand, OkHttp's multipart reader."""

from __future__ import annotations

import base64
import os
import pathlib
import shutil
import subprocess
from collections.abc import Sequence

import pytest

HERE = pathlib.Path(__file__).parent
JARS = ("com/squareup/okhttp3/okhttp", "com/squareup/okio/okio-jvm",
        "org/jetbrains/kotlin/kotlin-stdlib")  # fmt: skip


def dates(texts: Sequence[str]) -> list[int | None]:
    """Return the milliseconds that Java reads; None for what it refuses."""
    lines = [base64.b64encode(text.encode()).decode() for text in texts]
    return [None if line == "refused" else int(line) for line in _run("Dates.java", lines, [])]


def parts(bodies: Sequence[tuple[str, bytes]]) -> list[list[bytes] | None]:
    """Return the parts that OkHttp finds in each pair of boundary and body; None: it refuses."""
    lines = [f"{mark} {base64.b64encode(body).decode()}" for mark, body in bodies]
    found: list[list[bytes] | None] = []
    for line in _run("Parts.java", lines, okhttp()):
        verdict, *texts = line.split(" ")
        read = [base64.b64decode(text) for text in texts] if verdict == "parts" else None
        found.append(read)
    return found


def okhttp() -> list[str]:
    """Return OkHttp's jars from the Maven repository of this user. Skips the test without them."""
    repository = pathlib.Path("~/.m2/repository").expanduser()
    found = [sorted(repository.glob(f"{place}/*/*[0-9].jar"))[-1:] for place in JARS]
    if not all(found):
        pytest.skip("OkHttp is not in the local Maven repository")
    return [str(jar) for jars in found for jar in jars]


def _run(source: str, lines: Sequence[str], jars: Sequence[str]) -> list[str]:
    if not shutil.which("java"):
        pytest.skip("there is no java")
    path = ["-cp", os.pathsep.join(jars)] if jars else []
    done = subprocess.run(
        ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", *path, str(HERE / source)],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if "release version" in done.stderr or "jdk.compiler" in done.stderr:
        pytest.skip("this java has no compiler")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
