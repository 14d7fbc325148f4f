"""What a repository is made of, read from its manifests: the facts behind a proposal."""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shipway.appfile import words

DEEPEST = 3
MOST_FOLDERS = 2000
LARGEST = 1024 * 1024
"""Bytes of a file that are read."""

_PASSED_OVER = frozenset({"node_modules", "dist", "build", "vendor", "venv", "ios", "android"})
REQUIREMENTS = ("requirements/production.txt", "requirements/prod.txt", "requirements/base.txt")
"""Where a Python project may say what it needs, besides pyproject.toml and requirements.txt."""

DEVELOPMENT = (
    "requirements-dev.txt",
    "dev-requirements.txt",
    "requirements/dev.txt",
    "requirements/development.txt",
    "requirements/local.txt",
)
"""Where it may say what its tests need."""

_MANIFESTS = ("pyproject.toml", "requirements.txt", *REQUIREMENTS)
_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """A folder with a manifest. ``kind`` is ``node`` or ``python``; dependencies are lower-case
    names; ``scripts`` are those of package.json or of [project.scripts]."""

    root: pathlib.Path
    folder: str
    kind: str
    name: str = ""
    dependencies: frozenset[str] = frozenset()
    scripts: Mapping[str, str] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> pathlib.Path:
        return self.root / self.folder

    def has(self, *files: str) -> str:
        """Return the first of these files that is in the folder, or nothing."""
        return next((file for file in files if (self.path / file).is_file()), "")

    def depends_on(self, *packages: str) -> str:
        """Return the first of these packages that it depends on, or nothing."""
        return next((package for package in packages if package in self.dependencies), "")


def parts(root: pathlib.Path) -> list[Part]:
    """Return the parts of a repository, those nearest to the root first."""
    found = [part for folder in _folders(root) for part in _parts_in(root, folder)]
    return sorted(found, key=lambda part: (_depth(part.folder), part.folder, part.kind))


def _folders(root: pathlib.Path) -> Iterator[str]:
    """Walk what could hold sources; folders with unsafe names are passed over."""
    for here, below, _ in itertools.islice(os.walk(root), MOST_FOLDERS):
        folder = pathlib.Path(here).relative_to(root).as_posix()
        below[:] = sorted(name for name in below if _is_source(name, folder))
        yield folder


def _is_source(name: str, parent: str) -> bool:
    return (
        name not in _PASSED_OVER
        and not name.startswith(".")
        and words.FOLDER.fits(name)
        and _depth(parent) < DEEPEST
    )


def _depth(folder: str) -> int:
    return 0 if folder == "." else folder.count("/") + 1


def _parts_in(root: pathlib.Path, folder: str) -> Iterator[Part]:
    if (package := read_json(root / folder / "package.json")) is not None:
        yield _node(root, folder, package)
    if any((root / folder / name).is_file() for name in _MANIFESTS):
        yield _python(root, folder)


def _node(root: pathlib.Path, folder: str, package: Mapping[str, Any]) -> Part:
    both = {**table(package, "dependencies"), **table(package, "devDependencies")}
    return Part(
        root=root,
        folder=folder,
        kind="node",
        name=str(package.get("name", "")),
        dependencies=frozenset(str(name).lower() for name in both),
        scripts=_texts(table(package, "scripts")),
        manifest=package,
    )


def _python(root: pathlib.Path, folder: str) -> Part:
    manifest = _read_toml(root / folder / "pyproject.toml")
    project = table(manifest, "project")
    return Part(
        root=root,
        folder=folder,
        kind="python",
        name=str(project.get("name") or table(table(manifest, "tool"), "poetry").get("name", "")),
        dependencies=frozenset(_requirements(root / folder, manifest)),
        scripts=_texts(table(project, "scripts")),
        manifest=manifest,
    )


def _requirements(folder: pathlib.Path, manifest: Mapping[str, Any]) -> Iterator[str]:
    project = table(manifest, "project")
    poetry = table(table(manifest, "tool"), "poetry")
    listed = [_list(project, "dependencies"), *_files(folder)]
    listed += [_list(table(manifest, "dependency-groups"), group) for group in ("dev", "test")]
    listed += [_list(table(project, "optional-dependencies"), x) for x in ("dev", "test")]
    listed += [list(table(poetry, "dependencies")), list(table(poetry, "dev-dependencies"))]
    groups = table(poetry, "group")
    listed += [list(table(table(groups, name), "dependencies")) for name in groups]
    for requirement in (line for group in listed for line in group):
        if match := _REQUIREMENT.match(str(requirement)):
            yield match[0].lower().replace("_", "-")


def _files(folder: pathlib.Path) -> Iterator[list[str]]:
    for name in ("requirements.txt", *REQUIREMENTS, *DEVELOPMENT):
        yield read_text(folder / name).splitlines()


def read_text(path: pathlib.Path) -> str:
    """Return the beginning of a file, or nothing when it is not there or is no text."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(LARGEST)
    except OSError:
        return ""


def read_json(path: pathlib.Path) -> Mapping[str, Any] | None:
    """Return a JSON object, or None when there is none."""
    try:
        found = json.loads(read_text(path))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _read_toml(path: pathlib.Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(read_text(path))
    except (ValueError, RecursionError):
        return {}


def table(of: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a table of a manifest, or an empty one."""
    found = of.get(key)
    return found if isinstance(found, dict) else {}


def _list(of: Mapping[str, Any], key: str) -> list[Any]:
    found = of.get(key)
    return found if isinstance(found, list) else []


def _texts(of: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): value for key, value in of.items() if isinstance(value, str)}
