"""What the overview says in one sentence, and what it offers to do next. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Tone = Literal["good", "busy", "warn", "bad", "quiet"]


@dataclass(frozen=True, kw_only=True)
class Column:
    """An environment as the overview shows it. ``api`` is what the API tells of it."""

    name: str
    live: Mapping[str, Any] | None
    moving: Mapping[str, Any] | None
    shares: Sequence[Mapping[str, Any]]
    update: Mapping[str, Any] | None
    api: Mapping[str, Any]
    ahead: int | None = None
    """Commits that this one has and production lacks."""
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def alive(self) -> int:
        return sum(bool(one["alive"]) for one in self.api["instances"])

    @property
    def instances(self) -> int:
        return len(self.api["instances"])

    @property
    def is_moving(self) -> bool:
        return bool(self.moving and self.moving["state"] in {"waiting", "running"})

    @property
    def is_shared(self) -> bool:
        """Whether more than one release answers here."""
        return len(self.shares) > 1

    @property
    def tone(self) -> Tone:
        """How it is with what is live, or on its way."""
        if self.live is None:
            return "quiet"
        if self.alive < self.instances:
            return "bad"
        return "busy" if self.is_moving else "good"

    @property
    def failed(self) -> bool:
        return bool(self.moving and self.moving["state"] == "failed")


@dataclass(frozen=True)
class Verdict:
    """One sentence about the environment that matters most."""

    tone: Tone
    sentence: str


@dataclass(frozen=True)
class Next:
    """The one thing to do now, and where."""

    label: str
    address: str
    why: str


def verdict(column: Column | None) -> Verdict:
    """Return the answer to: is it all right."""
    if column is None or column.live is None:
        return Verdict("quiet", "Nothing is in production yet.")
    name = column.name.capitalize()
    if column.instances and column.alive < column.instances:
        lost = column.instances - column.alive
        return Verdict("bad", f"{name} lacks {lost} of {column.instances} instances.")
    if column.is_moving and column.moving:
        return Verdict("busy", f"{name} is changing to {column.moving['version']}.")
    if column.failed and column.moving:
        return Verdict(
            "warn",
            f"{name} is all right with {column.live['version']};"
            f" {column.moving['version']} did not get there.",
        )
    return Verdict("good", f"{name} is all right.")


def next_step(
    app: str, columns: Sequence[Column], runs: Sequence[Mapping[str, Any]]
) -> Next | None:
    """Return what somebody would most likely do now."""
    for column in reversed(columns):
        if waiting := column.api["waiting"]:
            newest = waiting[0]
            address = f"/console/apps/{app}/releases/{newest['version']}#gates"
            label = f"Review {newest['version']} for {column.name}"
            return Next(label, address, newest["sentence"])
    if runs and runs[0]["state"] == "running":
        return Next(
            "Watch the run", f"/console/apps/{app}/runs/{runs[0]['id']}", "A run is on its way."
        )
    if runs and runs[0]["state"] in {"failed", "refused"}:
        return Next(
            "See why the run failed",
            f"/console/apps/{app}/runs/{runs[0]['id']}",
            runs[0]["sentence"],
        )
    return None
