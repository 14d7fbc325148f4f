"""What people ask for about a schema: a rehearsal of what is to come, and the way back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from shipway.access.model import Action, Caller
from shipway.database import rehearsal
from shipway.database.model import Access, Migration
from shipway.database.records import Past
from shipway.database.records import Records as SchemaRecords
from shipway.database.rehearsal import Rehearsal
from shipway.database.rehearsed import Rehearsed
from shipway.environments import policy
from shipway.kit import db, durable, errors
from shipway.releases.model import Release
from shipway.releases.records import Deployments, Releases
from shipway.workflows import hiding, migrating, names, rehearsing
from shipway.workflows.entering import Entry
from shipway.workflows.outcome import Outcome
from shipway.workflows.platform import Platform

_NO_WAY_BACK = (
    "Restore into a recovery instance and copy back what is needed, or write a new migration."
)


class SchemaRequests:
    """Records what is asked for, and starts it."""

    def __init__(self, database: db.Database, remote: durable.Remote) -> None:
        self._releases = Releases(database)
        self._deployments = Deployments(database)
        self._rehearsed = Rehearsed(database)
        self._schema = SchemaRecords(database)
        self._remote = remote

    async def rehearse(self, app: str, environment: str, release: str, caller: Caller) -> Rehearsal:
        """Ask for a rehearsal of a release, of the newest one unless it is named."""
        caller.must(Action.DEPLOY, environment)
        found = await self.release(app, release)
        return await self._ask(rehearsing.planned(found, environment), "up", caller)

    async def release(self, app: str, release: str) -> Release:
        """Return a release by version or identifier, or the newest one."""
        if release:
            return await self._releases.get(release, app=app)
        if not (newest := await self._releases.list(app, limit=1)):
            raise errors.NotFound(f"There is no release of {app} yet.", fix="Push to main.")
        return newest[0]

    async def take_back(self, app: str, environment: str, caller: Caller, reason: str) -> Rehearsal:
        """Ask for the way back from the last migration of an environment.

        Raises `errors.Refused` when there is none, or while the live release needs it.
        """
        caller.must(Action.DEPLOY, environment)
        last = await last_change(self._schema, app, environment)
        release = await self._releases.get(last.release)
        live = await self._deployments.live(app, environment)
        if live and (await self._releases.get(live.release)).schema_head == last.after:
            raise errors.Refused(
                f"{live.version} is live in {environment} and was released with the schema at"
                f" {last.after}.",
                fix=f"Take it back first: `shipway rollback {environment}`.",
            )
        entry = rehearsing.planned(release, environment)
        return await self._ask(entry, "down", caller, reason)

    async def _ask(
        self, entry: Entry, direction: rehearsal.Direction, caller: Caller, reason: str = ""
    ) -> Rehearsal:
        policy.check_environment(entry.environment)
        if entry.product.database is None:
            raise errors.Refused(f"{entry.app} has no database.")
        asked = dataclasses.replace(
            rehearsing.new(entry, by=caller.person),
            direction=direction,
            sentence=reason or "It begins.",
        )
        await self._rehearsed.keep(asked)
        await self._remote.start(names.rehearsal(asked))
        return asked


async def last_change(schema: SchemaRecords, app: str, environment: str) -> Past:
    """Return the last migration that changed a schema, unless it was taken back already."""
    for one in await schema.list(app, environment, limit=50):
        if one.state == "succeeded" and one.before != one.after:
            if one.deployment.startswith("rhs_"):
                raise errors.Refused(
                    f"The last migration of {environment} was taken back already: {one.sentence}"
                )
            return one
    raise errors.Refused(f"No migration has changed the schema of {environment} yet.")


class Schema:
    """The steps of `rehearse` and `roll_back_schema`, each safe to run twice."""

    def __init__(self, on: Platform) -> None:
        self._on = on

    @durable.step
    async def rehearse(self, asked: str) -> Outcome:
        """Rehearse a release because somebody wants to know."""
        found = await self._on.rehearsed.get(asked)
        entry = await self._entry(found)
        done = await rehearsing.rehearse(self._on, entry, found, lambda _: None)
        return Outcome(good=done.lets_in, sentence=done.sentence)

    @durable.step
    async def prove(self, asked: str) -> str:
        """Prove on a copy that going down and up again leaves equal data. Returns a sentence;
        raises `errors.Refused` when it does not."""
        on, found = self._on, await self._on.rehearsed.get(asked)
        entry = await self._entry(found)
        live = await on.clusters.access(found.app, found.environment)

        async def prepare(copy: Access) -> Migration:
            tool = entry.product.database
            assert tool
            return await self._down(entry, await migrating.on_copy(on, entry, tool, live, copy))

        tool = entry.product.database
        assert tool
        async with hiding.secrets_hidden(on, found.app):
            seen = await on.rehearsals.rehearse(
                found.app, found.environment, prepare, down=tool.migrate
            )
        judged = rehearsal.judged(found, seen, rehearsing.budget(on, entry))
        if not judged.lets_in:
            raise errors.Refused(*judged.reasons, fix=_NO_WAY_BACK)
        await on.rehearsed.keep(dataclasses.replace(judged, state="running"))
        return judged.sentence

    @durable.step
    async def take_back(self, asked: str) -> Outcome:
        """Take the last migration back."""
        on, found = self._on, await self._on.rehearsed.get(asked)
        entry = await self._entry(found)
        tool = entry.product.database
        assert tool
        access = await on.clusters.access(found.app, found.environment)
        migration = await self._down(entry, await migrating.on_live(on, entry, tool, access))
        async with hiding.secrets_hidden(on, found.app):
            report = await on.migrations.migrate(migration)
        await on.rehearsed.keep(
            dataclasses.replace(found, state="passed", sentence=report.sentence)
        )
        return Outcome(good=True, sentence=report.sentence)

    @durable.step
    async def fail(self, asked: str, why: str) -> Outcome:
        """Record that nothing came of it."""
        found = await self._on.rehearsed.get(asked)
        if found.state == "running":
            done = dataclasses.replace(found, state="failed", sentence=why, reasons=(why,))
            await self._on.rehearsed.keep(done)
        return Outcome(good=False, sentence=why)

    async def _entry(self, asked: Rehearsal) -> Entry:
        release = await self._on.releases.get(asked.release)
        return rehearsing.planned(release, asked.environment, name=asked.id)

    async def _down(self, entry: Entry, migration: Migration) -> Migration:
        """Return the migration that leads back to where the last one began."""
        tool = entry.product.database
        if tool is None or not tool.rollback:
            raise errors.Refused(
                f"{entry.release.version} declares no way back: its shipway.toml has no `rollback`"
                " in [database].",
                fix=_NO_WAY_BACK,
            )
        last = await last_change(self._on.schema, entry.app, entry.environment)
        if not last.before:
            raise errors.Refused("It was the first migration: nothing would be left.")
        return dataclasses.replace(migration, argv=back_to(tool.rollback, last.before))


def back_to(command: tuple[str, ...], head: str) -> tuple[str, ...]:
    return tuple(word.replace("{to}", head) for word in command)


async def plan(asked: str, do: Schema) -> Outcome:
    """Rehearse what a release would do to a schema."""
    try:
        return await do.rehearse(asked)
    except errors.ShipwayError as error:
        return await do.fail(asked, str(error))


async def roll_back_schema(asked: str, do: Schema) -> Outcome:
    """Take the last migration back, where a copy has proven that nothing is lost by that."""
    try:
        await do.prove(asked)
        return await do.take_back(asked)
    except errors.ShipwayError as error:
        return await do.fail(asked, str(error))


def register(engine: durable.Engine, on: Platform) -> Schema:
    """Make both stories known to the engine, and return their steps."""
    do = Schema(on)

    async def rehearse(request: Mapping[str, Any]) -> dict[str, Any]:
        return dataclasses.asdict(await plan(request["rehearsal"], do))

    async def lower(request: Mapping[str, Any]) -> dict[str, Any]:
        return dataclasses.asdict(await roll_back_schema(request["rehearsal"], do))

    engine.register(names.REHEARSE, rehearse)
    engine.register(names.LOWER, lower)
    return do
