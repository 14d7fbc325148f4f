"""The sections of a proposal, and what several of them need to know of a part."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from shipway.appfile.survey import Part

Value = str | bool | int | tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the file: a heading, its keys, and comments above."""

    heading: str
    keys: Mapping[str, Value] = field(default_factory=dict)
    told: str = ""


NODE_LOCKS = (
    "package-lock.json",
    "npm-shrinkwrap.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "bun.lock",
)
PYTHON_LOCKS = ("uv.lock", "poetry.lock")


def slug(part: Part) -> str:
    """Return a short name for steps in a part's folder."""
    text = re.sub(r"[^a-z0-9]+", "-", part.folder.lower()).strip("-")
    text = text if re.match("[a-z]", text) else f"in-{text}" if text else "root"
    return text[:24].strip("-")


def install(
    part: Part, name: str, run: tuple[str, ...], inputs: tuple[str, ...] = (), told: str = ""
) -> Section:
    """Return a step that fetches dependencies; without ``inputs`` it sees the whole folder."""
    keys: dict[str, Value] = {"name": name, "folder": part.folder, "run": run}
    return Section(
        heading="[[install]]", keys={**keys, **({"inputs": inputs} if inputs else {})}, told=told
    )


def suite(
    when: str,
    part: Part,
    script: str,
    run: tuple[str, ...],
    more: Mapping[str, Value] | None = None,
) -> Section:
    """Return a suite that is called after its part and its script."""
    name = f"{slug(part)}-{re.sub('[^a-z0-9]+', '-', script)}"[:32].strip("-")
    keys: dict[str, Value] = {"name": name, "folder": part.folder, "run": run}
    return Section(heading=f"[[tests.{when}]]", keys={**keys, **(more or {})})
