"""Native builds of the client that are in users' hands."""

from __future__ import annotations

import json
import pathlib
from typing import Literal

import click

from shipway.cli import options, output
from shipway.cli.session import Session, verb
from shipway.client import updates_wire
from shipway.kit import errors


@click.group()
def client() -> None:
    """The native builds that updates over the air are for."""


@client.command()
@options.app
@options.as_json
@verb
async def builds(session: Session, app: str | None, *, as_json: bool) -> None:
    """List the builds in users' hands, newest first."""
    async with session.client() as api:
        page = await api.store_builds(session.app(app))
    if as_json:
        session.out.json(page)
        return
    rows = (
        (one.platform, one.version, one.runtime[:12], one.embedded, output.ago(one.created))
        for one in page.items
    )
    columns = ("platform", "version", "runtime", "embedded update", "registered")
    session.out.table(columns, rows, empty="No build is registered: nothing can be checked.")


@options.examples(
    "shipway client register-build ios 1.4.0 --runtime 316a2317… --manifest app.manifest"
)
@client.command("register-build")
@click.argument("platform", type=click.Choice(["ios", "android"]))
@click.argument("version")
@click.option("--runtime", required=True, help="Its runtime version.")
@click.option("--fingerprint", default="", help="Its native fingerprint; else the runtime version.")
@click.option(
    "--manifest",
    type=click.Path(exists=True, dir_okay=False, path_type=pathlib.Path),
    help="The app.manifest in the build: the id and time of its embedded update.",
)
@click.option("--release", default="", help="The release whose export is embedded.")
@options.app
@options.as_json
@verb
async def register_build(
    session: Session,
    platform: Literal["ios", "android"],
    version: str,
    runtime: str,
    fingerprint: str,
    manifest: pathlib.Path | None,
    release: str,
    app: str | None,
    *,
    as_json: bool,
) -> None:
    """Record a build that users have or will have. Updates are judged by it from now on."""
    embedded, committed = _embedded(manifest) if manifest else ("", 0)
    body = updates_wire.RegisterBuild(
        platform=platform,
        version=version,
        runtime=runtime,
        fingerprint=fingerprint,
        embedded=embedded,
        committed=committed,
        release=release,
    )
    async with session.client() as api:
        made = await api.register_build(session.app(app), body)
    if as_json:
        session.out.json(made)
    else:
        session.out.say(f"{made.platform} {made.version} is registered as {made.id}.", "green")


def _embedded(manifest: pathlib.Path) -> tuple[str, int]:
    """Return the id and the time (ms) in an app.manifest. Raises `errors.Invalid`."""
    try:
        found = json.loads(manifest.read_text())
        return str(found["id"]), int(found["commitTime"])
    except (ValueError, KeyError, TypeError) as error:
        raise errors.Invalid(f"{manifest} is no app.manifest: {error}") from error
