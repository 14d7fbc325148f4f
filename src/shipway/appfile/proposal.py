"""`shipway init`: a commented `shipway.toml` for a repository as it is."""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Iterable, Mapping, Sequence

import tomlkit

from shipway.appfile import detection, examples, node, suites, survey, tools
from shipway.appfile.sections import Section, Value
from shipway.kit import errors

HEADER = """\
# What Shipway must know of this repository. Every key: docs/reference/shipway-toml.md
# Written by `shipway init` from what it found; lines marked CHECK are guesses.
"""


def propose(folder: pathlib.Path) -> str:
    """Return the text of a `shipway.toml` for the repository in a folder.

    Raises `errors.NotFound` when nothing in it looks like an app or a server.
    """
    parts = survey.parts(folder)
    client, server = detection.client(parts), detection.server(parts)
    if client is None and server is None:
        raise errors.NotFound(
            f"{folder.name or folder} has neither an Expo app nor a server that Shipway knows.",
            fix="Run `shipway init` at the root of the repository, or write shipway.toml by hand.",
        )
    used = list(dict.fromkeys(p for p in (server, client, *suites.end_to_end(parts)) if p))
    name = _name(folder, parts)
    database, shown = list(tools.database(parts, server)), list(examples.variables(parts))
    has_database = any(section.heading == "[database]" for section in database)
    every = [
        *_node_version(parts),
        *detection.installs(parts, used),
        *([detection.server_section(server, parts)] if server else []),
        *([detection.client_section(client)] if client else []),
        *database,
        *suites.tests(parts, used),
        *shown,
        *examples.read(server, client, shown, has_database=has_database),
        *_environments(name),
    ]
    return "\n".join([HEADER, f"name = {_toml(name)}", *map(_written, _distinct(every))]) + "\n"


def _name(folder: pathlib.Path, parts: Sequence[survey.Part]) -> str:
    """Return the first name that remains one when it is made safe."""
    candidates = [*(part.name for part in parts if part.folder == "."), folder.resolve().name]
    slugs = (re.sub(r"[^a-z0-9]+", "-", c.lower())[:32].strip("-") for c in candidates)
    return next((slug for slug in slugs if re.match("[a-z]", slug)), "app")


def _distinct(every: Iterable[Section]) -> Iterable[Section]:
    """Give each step and each suite a name of its own: different folders may read the same."""
    taken: set[tuple[bool, str]] = set()
    for section in every:
        name = section.keys.get("name")
        if not isinstance(name, str):
            yield section
            continue
        is_suite = section.heading.startswith("[[tests.")
        numbered = (name, *(f"{name[:28]}-{number}" for number in range(2, 1000)))
        free = next(one for one in numbered if (is_suite, one) not in taken)
        taken.add((is_suite, free))
        yield dataclasses.replace(section, keys={**section.keys, "name": free})


def _node_version(parts: Sequence[survey.Part]) -> Iterable[Section]:
    found, where = node.version([part for part in parts if part.kind == "node"])
    if found:
        yield Section(heading="", keys={"node_version": found}, told=f"As {where} says.")


def _environments(name: str) -> Iterable[Section]:
    own = "CHECK: replace by your own domain; the server answers on api. + domain"
    yield Section(
        heading="[environments.staging]", keys={"domain": f"staging.{name}.localhost"}, told=own
    )
    yield Section(
        heading="[environments.production]", keys={"domain": f"{name}.localhost"}, told=own
    )


def _written(section: Section) -> str:
    lines = ["", *(f"# {line}" for line in section.told.splitlines())]
    lines += [section.heading] if section.heading else []
    return "\n".join([*lines, *_keys(section.keys)])


def _keys(keys: Mapping[str, Value]) -> list[str]:
    return [f"{key} = {_toml(value)}" for key, value in keys.items()]


def _toml(value: Value) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return str(tomlkit.item(value).as_string())
