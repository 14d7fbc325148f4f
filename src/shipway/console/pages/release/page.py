"""The page of a release."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from shipway import appfile
from shipway.access.model import Action
from shipway.appfile.model import Product
from shipway.builds.model import Commit
from shipway.console import gates
from shipway.console.page import Asked, Deed, Page, Shown, taken
from shipway.console.pages.release import model
from shipway.kit import db, errors
from shipway.releases.model import Deployment, Release

_SQL = db.queries(__package__)

AT_ONCE = 100
"""Commits that a page shows; the panel has all that the changelog counts."""


async def show(asked: Asked) -> Shown:
    app, on = asked.path["app"], asked.on
    await on.apps.get(app)
    release = await on.releases.get(asked.path["release"], app=app)
    if release.app != app:
        raise errors.NotFound(f"{app} has no release {release.version}.")
    wards = await gates.of(asked, release)
    before = await on.database.row(_SQL["before"], app=app, number=release.number)
    commits, count = await _commits(asked, release, before["commit"] if before else None)
    deployments = await on.deployments.list(app, release=release.id)
    live = [one for one in deployments if one.state == "live"]
    artifacts = await on.database.rows(_SQL["artifacts"], run=release.run)
    return Shown(
        title=release.version,
        app=app,
        live=f"/console/live/{app}",
        facts={
            "release": release,
            "before": before,
            "wards": wards,
            "standing": model.standing(
                release,
                deployments,
                waits=next((ward.environment for ward in wards if ward.waits), ""),
                approved=next((ward.environment for ward in wards if ward.is_approved), ""),
            ),
            "live_in": [_standing(asked, one) for one in live],
            "deployments": [
                (one, model.stages(one.plan, one.stage, one.state)) for one in deployments
            ],
            "more": max(count - AT_ONCE, 0),
            "fingerprints": _fingerprints(
                await on.database.rows(_SQL["fingerprints"], run=release.run)
            ),
            "may_deploy": [
                ward
                for ward in ("staging", "production")
                if release.state == "ready"
                and asked.may(Action.DEPLOY, ward)
                and any(one.environment == ward for one in deployments)
            ],
            "at_once": AT_ONCE,
        },
        panels={
            "commits": commits,
            "artifacts": artifacts
            or [
                {"name": n, "digest": d, "kind": "", "size": None}
                for n, d in release.artifacts.items()
            ],
            "deployments": [_row(one) for one in deployments],
            "gates": gates.rows(wards),
            "variables": model.variables(
                _product(before["product"]) if before else None, _product(release.product)
            ),
            "migrations": await on.database.rows(_SQL["migrations"], release=release.id),
            "updates": await on.database.rows(_SQL["update"], app=app, release=release.id),
        },
    )


def _standing(asked: Asked, live: Deployment) -> Mapping[str, Any]:
    """Return an environment where it is live, and whether it may be taken back from there."""
    return {
        "environment": live.environment,
        "since": live.ended or live.started,
        "before": live.before,
        "may_take_back": bool(live.before) and asked.may(Action.DEPLOY, live.environment),
    }


async def _commits(
    asked: Asked, release: Release, since: str | None
) -> tuple[Sequence[Mapping[str, Any]], int]:
    """Return the newest commits since the release before, and how many there are in all. Without
    the repository, the changelog's lines."""
    sources = asked.on.sources
    try:
        async with asyncio.timeout(5):
            found, count = await asyncio.gather(
                sources.commits_between(release.app, since, release.commit),
                sources.count_between(release.app, since, release.commit),
            )
    except (errors.ShipwayError, TimeoutError):
        lines = release.changelog.splitlines()
        said = [
            {"sha": "", "subject": line.removeprefix("- "), "author": "", "at": None}
            for line in lines
        ]
        return said, len(said)
    return [_commit(one) for one in found], count


def _commit(one: Commit) -> Mapping[str, Any]:
    return {"sha": one.sha, "subject": one.subject, "author": one.author, "at": one.at}


def _product(text: str) -> Product | None:
    try:
        return appfile.parse(text)
    except errors.Invalid:
        return None


def _fingerprints(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
    return {
        name: value
        for row in rows
        for name, value in row["facts"].items()
        if "fingerprint" in name or "fingerprint" in row["name"]
    }


def _row(one: Deployment) -> Mapping[str, Any]:
    names = (
        "id",
        "environment",
        "kind",
        "state",
        "asked_by",
        "reason",
        "started",
        "ended",
        "sentence",
        "watch",
        "watched_until",
        "withdrawn",
    )
    return {name: getattr(one, name) for name in names}


PAGE = Page(
    path="/apps/{app}/releases/{release}",
    show=show,
    template="release/page.html",
    deeds=(
        *gates.DEEDS,
        Deed(
            name="take_back",
            method="POST",
            path="/v1/apps/{app}/environments/{environment}/rollback",
            body=taken("reason", "to"),
            sure="environment",
            said="{environment} goes back to {version}. This page follows it.",
        ),
        Deed(
            name="deploy_again",
            method="POST",
            path="/v1/apps/{app}/environments/{environment}/deployments",
            body=taken("release", "reason"),
            sure="environment",
            said="{version} goes to {environment} again. This page follows it.",
        ),
    ),
)
