"""Over-the-air updates: what is out and how it does, publishing, rollouts, taking back, keys."""

from __future__ import annotations

import pathlib
from typing import TextIO

import click

from shipway.cli import apps, options, output
from shipway.cli.session import Session, verb
from shipway.client import updates_wire
from shipway.kit import errors

environment = click.option(
    "--environment", default="production", show_default=True, help="Whose channel."
)
message = click.option("--message", default="", help="What it is about; devices do not see it.")


@options.examples("shipway updates", "shipway updates --environment staging --json")
@click.command()
@click.option("--environment", "of", default="", help="Only those of one environment.")
@options.app
@options.as_json
@options.limit(20)
@options.after
@verb
async def updates(
    session: Session, of: str, app: str | None, limit: int, after: str, *, as_json: bool
) -> None:
    """List the newest updates of the app."""
    async with session.client() as client:
        page = await client.updates(session.app(app), environment=of, limit=limit, after=after)
    if as_json:
        session.out.json(page)
        return
    rows = (
        (one.id, one.environment, one.version, share(one), output.ago(one.created), one.message)
        for one in page.items
    )
    columns = ("update", "environment", "release", "share", "created", "")
    session.out.table(columns, rows, empty="There is no update yet. A deployment publishes one.")
    apps.more(session, page.next)


def share(one: updates_wire.Update) -> str:
    """Return how far a rollout is, in words."""
    if one.state == "reverted":
        return "taken back"
    paused = ", paused" if one.state == "paused" else ""
    return f"{one.per_mille / 10:g} %{paused}"


@options.examples("shipway update show upd_01jd…", "shipway update rollback production")
@click.group()
def update() -> None:
    """Show, publish, roll out and take back updates over the air."""


@update.command()
@click.argument("update")
@options.app
@options.as_json
@verb
async def show(session: Session, update: str, app: str | None, *, as_json: bool) -> None:
    """Show UPDATE: its manifests, how far each has come on devices, failures, patches."""
    async with session.client() as client:
        found = await client.update(session.app(app), update)
    if as_json:
        session.out.json(found)
        return
    session.out.say(f"{found.id}: {found.environment}, {share(found)}. {found.sentence}", "bold")
    of = f"{found.version} ({found.commit[:12]}), " if found.version else ""
    session.out.say(f"{of}{found.size} bytes, by {found.author}: {found.message}")
    rows = [
        (
            one.platform, one.runtime[:12], one.id, str(one.offered), str(one.downloaded),
            str(one.launched), str(one.failed), str(one.silent), str(one.running),
        )
        for one in found.manifests
    ]  # fmt: skip
    columns = (
        "platform", "runtime", "manifest", "offered", "downloaded", "launched", "failed", "silent",
        "running",
    )  # fmt: skip
    session.out.table(columns, rows)
    for failure in found.failures:
        session.out.say(f"  {failure.devices} devices: {failure.error}", "red")
    for patch in found.patches:
        session.out.say(f"  patch from {patch.base[:12]}: {patch.sentence} {patch.hits} sent.")


@options.examples("shipway update publish v12", "shipway update publish v12 --share 50")
@update.command()
@click.argument("release")
@environment
@click.option("--share", "per_mille", default=1000, type=click.IntRange(0, 1000), show_default=True,
              help="Per mille of the devices that get it.")  # fmt: skip
@message
@options.app
@options.as_json
@verb
async def publish(
    session: Session,
    release: str,
    environment: str,
    per_mille: int,
    message: str,
    app: str | None,
    *,
    as_json: bool,
) -> None:
    """Publish the client of RELEASE again, by itself, to an environment's channel."""
    body = updates_wire.ChangeUpdates(
        action="publish",
        release=release,
        environment=environment,
        per_mille=per_mille,
        message=message,
    )
    await change(session, app, body, as_json=as_json)


@update.command()
@click.argument("environment")
@click.option("--to", default="", metavar="UPDATE", help="This one, or: embedded.")
@message
@options.app
@verb
async def rollback(
    session: Session, environment: str, to: str, message: str, app: str | None
) -> None:
    """Take back the newest update of ENVIRONMENT, from everybody.

    Devices get what was before under a new id, or go back to what their store build came with.
    """
    body = updates_wire.ChangeUpdates(
        action="roll_back", environment=environment, to=to, message=message
    )
    await change(session, app, body)


@update.command("share")
@click.argument("update")
@click.argument("per_mille", type=click.IntRange(0, 1000))
@options.app
@verb
async def set_share(session: Session, update: str, per_mille: int, app: str | None) -> None:
    """Offer UPDATE to PER_MILLE of the devices. A share only grows; 1000 finishes the rollout."""
    body = updates_wire.ChangeUpdates(action="share", update=update, per_mille=per_mille)
    await change(session, app, body)


@update.command()
@click.argument("update")
@options.app
@verb
async def pause(session: Session, update: str, app: str | None) -> None:
    """Let nobody new into the rollout of UPDATE."""
    await change(session, app, updates_wire.ChangeUpdates(action="pause", update=update))


@update.command()
@click.argument("update")
@options.app
@verb
async def resume(session: Session, update: str, app: str | None) -> None:
    """Go on with the rollout of UPDATE."""
    await change(session, app, updates_wire.ChangeUpdates(action="resume", update=update))


@update.command()
@click.argument("update")
@options.app
@verb
async def revert(session: Session, update: str, app: str | None) -> None:
    """Take UPDATE back: who has it gets what was before."""
    await change(session, app, updates_wire.ChangeUpdates(action="revert", update=update))


