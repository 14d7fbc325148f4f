"""From where a moment would be brought back, by what is on record."""

from __future__ import annotations

import dataclasses
import datetime

from shipway.database.backups import model, moments
from shipway.database.backups.keeping import Site
from shipway.database.backups.moments import Choice, Lived
from shipway.database.backups.records import Records
from shipway.database.backups.recoveries import Standing
from shipway.kit import clock, errors
from shipway.releases.records import Releases


async def choose(
    records: Records,
    history: list[Lived],
    site: Site,
    to: str,
    repository: int | None,
    *,
    archived: datetime.datetime | None,
) -> Choice:
    """Decide from where a moment is brought back. Raises as `moments.moment` and `choose`.

    ``archived`` is until when everything has reached every repository, where that is known.
    """
    at = moments.moment(to, clock.now(), history)
    archives = await records.archives(site.app, site.environment)
    return moments.choose(
        at,
        {one.repository: model.extended(one.reach, archived) for one in archives},
        await records.backups(site.app, site.environment),
        repository=repository,
    )


async def history(standing: Standing, releases: Releases, site: Site) -> list[Lived]:
    """Return the migrations that have run, the latest first, with the versions of their releases."""
    found = []
    for one in await standing.lived(site.app, site.environment):
        try:
            version = (await releases.get(one.version)).version
        except errors.NotFound:
            version = one.version
        found.append(dataclasses.replace(one, version=version))
    return found


def head_at(choice: Choice, lived: list[Lived]) -> str:
    """Return the head of the schema as of a moment; empty before the first migration."""
    return next((one.after for one in lived if choice.at is None or one.began <= choice.at), "")
