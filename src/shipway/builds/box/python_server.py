"""A Python server as one file: wheels fetched with network, then shiv without.

The recipe repeats bit for bit: fixed paths, times, umask and order. The interpreter is the
machine's own, because wheels tie the file to one minor version of Python.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import sys
import sysconfig
import zipfile
from dataclasses import dataclass

from . import program, python_needs, python_version
from .inputs import EPOCH
from .program import StepFailed

TOOLS_PYTHON = "/box/tools/python/bin/python"
WHEELS = ".wheels"
"""The folder that the first half leaves for the second, beside the sources."""

_ENV = {"SOURCE_DATE_EPOCH": str(EPOCH), "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
_NOT_SERVED = {
    "tests",
    "test",
    "migrations",
    WHEELS,
    "__pycache__",
    "build",
    "dist",
    "node_modules",
}


def fetch(folder: pathlib.Path, choice: python_needs.Choice, scratch: pathlib.Path) -> None:
    """Fetch wheels of what the server needs, and of what building it needs."""
    python_version.check(folder)
    wheels = folder / WHEELS
    (wheels / "run").mkdir(parents=True)
    (wheels / "build").mkdir()
    needs = python_needs.of(folder, choice, scratch)
    if needs.file.read_text().strip():
        flags = ("--no-deps",) if needs.whole else ()
        _pip("wheel", *flags, "-r", str(needs.file), "-w", str(wheels / "run"), cwd=folder)
    if builders := _builders(folder):
        _pip("wheel", *builders, "-w", str(wheels / "build"), cwd=folder)


@dataclass(frozen=True, kw_only=True)
class Begin:
    """What starts the server: a function, or a module that ``python -m`` runs; maybe neither."""

    entry: str = ""
    module: str = ""


def build(folder: pathlib.Path, begin: Begin, scratch: pathlib.Path, target: pathlib.Path) -> None:
    """Make the server's one file out of its sources and the wheels. No network is used."""
    os.umask(0o022)
    wheels = folder / WHEELS
    parts = [str(path) for path in sorted((wheels / "run").glob("*.whl"))]
    if _is_package(folder):
        parts.append(str(_own_wheel(folder, wheels / "build", scratch / "own")))
        extra: tuple[str, ...] = ()
    else:
        extra = ("--site-packages", str(_own_files(folder, wheels / "run", scratch / "site")))
    flags = ("--no-deps", "--no-index", *parts) if parts else ()
    shiv = (TOOLS_PYTHON, "-m", "shiv", "--reproducible", "--compressed")
    shebang = ("-p", f"{python_needs.PYTHON} -sE", *(("-e", begin.entry) if begin.entry else ()))
    program.run((*shiv, *shebang, "-o", str(target), *extra, *flags), scratch, _ENV)
    _check_begin(target, begin)


def facts() -> dict[str, str]:
    """Return what the file is tied to."""
    return {
        "python": sysconfig.get_python_version(),
        "platform": sysconfig.get_platform(),
    }


def _builders(folder: pathlib.Path) -> list[str]:
    """Return what building the server's own wheel needs."""
    if not _is_package(folder):
        return []
    return [*python_needs.project(folder)["build-system"].get("requires", ["setuptools"])]


def _is_package(folder: pathlib.Path) -> bool:
    """Whether the project wants to be built, and not only to have its dependencies managed."""
    found = python_needs.project(folder)
    managed = {
        "uv": python_needs.table(found, "tool", "uv").get("package"),
        "poetry": python_needs.table(found, "tool", "poetry").get("package-mode"),
    }
    return "build-system" in found and False not in managed.values()


def _own_wheel(folder: pathlib.Path, builders: pathlib.Path, into: pathlib.Path) -> pathlib.Path:
    where = ("--no-index", "--find-links", str(builders))
    try:
        _pip("wheel", "--no-deps", *where, "-w", str(into), str(folder), cwd=into.parent)
    except StepFailed as error:
        raise StepFailed(
            f"{program.shown(folder / 'pyproject.toml')} has a [build-system], but no package can "
            f"be built of it: {error} If it is not meant to be one, say so there: `package = "
            "false` in [tool.uv], or `package-mode = false` in [tool.poetry]."
        ) from error
    return next(into.glob("*.whl"))


def _own_files(folder: pathlib.Path, wheels: pathlib.Path, site: pathlib.Path) -> pathlib.Path:
    """Copy what a folder that is no package itself holds: modules, and the files beside them.

    A folder with a manifest of its own is another part of the repository; one without modules of
    its own that is called like a package (``alembic``) would hide that package.
    """
    root = folder / "src" if (folder / "src").is_dir() else folder
    site.mkdir()
    taken = _packages(wheels)
    for path in sorted(root.iterdir()):
        if path.name.startswith(".") or path.name in _NOT_SERVED or _is_another_part(path):
            continue
        if path.name.removesuffix(".py") in taken:
            _refuse_twice(path)
        elif path.is_dir():
            shutil.copytree(path, site / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.is_file():
            shutil.copy2(path, site / path.name)
    return site


def _packages(wheels: pathlib.Path) -> set[str]:
    """Return the names that what the server needs has in site-packages."""
    taken: set[str] = set()
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            taken |= {name.partition("/")[0].removesuffix(".py") for name in archive.namelist()}
    return taken


def _is_another_part(path: pathlib.Path) -> bool:
    return any((path / name).is_file() for name in ("package.json", "pyproject.toml"))


def _refuse_twice(path: pathlib.Path) -> None:
    """Two packages of one name: only one of them would be found. Data of that name is left out."""
    if path.suffix == ".py" or (path / "__init__.py").exists():
        raise StepFailed(
            f"{program.shown(path)} is called like a package that the server needs: rename it."
        )


def _check_begin(server: pathlib.Path, begin: Begin) -> None:
    """What cannot be started would show only when an instance starts: find it now."""
    with zipfile.ZipFile(server) as archive:
        names = set(archive.namelist())
    wanted = begin.entry.partition(":")[0]
    if wanted and not _holds(names, wanted):
        raise StepFailed(f"The server has no module {wanted}: correct `entry` in shipway.toml.")
    if begin.module and not (_holds(names, begin.module) or _is_of_python(begin.module)):
        raise StepFailed(
            f"The server has no module {begin.module}: add it to what the server needs, or correct "
            "`start` in shipway.toml."
        )


def _holds(names: set[str], module: str) -> bool:
    path = "site-packages/" + module.replace(".", "/")
    return bool(names & {f"{path}.py", f"{path}/__init__.py"})


def _is_of_python(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


def _pip(*arguments: str, cwd: pathlib.Path) -> None:
    quiet = ("--disable-pip-version-check", "--no-input", "--progress-bar=off")
    program.run((TOOLS_PYTHON, "-m", "pip", *arguments, *quiet), cwd, _ENV)
