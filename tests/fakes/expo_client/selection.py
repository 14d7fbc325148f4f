"""Which update a client loads, launches and deletes: its filter-aware selection policy. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.fakes.expo_client.manifest import Asset

Filters = Mapping[str, Any] | None
Status = Literal["pending", "ready", "embedded"]


@dataclass
class Row:
    """An update in the client's database. ``commit`` is in milliseconds since 1970.

    ``source`` is the address and the headers of the build that loaded it; None for embedded.
    """

    id: str
    commit: int
    runtime_version: str
    launch: Asset
    assets: tuple[Asset, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    source: tuple[str, Mapping[str, str]] | None = None
    status: Status = "pending"
    successful: int = 0
    failed: int = 0

    @property
    def launchable(self) -> bool:
        """One success makes up for any number of failures."""
        return self.status in {"ready", "embedded"} and (self.successful > 0 or self.failed < 1)


@dataclass(frozen=True)
class Policy:
    """The policy of one build: its runtime version, and where it asks with which headers."""

    runtime_version: str
    source: tuple[str, Mapping[str, str]]

    def to_launch(self, rows: Iterable[Row], filters: Filters) -> Row | None:
        """Return the newest that this build may run."""
        fit = [
            row
            for row in rows
            if row.runtime_version == self.runtime_version
            and matches(row.metadata, filters)
            and self._own(row)
        ]
        return max(fit, key=lambda row: row.commit, default=None)

    def should_load(self, new: Row, launched: Row | None, filters: Filters) -> bool:
        """Tell whether to download what was offered. The runtime version is *not* looked at."""
        if not matches(new.metadata, filters):
            return False
        if launched is None or not matches(launched.metadata, filters):
            return True
        if not self._own(new):
            return False
        return not self._own(launched) or new.commit > launched.commit

    @staticmethod
    def should_roll_back(
        commit: int, embedded: Row, launched: Row | None, filters: Filters
    ) -> bool:
        """Tell whether to obey a rollback to the embedded update."""
        if not matches(embedded.metadata, filters):
            return False
        if launched is None or not matches(launched.metadata, filters):
            return True
        return commit > launched.commit

    @staticmethod
    def to_delete(rows: Iterable[Row], launched: Row, filters: Filters) -> list[Row]:
        """Return all that is older than what runs, but for one: the newest that fits best."""
        older = [row for row in rows if row.commit < launched.commit]
        best = [row for row in older if matches(row.metadata, filters)] or older
        kept = max(best, key=lambda row: row.commit, default=None)
        return [row for row in older if row is not kept and row.status != "embedded"]

    def _own(self, row: Row) -> bool:
        return row.source is None or row.source == self.source


def matches(metadata: Mapping[str, Any], filters: Filters) -> bool:
    """Tell whether metadata passes: a key that is there must be equal, a missing one passes.

    The keys of the metadata are made small; those of a filter already are, by their grammar.
    """
    if not filters:
        return True
    known = {key.lower(): value for key, value in metadata.items()}
    return all(known[key] == wanted for key, wanted in filters.items() if key in known)
