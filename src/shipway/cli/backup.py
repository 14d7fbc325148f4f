"""Backups of an environment's database: what there is, and asking for more."""

from __future__ import annotations

import pathlib

import click

from shipway.cli import options, output, serve
from shipway.cli.session import Session, verb
from shipway.client import backups_wire
from shipway.kit import errors


@click.group()
def backup() -> None:
    """Show, take and check the backups of a database.

    They are taken by themselves, as the policy of the environment says.
    """


@options.examples("shipway backup list", "shipway backup list --env staging --json")
@backup.command("list")
@options.environment
@options.app
@options.as_json
@verb
async def list_backups(
    session: Session, environment: str, app: str | None, *, as_json: bool
) -> None:
    """List what each repository holds, and which moments it can bring back."""
    async with session.client() as client:
        found = await client.database(session.app(app), environment)
    if as_json:
        session.out.json(found)
        return
    for one in found.repositories:
        show_repository(session, one)
        rows = (
            (b.label, b.kind, f"{b.began:%Y-%m-%d %H:%M:%S}", _megabytes(b.size),
             _megabytes(b.stored), "broken" if b.broken else "")
            for b in one.backups
        )  # fmt: skip
        columns = ("backup", "kind", "began (UTC)", "database", "stored", "")
        session.out.table(columns, rows, empty="  no backup yet")
    for worry in found.worries:
        session.out.say(worry, "yellow")


def show_repository(session: Session, one: backups_wire.Repository) -> None:
    """Say how a repository does."""
    session.out.say(f"{one.name}: {one.where}", "bold")
    session.out.say(f"  {one.sentence}", "" if one.good else "yellow")
    for stretch in one.reachable:
        session.out.say(
            f"  reachable: {stretch.since:%Y-%m-%d %H:%M:%S} to {stretch.until:%Y-%m-%d %H:%M:%S} UTC"
        )
    if one.verified:
        state = "every checksum holds" if one.intact else "damaged"
        session.out.say(f"  verified {output.ago(one.verified)}: {state}")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


@options.examples("shipway backup run", "shipway backup run --env staging --full")
@backup.command()
@options.environment
@click.option("--full", is_flag=True, help="A full backup, which needs no other.")
@options.app
@options.as_json
@verb
async def run(
    session: Session, environment: str, app: str | None, *, full: bool, as_json: bool
) -> None:
    """Take a backup into every repository now, and wait until it is there."""
    body = backups_wire.AskOperation(kind="backup", full=full)
    await perform(session, app, environment, body, as_json=as_json)


@backup.command()
@options.environment
@options.app
@options.as_json
@verb
async def check(session: Session, environment: str, app: str | None, *, as_json: bool) -> None:
    """Read every repository whole: the log must be unbroken, and every checksum hold."""
    body = backups_wire.AskOperation(kind="check")
    await perform(session, app, environment, body, as_json=as_json)


async def perform(
    session: Session,
    app: str | None,
    environment: str,
    body: backups_wire.AskOperation,
    *,
    as_json: bool,
) -> None:
    """Have the worker do something and show what came of it. Raises `errors.Failed`."""
    async with session.client() as client:
        done = await client.operate(session.app(app), environment, body)
    if as_json:
        session.out.json(done)
    else:
        for one in done.results:
            session.out.say(one.sentence, "green" if one.good else "red")
    if done.state == "failed":
        raise errors.Failed(f"The {done.kind} failed: {done.sentence}")


@options.examples(
    "shipway backup bucket s3.eu-central-1.amazonaws.com my-bucket --region eu-central-1 --key-id AKIA…"
)
@backup.command()
@click.argument("endpoint")
@click.argument("bucket_name", metavar="BUCKET")
@options.environment
@click.option("--path", default="/", show_default=True, help="Where in the bucket.")
@click.option("--region", default="us-east-1", show_default=True)
@click.option("--key-id", required=True, help="Whose secret key is then asked for.")
@click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False, path_type=pathlib.Path),
    help="The authority (PEM) of an endpoint of your own.",
)
@options.app
@verb
async def bucket(
    session: Session,
    endpoint: str,
    bucket_name: str,
    environment: str,
    path: str,
    region: str,
    key_id: str,
    ca_file: pathlib.Path | None,
    app: str | None,
) -> None:
    """Keep the backups of an environment in BUCKET too, by the S3 protocol at ENDPOINT.

    It should be in another place than the server. What goes there is encrypted before. The secret
    key is asked for, or read from standard input.
    """
    body = backups_wire.SetBucket(
        endpoint=endpoint,
        bucket=bucket_name,
        path=path,
        region=region,
        key_id=key_id,
        secret=options.secret("The secret key of the bucket"),
        ca=ca_file.read_text() if ca_file else "",
    )
    async with session.client() as client:
        said = await client.set_bucket(session.app(app), environment, body)
    session.out.say(said.sentence)


@backup.command()
@verb
async def keys(session: Session) -> None:
    """Print the keys that encrypt the backups, on the server and as its administrator.

    Keep them where neither this server nor the backups are. Whoever has them and a repository can
    read everything; without them nobody can, whatever happens to this server.
    """
    serve.need_server_parts()
    from shipway.kit import settings  # noqa: PLC0415 -- the command line works without the server's parts
    from shipway.workflows import exporting  # noqa: PLC0415 -- likewise

    found = await exporting.backup_keys(settings.load())
    session.out.note("Keep these apart from the server and from the backups: they open everything.")
    for name, key in found.items():
        session.out.say(f"{name}: {key}")
    if not found:
        session.out.note("There is no backup yet, and no key.")
