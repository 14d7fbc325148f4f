"""The npm packages: installed once per lock file, below the checkout's ``.dev``."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import json
import pathlib
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

HERE = pathlib.Path(__file__).parent
CHECKOUT = HERE.parents[2]
PACKAGES = CHECKOUT / "tests" / "node"
MINUTES = 5 * 60


def modules() -> pathlib.Path:
    """Return the folder that has ``node_modules``. Skips the test where npm cannot install."""
    if not shutil.which("npm"):
        pytest.skip("there is no npm")
    digest = hashlib.sha256((PACKAGES / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = CHECKOUT / ".dev" / "second-opinion" / digest
    with alone(folder.parent):
        if not (folder / "complete").exists():
            _install(folder)
    return folder


@contextlib.contextmanager
def alone(folder: pathlib.Path) -> Iterator[None]:
    """Keep the other workers of this test run out of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(folder: pathlib.Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PACKAGES / name, folder)
    done = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--legacy-peer-deps", "--no-audit", "--no-fund"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=MINUTES,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"npm cannot install the packages: {done.stderr.strip()[-300:]}")
    (folder / "complete").touch()


class Refused(Exception):
    """The package did not accept what it was asked about."""


class Node:
    """A Node process that answers questions."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", str(HERE / "opinions.mjs")],
            cwd=modules(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        self._process.communicate(timeout=20)

    def parts(self, content_type: str, body: bytes) -> list[dict[str, Any]]:
        """Read a multipart answer as Expo's command line does. Raises `Refused`."""
        text = base64.b64encode(body).decode()
        found: list[dict[str, Any]] = self._ask("parts", contentType=content_type, body=text)
        return found

    def list(self, text: str) -> Any:
        """Read a structured list. Raises `Refused`."""
        return self._ask("list", text=text)

    def dictionary(self, text: str) -> Any:
        """Read a structured dictionary. Raises `Refused`."""
        return self._ask("dictionary", text=text)

    def signature(self, certificate: str, signature: str, body: bytes) -> dict[str, bool]:
        """Check a signature in base64, and the certificate that it is checked with."""
        text = base64.b64encode(body).decode()
        found: dict[str, bool] = self._ask(
            "signature", certificate=certificate, signature=signature, body=text
        )
        return found

    def _ask(self, question: str, **details: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"question": question, **details}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "refused" in answer:
            raise Refused(answer["refused"])
        return answer["answer"]
