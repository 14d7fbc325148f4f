"""Which part is the app and which the server, and how their dependencies are installed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from shipway.appfile import node, python, sections
from shipway.appfile.sections import Section
from shipway.appfile.survey import Part


def client(parts: Sequence[Part]) -> Part | None:
    """Return the Expo app: the one with the app's configuration, if there are several."""
    apps = [part for part in parts if part.kind == "node" and part.depends_on("expo")]
    configured = [p for p in apps if p.has("app.json", "app.config.ts", "app.config.js")]
    return next(iter([*configured, *apps]), None)


def server(parts: Sequence[Part]) -> Part | None:
    """Return the API server: what depends on a framework for one, or has a script to build it."""
    in_node = [p for p in parts if p.kind == "node"]
    built = [p for p in in_node if "server:build" in p.scripts]
    framed = [p for p in parts if p.kind == "python" and p.depends_on(*python.FRAMEWORKS)]
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
    return python.server(part) if part.kind == "python" else node.server(part, parts)


def installs(parts: Sequence[Part], used: Iterable[Part]) -> Iterator[Section]:
    """Return the steps that fetch dependencies, once for each folder with a lock file."""
    seen: set[tuple[str, str]] = set()
    homes = [(part, locked(parts, part)) for part in used]
    for _, home in homes:
        if (home.folder, home.kind) in seen:
            continue
        seen.add((home.folder, home.kind))
        yield from node.installs(home) if home.kind == "node" else python.installs(home)
    inside = {home.folder for _, home in homes if home.kind == "node"}
    for part in parts:
        if part.kind == "node" and (home := locked(parts, part)).folder in inside:
            yield from node.generating(part, home)


def locked(parts: Sequence[Part], part: Part) -> Part:
    """Return the part that holds the lock file: itself, or the workspace around it."""
    around = [p for p in parts if p.kind == part.kind and _is_within(part.folder, p.folder)]
    nearest_first = sorted(around, key=lambda p: len(p.folder), reverse=True)
    locks = sections.NODE_LOCKS if part.kind == "node" else sections.PYTHON_LOCKS
    return next((p for p in [part, *nearest_first] if p.has(*locks)), part)


def _is_within(inner: str, outer: str) -> bool:
    return outer in {".", inner} or inner.startswith(f"{outer}/")


def _place(part: Part) -> str:
    return "package.json" if part.folder == "." else f"{part.folder}/package.json"
