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


NODE_LOCKS: Mapping[str, tuple[str, ...]] = {
    "package-lock.json": ("npm", "ci"),
    "npm-shrinkwrap.json": ("npm", "ci"),
    "pnpm-lock.yaml": ("pnpm", "install", "--frozen-lockfile"),
    "yarn.lock": ("yarn", "install", "--frozen-lockfile"),
    "bun.lock": ("bun", "install", "--frozen-lockfile"),
}
PYTHON_LOCKS: Mapping[str, tuple[str, ...]] = {
    "uv.lock": ("uv", "sync", "--frozen", "--no-install-project"),
    "poetry.lock": ("poetry", "install", "--no-interaction", "--no-root"),
}


def slug(part: Part) -> str:
    """Return a short name for steps in a part's folder."""
    text = re.sub(r"[^a-z0-9]+", "-", part.folder.lower()).strip("-")
    text = text if re.match("[a-z]", text) else f"in-{text}" if text else "root"
    return text[:24].strip("-")


def runner(part: Part) -> tuple[str, ...]:
    """Return the package manager that runs the scripts of a part."""
    lock = part.has(*NODE_LOCKS)
    return (NODE_LOCKS.get(lock, ("npm",))[0],)
