"""What a Python server needs, from the file that says it most exactly.

`uv.lock` and `poetry.lock` are turned into requirements by the tools that wrote them, so that
whatever the lock pins, pip fetches it from where this server gets its packages.
"""

from __future__ import annotations

import pathlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import program
from .program import StepFailed

SOURCES = pathlib.Path("/box/src")

PYTHON = "/usr/bin/python3"

_PINNED = re.compile(r"==|@|--hash")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What `shipway.toml` says of it: a requirements file, extras and groups, all optional."""

    requirements: str = ""
    extras: Sequence[str] = ()
    groups: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Needs:
    """A requirements file; ``whole`` when it names every package, so that nothing is resolved."""

    file: pathlib.Path
    whole: bool = False


def of(folder: pathlib.Path, choice: Choice, scratch: pathlib.Path) -> Needs:
    """Find out what the server in a folder needs. Raises `StepFailed`."""
    if choice.requirements:
        return _requirements(folder, choice.requirements)
    if lock := _nearest(folder, "uv.lock"):
        return _from_uv(folder, lock, choice, scratch)
    if (folder / "poetry.lock").exists():
        return _from_poetry(folder, choice, scratch)
    if (folder / "requirements.txt").exists():
        return _requirements(folder, "requirements.txt")
    return _unlocked(folder, scratch)


def project(folder: pathlib.Path) -> dict[str, Any]:
    """Return what pyproject.toml says, or nothing. Raises `StepFailed` when it is not valid."""
    path = folder / "pyproject.toml"
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise StepFailed(f"{program.shown(path)} is not valid: {error}.") from error


def table(of: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Return the table at a path of keys, or an empty one."""
    found: Any = of
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _nearest(folder: pathlib.Path, name: str) -> pathlib.Path | None:
    """Return the folder of a file that is in this folder or in one around it."""
    around = [here for here in (folder, *folder.parents) if here.is_relative_to(SOURCES)]
    return next((here for here in around or [folder] if (here / name).exists()), None)


def _from_uv(
    folder: pathlib.Path, lock: pathlib.Path, choice: Choice, scratch: pathlib.Path
) -> Needs:
    target = scratch / "requirements.txt"
    what = ["--frozen", "--no-default-groups", "--no-emit-project", "--no-header"]
    what += [word for extra in choice.extras for word in ("--extra", extra)]
    what += [word for group in choice.groups for word in ("--group", group)]
    if lock != folder:
        name = table(project(folder), "project").get("name")
        if not isinstance(name, str):
            raise StepFailed(
                f"{program.shown(folder)} shares the uv.lock of {program.shown(lock)}, but its pyproject.toml "
                "gives no project.name to find it by."
            )
        what += ["--package", name]
    program.output_of(("uv", "export", *what, "--python", PYTHON, "-o", str(target)), folder)
    _refuse_local(target, lock)
    return Needs(file=target, whole=True)


def _from_poetry(folder: pathlib.Path, choice: Choice, scratch: pathlib.Path) -> Needs:
    target = scratch / "requirements.txt"
    what = [word for extra in choice.extras for word in ("--extras", extra)]
    what += ["--with", ",".join(choice.groups)] if choice.groups else []
    program.run(("poetry", "export", "--no-interaction", *what, "--output", str(target)), folder)
    _refuse_local(target, folder)
    return Needs(file=target, whole=True)


def _refuse_local(requirements: pathlib.Path, lock: pathlib.Path) -> None:
    """Other parts of the repository are not among what this step sees."""
    for line in requirements.read_text().splitlines():
        if line.startswith(("-e ", "./", "../", "file:")) or " @ file:" in line:
            raise StepFailed(
                f"The lock file of {program.shown(lock)} needs {line.split()[-1]} of this repository, and "
                'a server of kind "python" is built of one folder: publish that package, or copy '
                "it into the server's folder."
            )


def _requirements(folder: pathlib.Path, name: str) -> Needs:
    file = folder / name
    if not file.is_file():
        raise StepFailed(
            f"{program.shown(file)} is not there: correct `requirements` in shipway.toml."
        )
    if loose := [line for line in _lines(file) if not _PINNED.search(line)]:
        program.say(
            f"{program.shown(file)} does not pin {loose[0]}"
            + (f" and {len(loose) - 1} more" if len(loose) > 1 else "")
            + ": each build may get other versions. "
            "`uv pip compile --generate-hashes` or `uv lock` pins them all."
        )
    return Needs(file=file)


def _lines(file: pathlib.Path) -> Iterator[str]:
    """Yield the requirements of a file: no comments, options or continued lines."""
    text = file.read_text(errors="replace").replace("\\\n", " ")
    for line in (line.partition(" #")[0].strip() for line in text.splitlines()):
        if line and not line.startswith(("#", "-")):
            yield line


def _unlocked(folder: pathlib.Path, scratch: pathlib.Path) -> Needs:
    found = project(folder)
    if table(found, "tool", "poetry", "dependencies") and "project" not in found:
        raise StepFailed(
            f"{program.shown(folder)} has no poetry.lock: run `poetry lock` and commit the file."
        )
    wanted = table(found, "project").get("dependencies", [])
    if wanted:
        program.say("Nothing is locked: `uv lock` makes a uv.lock that pins every version.")
    target = scratch / "requirements.txt"
    target.write_text("".join(f"{line}\n" for line in wanted))
    return Needs(file=target)
