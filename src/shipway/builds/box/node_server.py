"""A server in Node as one archive: bundled by esbuild, or its own folder with its packages.

Paths in the archive are those of the repository, so that links between workspaces and what the
server reads beside itself are found. Node runs it in the server's folder.
"""

from __future__ import annotations

import glob
import json
import pathlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from . import pack, packages, program
from .program import StepFailed

BUILTINS = "console.log(require('node:module').builtinModules.join(' '))"
_PACKAGE = re.compile(r"(?:@[^/]+/)?[^/]+")

_MODULE = (
    "import{createRequire as __shipway_require}from'node:module';"
    "import{fileURLToPath as __shipway_path}from'node:url';"
    "import{dirname as __shipway_parent}from'node:path';"
    "globalThis.require??=__shipway_require(import.meta.url);"
    "const __shipway_filename=__shipway_path(import.meta.url),"
    "__shipway_dirname=__shipway_parent(__shipway_filename);"
)
_FORMATS = {
    "esm": (
        "--format=esm",
        "--define:__filename=__shipway_filename",
        "--define:__dirname=__shipway_dirname",
        f"--banner:js={_MODULE}",
    ),
    "cjs": (
        "--format=cjs",
        "--define:import.meta.url=__shipway_url",
        "--banner:js=const __shipway_url=require('url').pathToFileURL(__filename).href;",
    ),
}
"""What each kind of module knows of itself is given to those of the other kind that it holds."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The server of a step. ``main`` is what Node starts, relative to the repository."""

    root: pathlib.Path
    folder: pathlib.Path
    run: Sequence[str]
    entry: str
    main: str
    bundle: bool
    external: Sequence[str]
    files: Sequence[str]
    without: Sequence[str]
    """Folders of the repository that are other parts."""


def build(
    wanted: Wanted, esbuild: pathlib.Path, scratch: pathlib.Path, target: pathlib.Path
) -> None:
    """Make the archive. Raises `StepFailed`. No network is used."""
    if wanted.run:
        program.run(wanted.run, wanted.folder)
    paths = _bundled(wanted, esbuild, scratch) if wanted.bundle else _whole(wanted)
    pack.pack(wanted.root, paths, target)


def _whole(wanted: Wanted) -> list[pathlib.Path]:
    """The folder as its own build leaves it, and the packages of its package.json."""
    main = wanted.root / wanted.main
    if not main.is_file():
        made = f"`{' '.join(wanted.run)}` has not made" if wanted.run else "There is no"
        raise StepFailed(f"{made} {wanted.entry}, which is server.entry in shipway.toml.")
    home = next(
        place for place in _upwards(wanted) if packages.manifest(place) or place == wanted.root
    )
    needed = packages.closure(wanted.root, home, packages.needs(packages.manifest(home)))
    own = _given(wanted) if wanted.files else _all(wanted)
    return [*own, main, *_manifests(wanted), *needed.paths]


def _bundled(wanted: Wanted, esbuild: pathlib.Path, scratch: pathlib.Path) -> list[pathlib.Path]:
    """One file, the packages that it still imports, and the files that were asked for."""
    given = list(_given(wanted))
    kind = _format(wanted)
    main, told = wanted.root / wanted.main, scratch / "bundle.json"
    version = program.output_of(("node", "--version"), wanted.folder).strip()
    flags = (
        "--bundle", "--platform=node", f"--target=node{version.removeprefix('v')}",
        "--legal-comments=none", "--log-level=warning", "--allow-overwrite",
        *_FORMATS[kind], *(f"--external:{name}" for name in _externals(wanted)),
        f"--metafile={told}", f"--outfile={main}",
    )  # fmt: skip
    try:
        program.run((str(esbuild), wanted.entry, *flags), wanted.folder)
    except StepFailed as error:
        raise StepFailed(
            f"{error} If a package cannot be bundled, name it in server.external of shipway.toml; "
            '["*"] bundles none.'
        ) from error
    typed = main.parent / "package.json"
    mode = {"esm": "module", "cjs": "commonjs"}[kind]
    typed.write_text(json.dumps({**packages.manifest(main.parent), "type": mode}, indent=1))
    imported = _imported(told, wanted.folder)
    declared = packages.needs(packages.manifest(wanted.folder))
    needed = packages.closure(wanted.root, wanted.folder, imported, declared)
    return [*given, main, typed, *_manifests(wanted), *needed.paths]


def _format(wanted: Wanted) -> str:
    """The kind of module that the sources are: only one of them may await at its top."""
    if wanted.entry.endswith((".mts", ".mjs")):
        return "esm"
    if wanted.entry.endswith((".cts", ".cjs")):
        return "cjs"
    around = [(wanted.folder / wanted.entry).parent, *_upwards(wanted)]
    read = next((found for place in around if (found := packages.manifest(place))), {})
    return "esm" if read.get("type") == "module" else "cjs"


def _externals(wanted: Wanted) -> list[str]:
    """What is not bundled; ``*`` is every package, but not those of the repository itself."""
    if "*" not in wanted.external:
        return sorted(wanted.external)
    names: set[str] = set()
    waiting = [*_upwards(wanted)]
    while waiting:
        home = waiting.pop()
        for name in packages.needs(packages.manifest(home)) - names:
            place = packages.find(wanted.root, home, name)
            if place and packages.is_workspace(wanted.root, place):
                waiting.append(place.resolve())
            else:
                names.add(name)
    return sorted(names)


def _imported(told: pathlib.Path, folder: pathlib.Path) -> set[str]:
    """Return the packages that a bundle imports, as esbuild has told them."""
    outputs = json.loads(told.read_text())["outputs"].values()
    paths = {one["path"] for out in outputs for one in out["imports"] if one.get("external")}
    own = set(program.output_of(("node", "-e", BUILTINS), folder).split())
    names = {match[0] for path in paths if (match := _PACKAGE.match(path))}
    return {name for name in names if not name.startswith((".", "node:")) and name not in own}


def _given(wanted: Wanted) -> Iterator[pathlib.Path]:
    """The files that shipway.toml names. Raises `StepFailed` for a name that nothing has."""
    for pattern in wanted.files:
        found = glob.glob(str(wanted.folder / pattern), recursive=True)  # noqa: PTH207 -- follows links to folders
        if not found:
            where = wanted.folder.relative_to(wanted.root).as_posix()
            raise StepFailed(f"server.files: nothing is called {pattern} in {where}.")
        yield from _leaves(map(pathlib.Path, found))


def _all(wanted: Wanted) -> Iterator[pathlib.Path]:
    others = [wanted.root / one for one in wanted.without]
    for path in packages.files(wanted.folder):
        if not any(path.is_relative_to(other) for other in others):
            yield path


def _leaves(paths: Iterable[pathlib.Path]) -> Iterator[pathlib.Path]:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            yield from packages.files(path)
        else:
            yield path


def _manifests(wanted: Wanted) -> list[pathlib.Path]:
    return [p for place in _upwards(wanted) if (p := place / "package.json").is_file()]


def _upwards(wanted: Wanted) -> list[pathlib.Path]:
    """The server's folder and those around it."""
    return [p for p in (wanted.folder, *wanted.folder.parents) if p.is_relative_to(wanted.root)]
