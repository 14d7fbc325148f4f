"""Results of earlier steps, found again by the digest of all that the step sees."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shipway.builds.model import BuildStep
from shipway.kit import db

KEPT_INSTALLS = 3
"""How many installed dependencies of one step stay on disk, besides those in use."""

_SQL = db.queries(__package__ or "")


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a step gave when it ran, in ``run``. ``folder`` (of the builds of the app) holds
    the ``trees`` that an install has made."""

    app: str
    key: str
    trusted: bool
    step: str
    run: str
    artifacts: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    folder: str = ""
    trees: Sequence[str] = ()


def key_of(
    step: BuildStep,
    *,
    inputs: Mapping[str, str],
    needs: Sequence[str],
    tools: Mapping[str, str],
    recipe: str,
) -> str:
    """Return the digest of everything that decides what a step gives.

    ``inputs`` maps the paths that it sees to the hashes of their contents, ``needs`` are the keys
    of the steps whose results it sees. Its name does not matter, nor does how long it may take.
    """
    seen = {
        "kind": step.kind,
        "folder": step.folder,
        "argv": step.argv,
        "env": dict(step.env),
        "services": step.services,
        "produces": step.produces,
        "details": dict(step.details),
        "files": dict(step.files),
        "inputs": dict(inputs),
        "needs": list(needs),
        "tools": dict(tools),
        "recipe": recipe,
    }
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


class Results:
    """The results that were kept. Only those that are trusted answer a run of the main branch."""

    def __init__(self, database: db.Database) -> None:
        self._db = database

    async def find(self, app: str, key: str, *, trusted: bool) -> Result | None:
        """Return what a step with this key gave, if it ever ran well, and mark it as used."""
        row = await self._db.row(_SQL["result"], app=app, key=key, trusted=trusted)
        if row is None:
            return None
        return Result(**{name: row[name] for name in Result.__dataclass_fields__})

    async def keep(self, result: Result) -> None:
        """Keep what a step gave. A later result of the same key takes the place of this one."""
        await self._db.run(
            _SQL["keep_result"],
            app=result.app,
            key=result.key,
            trusted=result.trusted,
            step=result.step,
            run=result.run,
            artifacts=db.json(dict(result.artifacts)),
            facts=db.json(dict(result.facts)),
            seconds=result.seconds,
            folder=result.folder,
            trees=db.json(list(result.trees)),
        )

    async def forget(self, result: Result) -> None:
        """Forget a result whose files are gone."""
        await self._db.run(
            _SQL["forget_result"], app=result.app, key=result.key, trusted=result.trusted
        )

    async def give_up_stale(self, app: str) -> tuple[str, ...]:
        """Forget installs that newer ones have replaced, and return their folders."""
        async with self._db.transaction():
            rows = await self._db.rows(_SQL["stale_folders"], app=app, keep=KEPT_INSTALLS)
            for row in rows:
                await self._db.run(
                    _SQL["forget_result"], app=app, key=row["key"], trusted=row["trusted"]
                )
        return tuple(row["folder"] for row in rows)