@options.examples("shipway update channel production --pause", "shipway update channel staging")
@update.command()
@click.argument("name")
@click.option("--pause/--resume", "paused", default=None, help="Offer nothing to anybody.")
@click.option("--pin", default=None, metavar="UPDATE", help="Nothing newer; '' unpins.")
@click.option("--branch", default="", help="Serve another environment's updates.")
@click.option("--header", "headers", multiple=True, metavar="NAME=VALUE",
              help="What devices send back with each check; '' clears.")  # fmt: skip
@click.option("--asset-header", "asset_headers", multiple=True, metavar="NAME=VALUE",
              help="What devices send with each download; '' clears.")  # fmt: skip
@options.app
@verb
async def channel(
    session: Session,
    name: str,
    pin: str | None,
    branch: str,
    headers: tuple[str, ...],
    asset_headers: tuple[str, ...],
    app: str | None,
    *,
    paused: bool | None,
) -> None:
    """Pause a channel, pin it to an update, or point it at another environment's updates.

    Without options it says how the channels are.
    """
    if paused is None and pin is None and not (branch or headers or asset_headers):
        async with session.client() as client:
            page = await client.update_channels(session.app(app))
        rows = ((o.name, o.branch, "paused" if o.paused else "", o.pinned) for o in page.items)
        session.out.table(("channel", "serves", "", "pinned to"), rows, empty="There is none yet.")
        return
    body = updates_wire.ChangeUpdates(
        action="channel",
        name=name,
        paused=paused,
        pinned=pin,
        branch=branch,
        headers=_pairs(headers),
        asset_headers=_pairs(asset_headers),
    )
    await change(session, app, body)


def _pairs(given: tuple[str, ...]) -> dict[str, str] | None:
    """Return NAME=VALUE options as a dictionary; None when there were none."""
    parts = (one.partition("=") for one in given if one)
    return {name: value for name, _, value in parts} if given else None


@update.command()
@click.option("--remove", is_flag=True, help="Remove them, instead of only saying so.")
@options.app
@options.as_json
@verb
async def garbage(session: Session, app: str | None, *, remove: bool, as_json: bool) -> None:
    """Say which files no update and no patch needs any more."""
    if remove:
        await change(session, app, updates_wire.ChangeUpdates(action="remove_garbage"))
        return
    async with session.client() as client:
        found = await client.update_garbage(session.app(app))
    if as_json:
        session.out.json(found)
        return
    for name in found.files:
        session.out.say(name)
    session.out.say(f"{len(found.files)} files could go, {found.size} bytes; {found.kept} stay.")


@update.group()
def keys() -> None:
    """The keys that updates are signed with."""


@keys.command("list")
@options.app
@options.as_json
@verb
async def list_keys(session: Session, app: str | None, *, as_json: bool) -> None:
    """List the keys, oldest first."""
    async with session.client() as client:
        page = await client.update_keys(session.app(app))
    if as_json:
        session.out.json(page)
        return
    rows = (
        (
            one.id,
            "kept elsewhere" if one.external else "sealed",
            output.ago(one.created),
            "retired" if one.retired else "in use",
        )
        for one in page.items
    )
    session.out.table(("key", "", "made", ""), rows, empty="There is no key yet.")


@keys.command()
@click.argument("key", default="main")
@options.app
@verb
async def create(session: Session, key: str, app: str | None) -> None:
    """Make KEY. The private half is sealed at once: only the worker can use it."""
    await change(session, app, updates_wire.ChangeUpdates(action="create_key", key=key))


@keys.command("import")
@click.argument("key")
@click.argument("certificate", type=click.File())
@click.option("--chain", type=click.File(), help="PEM, leaf first, without the root.")
@options.app
@verb
async def import_key(
    session: Session, key: str, certificate: TextIO, chain: TextIO | None, app: str | None
) -> None:
    """Sign with KEY, kept elsewhere, of this CERTIFICATE.

    The server's `update_signer` signs with it: a program that asks a CI or a hardware key.
    """
    body = updates_wire.ChangeUpdates(
        action="import_key",
        key=key,
        certificate=certificate.read(),
        chain=chain.read() if chain else "",
    )
    await change(session, app, body)


@keys.command()
@options.app
@verb
async def rotate(session: Session, app: str | None) -> None:
    """Make the next key, and sign all that is offered with it too."""
    await change(session, app, updates_wire.ChangeUpdates(action="rotate_key"))


@keys.command()
@click.argument("key")
@options.app
@verb
async def retire(session: Session, key: str, app: str | None) -> None:
    """Sign nothing more with KEY: builds that hold only its certificate get no more updates."""
    await change(session, app, updates_wire.ChangeUpdates(action="retire_key", key=key))


@keys.command("export-certificate")
@click.argument("key", default="")
@click.option("--output", "target", type=click.Path(path_type=pathlib.Path), help="Else printed.")
@options.app
@verb
async def export_certificate(
    session: Session, key: str, target: pathlib.Path | None, app: str | None
) -> None:
    """Print the certificate of KEY, or of the newest one, for the client's `app.json`."""
    name = session.app(app)
    async with session.client() as client:
        found = [k for k in (await client.update_keys(name)).items if key in ("", k.id)]
    in_use = [k for k in found if k.retired is None] or found
    if not in_use:
        raise errors.NotFound(f"{name} has no key {key}.", fix="`shipway update keys create`")
    if target:
        target.write_text(in_use[-1].certificate)
    else:
        click.echo(in_use[-1].certificate, nl=False)


async def change(
    session: Session, app: str | None, body: updates_wire.ChangeUpdates, *, as_json: bool = False
) -> None:
    """Have something done, and say what came of it. Raises `errors.Refused` when nothing did."""
    async with session.client() as client:
        done = await client.change_updates(session.app(app), body)
    if as_json:
        session.out.json(done)
    if done.state == "refused":
        raise errors.Refused(done.sentence)
    if not as_json:
        session.out.say(done.sentence, "green")
