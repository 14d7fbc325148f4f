"""Releases, deployments, gates and events as they stand in Shipway's database."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from shipway.kit import db, errors, ids
from shipway.releases import model
from shipway.releases.model import Deployment, DeploymentState, Event, Gate, Release, ReleaseState

_SQL = db.queries(__package__)
_LAST = "~"  # sorts behind every identifier


class Releases:
    """The record of what was released and deployed. Every write may be repeated."""

    def __init__(self, database: db.Database) -> None:
        self._db = database

    async def add(
        self,
        *,
        app: str,
        run: str,
        commit: str,
        schema_head: str,
        artifacts: Mapping[str, str],
        product: str,
        changelog: str,
        authors: Sequence[str],
        branch: str = "main",
    ) -> Release:
        """Make the release of a run, with the app's next version."""
        async with self._db.transaction():
            await self._db.rows(_SQL["lock_numbers"], app=app)
            row = await self._db.row(_SQL["next_number"], app=app)
            number = row["number"] if row else 1
            await self._db.run(
                _SQL["add_release"],
                id=ids.new("rel"),
                app=app,
                number=number,
                version=model.version_of(number),
                commit=commit,
                run=run,
                schema_head=schema_head,
                artifacts=db.json(dict(artifacts)),
                product=product,
                changelog=changelog,
                authors=db.json(list(authors)),
                branch=branch,
            )
            made = await self._db.row(_SQL["release_of_run"], run=run)
        assert made
        return _release(made)

    async def get(self, name: str, *, app: str = "") -> Release:
        """Return a release by identifier, or by version within an app."""
        row = await self._db.row(_SQL["release"], name=name, app=app)
        if row is None:
            raise errors.NotFound(
                f"There is no release {name}.", fix="`shipway releases` lists them."
            )
        return _release(row)

    async def of_run(self, run: str) -> Release | None:
        row = await self._db.row(_SQL["release_of_run"], run=run)
        return _release(row) if row else None

    async def of_commit(self, app: str, commit: str) -> Release | None:
        """Return the newest release that was made of a commit."""
        row = await self._db.row(_SQL["release_of_commit"], app=app, commit=commit)
        return _release(row) if row else None

    async def list(
        self, app: str, *, limit: int = 50, below: int = 2_147_483_647
    ) -> Sequence[Release]:
        """Return the app's releases, newest first, those with a number below ``below``."""
        rows = await self._db.rows(_SQL["releases"], app=app, below=below, limit=limit)
        return [_release(row) for row in rows]

    async def set_state(self, release: str, state: ReleaseState) -> None:
        await self._db.run(_SQL["set_release_state"], id=release, state=state)

    async def expire(self, digests: Sequence[str]) -> None:
        """Record that these artifacts are gone: releases that have one cannot be deployed."""
        await self._db.run(_SQL["expire"], digests=list(digests))

    async def set_schema_head(self, release: str, schema_head: str) -> None:
        await self._db.run(_SQL["set_schema_head"], id=release, schema_head=schema_head)

    async def gates(self, release: str) -> Sequence[Gate]:
        """Return the latest judgement of each gate."""
        rows = await self._db.rows(_SQL["gates"], release=release)
        return [
            Gate(
                name=row["name"],
                environment=row["environment"],
                open=row["open"],
                sentence=row["sentence"],
                evidence=row["evidence"],
                at=row["at"],
            )
            for row in rows
        ]

    async def judge(
        self,
        release: str,
        environment: str,
        name: str,
        *,
        open: bool,  # noqa: A002 -- a gate is open or it is not
        sentence: str,
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        """Record how a gate was judged."""
        await self._db.run(
            _SQL["add_gate"],
            release=release,
            environment=environment,
            name=name,
            open=open,
            sentence=sentence,
            evidence=db.json(dict(evidence or {})),
        )

    async def tell(
        self, key: str, *, app: str, subject: str, sentence: str, evidence: Mapping[str, Any]
    ) -> None:
        """Record that something happened, once for each key."""
        await self._db.run(
            _SQL["add_event"],
            key=key,
            app=app,
            subject=subject,
            sentence=sentence,
            evidence=db.json(dict(evidence)),
        )

    async def events(self, subject: str) -> Sequence[Event]:
        rows = await self._db.rows(_SQL["events"], subject=subject)
        return [
            Event(
                id=row["id"],
                subject=row["subject"],
                sentence=row["sentence"],
                evidence=row["evidence"],
                at=row["at"],
            )
            for row in rows
        ]


class Deployments:
    """The record of releases entering environments. Every write may be repeated."""

    def __init__(self, database: db.Database) -> None:
        self._db = database

    async def ask(
        self,
        *,
        id: str,  # noqa: A002 -- the deployment's own
        release: Release,
        environment: str,
        kind: model.DeploymentKind,
        by: str,
        reason: str,
        plan: Sequence[int] = model.AT_ONCE,
        watch: str = "",
    ) -> Deployment:
        """Record that a deployment was asked for. ``watch`` is why to watch it closely."""
        await self._db.run(
            _SQL["add_deployment"],
            id=id,
            app=release.app,
            environment=environment,
            release=release.id,
            kind=kind,
            asked_by=by,
            reason=reason,
            served_by=id,
            before=None,
            plan=db.json(list(plan)),
            watch=watch,
        )
        return await self.get(id)

    async def get(self, deployment: str) -> Deployment:
        row = await self._db.row(_SQL["deployment"], id=deployment)
        if row is None:
            raise errors.NotFound(f"There is no deployment {deployment}.")
        return _deployment(row)

    async def live(self, app: str, environment: str) -> Deployment | None:
        row = await self._db.row(_SQL["live"], app=app, environment=environment)
        return _deployment(row) if row else None

    async def list(
        self,
        app: str,
        environment: str = "",
        *,
        release: str = "",
        states: Sequence[DeploymentState] | None = None,
        limit: int = 50,
        below: str = _LAST,
    ) -> Sequence[Deployment]:
        """Return deployments, newest first, those with an identifier below ``below``."""
        rows = await self._db.rows(
            _SQL["deployments"],
            app=app,
            environment=environment,
            release=release,
            states=list(states) if states else None,
            limit=limit,
            below=below,
        )
        return [_deployment(row) for row in rows]

    async def newest(self, places: Sequence[tuple[str, str]]) -> Sequence[Deployment]:
        """Return the newest deployment of each (app, environment) and the live one, newest first."""
        rows = await self._db.rows(
            _SQL["newest"],
            apps=[app for app, _ in places],
            environments=[environment for _, environment in places],
        )
        return [_deployment(row) for row in rows]

    async def cooled(self, now: datetime.datetime) -> Sequence[Deployment]:
        """Return those that were kept warm for a rollback and whose time is over."""
        return [_deployment(row) for row in await self._db.rows(_SQL["cooled"], now=now)]

    async def watched(self, now: datetime.datetime) -> Sequence[Deployment]:
        """Return the live deployments that are watched closely now."""
        return [_deployment(row) for row in await self._db.rows(_SQL["watched"], now=now)]

    async def hold(
        self, deployment: str, *, now: datetime.datetime, until: datetime.datetime
    ) -> bool:
        """Keep a warm deployment warm until a moment. False when its time was over already:
        then its instances may be stopped at any moment."""
        return await self._db.run(_SQL["hold"], id=deployment, now=now, until=until) > 0

    async def begin(self, deployment: str, *, served_by: str, before: str | None) -> None:
        await self._db.run(_SQL["begin"], id=deployment, served_by=served_by, before=before)

    async def withdraw(self, deployment: str, why: str) -> bool:
        """Say that a deployment shall not become live. False when it has come to an end already."""
        return await self._db.run(_SQL["withdraw"], id=deployment, why=why) > 0

    async def withdrawn(self, ids: Sequence[str]) -> Sequence[str]:
        """Return those of these ids that are withdrawn and have not come to an end yet."""
        return [row["id"] for row in await self._db.rows(_SQL["withdrawn"], ids=list(ids))]

    async def reach_stage(self, deployment: str, stage: int) -> None:
        await self._db.run(_SQL["set_stage"], id=deployment, stage=stage)

    async def become_live(
        self, deployment: Deployment, *, sentence: str, warm_until: datetime.datetime
    ) -> None:
        """Make a deployment the live one; the one before stays warm until then, and one that is
        to be watched closely is watched for as long.

        Raises `errors.Conflict` for one that was withdrawn.
        """
        leaving: DeploymentState = "rolled_back" if deployment.kind == "rollback" else "warm"
        async with self._db.transaction():
            await self._db.run(
                _SQL["cool_others"],
                id=deployment.id,
                app=deployment.app,
                environment=deployment.environment,
            )
            await self._db.run(
                _SQL["leave_live"],
                id=deployment.id,
                app=deployment.app,
                environment=deployment.environment,
                state=leaving,
                warm_until=warm_until,
                sentence=f"{deployment.version} took its place.",
            )
            await self._db.run(_SQL["come_back"], id=deployment.id, served_by=deployment.served_by)
            if not await self._db.run(_SQL["enter"], id=deployment.id, sentence=sentence):
                raise errors.Conflict(f"{deployment} was withdrawn.")
            if deployment.watch:
                await self._db.run(_SQL["watch"], id=deployment.id, until=warm_until)

    async def end(self, deployment: str, state: DeploymentState, sentence: str) -> None:
        await self._db.run(_SQL["end_deployment"], id=deployment, state=state, sentence=sentence)


def _release(row: db.Row) -> Release:
    kept = {**row, "authors": tuple(row["authors"])}
    return Release(**kept)


def _deployment(row: db.Row) -> Deployment:
    kept = {**row, "plan": tuple(row["plan"])}
    return Deployment(**kept)
