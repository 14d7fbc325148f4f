"""A Python server as one file: wheels fetched with network, then shiv without.

The recipe repeats bit for bit: fixed paths, times, umask and order. The interpreter is the
machine's own, because wheels tie the file to one minor version of Python.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import sysconfig
import tomllib
import zipfile
from typing import Any

from . import program
from .inputs import EPOCH
from .program import StepFailed

PYTHON = "/usr/bin/python3"
TOOLS_PYTHON = "/box/tools/python/bin/python"
WHEELS = ".wheels"
"""The folder that the first half leaves for the second, beside the sources."""

_ENV = {"SOURCE_DATE_EPOCH": str(EPOCH), "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
_NOT_SERVED = {"tests", "test", "migrations", WHEELS, "__pycache__", "build", "dist"}


def fetch(folder: pathlib.Path, scratch: pathlib.Path) -> None:
    """Fetch wheels of what the server needs, and of what building it needs."""
    wheels = folder / WHEELS
    (wheels / "run").mkdir(parents=True)
    (wheels / "build").mkdir()
    requirements = scratch / "requirements.txt"
    locked = _requirements(folder, requirements)
    if requirements.read_text().strip():
        flags = ("--no-deps",) if locked else ()
        _pip("wheel", *flags, "-r", str(requirements), "-w", str(wheels / "run"), cwd=folder)
    if builders := _builders(folder):
        _pip("wheel", *builders, "-w", str(wheels / "build"), cwd=folder)


def build(folder: pathlib.Path, entry: str, scratch: pathlib.Path, target: pathlib.Path) -> None:
    """Make the server's one file out of its sources and the wheels. No network is used."""
    os.umask(0o022)
    wheels = folder / WHEELS
    parts = [str(path) for path in sorted((wheels / "run").glob("*.whl"))]
    if _is_package(folder):
        parts.append(str(_own_wheel(folder, wheels / "build", scratch / "own")))
        extra: tuple[str, ...] = ()
    else:
        extra = ("--site-packages", str(_own_modules(folder, scratch / "site")))
    flags = ("--no-deps", "--no-index", *parts) if parts else ()
    shiv = (TOOLS_PYTHON, "-m", "shiv", "--reproducible", "--compressed")
    shebang = ("-p", f"{PYTHON} -sE")
    program.run((*shiv, *shebang, "-e", entry, "-o", str(target), *extra, *flags), scratch, _ENV)
    _check_entry(target, entry)


def facts() -> dict[str, str]:
    """Return what the file is tied to."""
    return {
        "python": sysconfig.get_python_version(),
        "platform": sysconfig.get_platform(),
    }


def _requirements(folder: pathlib.Path, target: pathlib.Path) -> bool:
    """Write what the server needs, and return whether every version of it is locked."""
    if (folder / "uv.lock").exists():
        what = ("--frozen", "--no-default-groups", "--no-emit-project", "--no-header")
        program.output_of(("uv", "export", *what, "-o", str(target)), folder)
        return True
    if (folder / "requirements.txt").exists():
        shutil.copyfile(folder / "requirements.txt", target)
        program.say("requirements.txt is used as it is; only uv.lock pins everything.")
        return False
    wanted = _project(folder).get("project", {}).get("dependencies", [])
    if wanted:
        program.say("Nothing is locked: `uv lock` makes a uv.lock that pins every version.")
    target.write_text("".join(f"{line}\n" for line in wanted))
    return False


def _builders(folder: pathlib.Path) -> list[str]:
    """Return what building the server's own wheel needs."""
    if not _is_package(folder):
        return []
    return [*_project(folder)["build-system"].get("requires", ["setuptools"])]


def _is_package(folder: pathlib.Path) -> bool:
    return "build-system" in _project(folder)


def _project(folder: pathlib.Path) -> dict[str, Any]:
    path = folder / "pyproject.toml"
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise StepFailed(f"pyproject.toml is not valid: {error}.") from error


def _own_wheel(folder: pathlib.Path, builders: pathlib.Path, into: pathlib.Path) -> pathlib.Path:
    where = ("--no-index", "--find-links", str(builders))
    _pip("wheel", "--no-deps", *where, "-w", str(into), str(folder), cwd=into.parent)
    return next(into.glob("*.whl"))


def _own_modules(folder: pathlib.Path, site: pathlib.Path) -> pathlib.Path:
    """Copy the modules and packages of a folder that is no package itself."""
    root = folder / "src" if (folder / "src").is_dir() else folder
    site.mkdir()
    for path in sorted(root.iterdir()):
        if path.name.startswith(".") or path.name in _NOT_SERVED:
            continue
        if path.is_dir() and any(path.glob("*.py")):
            shutil.copytree(path, site / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.suffix == ".py":
            shutil.copy2(path, site / path.name)
    return site


def _check_entry(server: pathlib.Path, entry: str) -> None:
    """A wrong entry would show only when an instance starts: find it now."""
    module = "site-packages/" + entry.partition(":")[0].replace(".", "/")
    with zipfile.ZipFile(server) as archive:
        names = set(archive.namelist())
    if not names & {f"{module}.py", f"{module}/__init__.py"}:
        raise StepFailed(
            f"The server has no module {entry.partition(':')[0]}: correct `entry` in shipway.toml."
        )


def _pip(*arguments: str, cwd: pathlib.Path) -> None:
    quiet = ("--disable-pip-version-check", "--no-input", "--progress-bar=off")
    program.run((TOOLS_PYTHON, "-m", "pip", *arguments, *quiet), cwd, _ENV)
