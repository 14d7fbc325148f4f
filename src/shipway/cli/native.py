"""Native builds of the client that are in users' hands."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Literal

import click

from shipway.cli import native_build, options, output
from shipway.cli.native_build import Embedded
from shipway.cli.session import Session, verb
from shipway.client import updates_wire
from shipway.kit import errors

FILE = click.Path(exists=True, dir_okay=False, path_type=pathlib.Path)


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
    "shipway client register-build ios 1.4.0 --build Aios.ipa",
    "shipway client register-build android 1.4.0 --runtime 316a2317… --manifest app.manifest",
)
@client.command("register-build")
@click.argument("platform", type=click.Choice(["ios", "android"]))
@click.argument("version")
@click.option("--build", type=FILE, help="The .ipa, .apk or .aab: the rest is read from it.")
@click.option("--runtime", default="", help="Its runtime version, where the build does not say.")
@click.option(
    "--fingerprint", default="", help="Its native fingerprint, where the runtime version is none."
)
@click.option("--manifest", type=FILE, help="Its app.manifest: id and time of the embedded update.")
@click.option("--bundle", type=FILE, help="Its embedded bundle, as a base for patches.")
@click.option("--release", default="", help="The release whose export is embedded: that bundle.")
@options.app
@options.as_json
@verb
async def register_build(
    session: Session,
    platform: Literal["ios", "android"],
    version: str,
    build: pathlib.Path | None,
    runtime: str,
    fingerprint: str,
    manifest: pathlib.Path | None,
    bundle: pathlib.Path | None,
    release: str,
    app: str | None,
    *,
    as_json: bool,
) -> None:
    """Record a build that users have or will have. Updates are judged by it from now on."""
    found = _found(platform, build, manifest, bundle)
    runtime = runtime or found.runtime
    if not runtime:
        raise errors.Invalid("The runtime version of the build is not known.", fix="--runtime")
    name = session.app(app)
    async with session.client() as api:
        body = updates_wire.RegisterBuild(
            platform=platform,
            version=version,
            runtime=runtime,
            fingerprint=fingerprint,
            embedded=found.id,
            committed=found.committed,
            release=release,
            bundle=await api.hand_in_bundle(name, found.bundle) if found.bundle else "",
        )
        made = await api.register_build(name, body)
    if as_json:
        session.out.json(made)
        return
    session.out.say(f"{made.platform} {made.version} is registered as {made.id}.", "green")
    if not made.fingerprint:
        session.out.say("What is native in it is not known: give --fingerprint to have it judged.")
    if not (found.bundle or release):
        session.out.say("Its first update is downloaded whole: its bundle was not handed in.")


def _found(
    platform: str,
    build: pathlib.Path | None,
    manifest: pathlib.Path | None,
    bundle: pathlib.Path | None,
) -> Embedded:
    """Return what is known of the embedded update; single files win over what the build says."""
    found = native_build.read(build, platform) if build else Embedded()
    if manifest:
        name, committed = native_build.manifest(manifest.read_bytes(), str(manifest))
        found = dataclasses.replace(found, id=name, committed=committed)
    if bundle:
        found = dataclasses.replace(found, bundle=bundle.read_bytes())
    if found.bundle and not found.id:
        raise errors.Invalid("The id of the embedded update is not known.", fix="--manifest")
    return found
