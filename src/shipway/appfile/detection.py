"""Which part is the app and which the server, and how their dependencies are installed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from shipway.appfile import node, sections, words
from shipway.appfile.sections import Section, Value
from shipway.appfile.survey import Part

PYTHON_SERVERS = ("fastapi", "flask", "django", "starlette", "litestar", "aiohttp", "sanic")


def client(parts: Sequence[Part]) -> Part | None:
    """Return the Expo app: the one with the app's configuration, if there are several."""
    apps = [part for part in parts if part.kind == "node" and part.depends_on("expo")]
    configured = [p for p in apps if p.has("app.json", "app.config.ts", "app.config.js")]
    return next(iter([*configured, *apps]), None)


def server(parts: Sequence[Part]) -> Part | None:
    """Return the API server: what depends on a framework for one, or has a script to build it."""
    in_node = [p for p in parts if p.kind == "node"]
    python = [p for p in parts if p.kind == "python"]
    built = [p for p in in_node if "server:build" in p.scripts]
    framed = [p for p in python if p.depends_on(*PYTHON_SERVERS)]
    framed += [p for p in in_node if p.depends_on(*node.FRAMEWORKS)]
    return next(iter([*built, *framed]), None)


def client_section(part: Part) -> Section:
    platforms = ("ios", "android", "web") if part.depends_on("react-native-web") else ()
    return Section(
        heading="[client]",
        keys={"folder": part.folder, "platforms": platforms or ("ios", "android")},
        told=f"The Expo app: {_place(part)} depends on expo."
        + ("" if platforms else "\nWithout react-native-web there is no web export."),
    )


def server_section(part: Part, parts: Sequence[Part]) -> Section:
    return _python_server(part) if part.kind == "python" else node.server(part, parts)


def _python_server(part: Part) -> Section:
    entry, sure = _python_entry(part)
    return Section(
        heading="[server]",
        keys={"kind": "python", "folder": part.folder, "entry": entry, "health": "/health"},
        told="The API server. The entry is a function that starts it on PORT.\n"
        + ("" if sure else "CHECK: no [project.scripts] names that function.\n")
        + ("" if part.has("pyproject.toml") else "CHECK: the build needs a pyproject.toml.\n")
        + "CHECK: health is a path that answers 200 when the server can work.",
    )


def _python_entry(part: Part) -> tuple[str, bool]:
    """Return the function that starts the server, and whether the project says so itself."""
    for target in part.scripts.values():
        if words.PYTHON_ENTRY.fits(target):
            return target, True
    found = [*part.path.glob("src/*/__init__.py"), *part.path.glob("*/__init__.py")]
    packages = (path.parent.name for path in sorted(found) if path.parent.name != "tests")
    package = next((name for name in packages if name.isidentifier()), "app")
    return f"{package}.main:main", False


def installs(parts: Sequence[Part], used: Iterable[Part]) -> Iterator[Section]:
    """Return the steps that fetch dependencies, once for each folder with a lock file."""
    seen: set[tuple[str, str]] = set()
    homes = [(part, _locked(parts, part)) for part in used]
    for _, home in homes:
        if (home.folder, home.kind) in seen:
            continue
        seen.add((home.folder, home.kind))
        yield from node.installs(home) if home.kind == "node" else _python_install(home)
    inside = {home.folder for _, home in homes if home.kind == "node"}
    for part in parts:
        if part.kind == "node" and (home := _locked(parts, part)).folder in inside:
            yield from node.generating(part, home)


def _locked(parts: Sequence[Part], part: Part) -> Part:
    """Return the part that holds the lock file: itself, or the workspace around it."""
    around = [p for p in parts if p.kind == part.kind and _is_within(part.folder, p.folder)]
    nearest_first = sorted(around, key=lambda p: len(p.folder), reverse=True)
    locks = sections.NODE_LOCKS if part.kind == "node" else sections.PYTHON_LOCKS
    return next((p for p in [part, *nearest_first] if p.has(*locks)), part)


def _is_within(inner: str, outer: str) -> bool:
    return outer in {".", inner} or inner.startswith(f"{outer}/")


def _python_install(part: Part) -> Iterator[Section]:
    name = f"{sections.slug(part)}-python" if part.folder == "." else sections.slug(part)
    if lock := part.has(*sections.PYTHON_LOCKS):
        told = "CHECK: poetry.toml must say virtualenvs.in-project = true."
        run = sections.PYTHON_LOCKS[lock]
        inputs: tuple[str, ...] = ("pyproject.toml", lock) if lock == "uv.lock" else ()
        yield _install(part, name, run, inputs, "" if lock == "uv.lock" else told)
        return
    source = part.has("requirements.txt", "pyproject.toml")
    told = "CHECK: without a lock file each build may get other versions."
    yield _install(part, f"{name[:24]}-venv", ("uv", "venv", "--clear"), (source,), told)
    yield _install(part, name, ("uv", "pip", "install", "-r", source), (source,), "")


def _install(
    part: Part, name: str, run: tuple[str, ...], inputs: tuple[str, ...], told: str
) -> Section:
    keys: dict[str, Value] = {"name": name, "folder": part.folder, "run": run}
    return Section(
        heading="[[install]]", keys={**keys, **({"inputs": inputs} if inputs else {})}, told=told
    )


def _place(part: Part) -> str:
    return "package.json" if part.folder == "." else f"{part.folder}/package.json"
