"""Environments: what is live, the policy in force, and the variables."""

from __future__ import annotations

import click

from shipway.cli import options
from shipway.cli.session import Session, verb
from shipway.client import wire
from shipway.kit import errors


@click.group()
def env() -> None:
    """Show an environment, and set its variables."""


@env.command()
@click.argument("environment")
@options.app
@options.as_json
@verb
async def show(session: Session, environment: str, app: str | None, *, as_json: bool) -> None:
    """Show ENVIRONMENT: what is live, its policy, its variables. Secrets are never shown."""
    async with session.client() as client:
        found = await client.environment(session.app(app), environment)
    if as_json:
        session.out.json(found)
    else:
        _show(session, found)


def _show(session: Session, found: wire.Environment) -> None:
    say = session.out.say
    say(f"{found.app} {found.name}", "bold")
    say(f"  live: {found.live.version if found.live else 'nothing'}")
    for waiting in found.waiting:
        say(f"  waiting: {waiting.version}. {waiting.sentence}", "yellow")
    for address in found.addresses:
        say(f"  {address}")
    for instance in found.instances:
        alive = "answers" if instance.alive else "does not answer"
        say(f"  instance {instance.id} of {instance.release} at {instance.address} {alive}")
    say(f"  database: {found.database}")
    say("policy", "bold")
    for name, value in found.policy.items():
        say(f"  {name.replace('_', ' ')}: {_worded(value)}")
    for name, value in found.next_policy.items():
        say(f"  {name.replace('_', ' ')} becomes {_worded(value)} with the next release", "yellow")
    for sentence in found.weaker:
        say(f"  weaker than the default: {sentence}", "yellow")
    say("variables", "bold")
    session.out.table(
        ("name", "kind", "value", "from"),
        ((one.name, one.kind, _value(one), one.source) for one in found.variables),
        empty="  none",
    )
    for name in found.missing:
        say(f"  {name} is required and has no value", "red")


@options.examples(
    "shipway env set production STRIPE_KEY --secret",
    "shipway env set staging LOG_LEVEL debug --plain",
    "shipway env set production TLS_KEY --secret < key.pem",
)
@env.command("set")
@click.argument("environment")
@click.argument("name")
@click.argument("value", required=False)
@click.option("--secret", "kind", flag_value="secret", help="Never shown again.")
@click.option("--plain", "kind", flag_value="plain", help="Shown to those who may read.")
@click.option("--public", "kind", flag_value="public", help="Built into the client.")
@options.app
@verb
async def set_variable(
    session: Session,
    environment: str,
    name: str,
    value: str | None,
    kind: wire.VariableKind | None,
    app: str | None,
) -> None:
    """Set the variable NAME of ENVIRONMENT; it takes effect with the next deployment.

    Without VALUE it is asked for and not shown, or read from standard input. The kind is the one
    that shipway.toml declares unless given. A secret is never taken from the command line.
    """
    if value is not None and kind not in {"plain", "public"}:
        raise errors.Invalid(
            "A value on the command line stays in the shell's history.",
            fix="Leave it out to be asked for it, or say --plain or --public.",
        )
    given = options.secret(f"{name} of {environment}") if value is None else value
    async with session.client() as client:
        said = await client.set_variable(session.app(app), environment, name, given, kind=kind)
    session.out.say(said.sentence)


@env.command()
@click.argument("environment")
@click.argument("name")
@options.yes
@options.app
@verb
async def unset(
    session: Session, environment: str, name: str, app: str | None, *, yes: bool
) -> None:
    """Remove the variable NAME of ENVIRONMENT."""
    consequence = f"The value of {name} in {environment} will be gone."
    options.confirm(name, consequence, sure=yes)
    async with session.client() as client:
        said = await client.unset_variable(session.app(app), environment, name)
    session.out.say(said.sentence)


@options.examples("shipway env diff staging production")
@env.command()
@click.argument("left")
@click.argument("right")
@options.app
@options.as_json
@verb
async def diff(session: Session, left: str, right: str, app: str | None, *, as_json: bool) -> None:
    """Show the variables that differ between two environments. Secrets are compared, not shown."""
    async with session.client() as client:
        page = await client.difference(session.app(app), left, right)
    if as_json:
        session.out.json(page)
        return
    if not page.items:
        session.out.note(f"{left} and {right} do not differ.")
    for one in page.items:
        session.out.say(one.sentence)


def _value(variable: wire.Variable) -> str:
    if variable.value is not None:
        return variable.value
    return "(secret)" if variable.kind == "secret" else "(by deployment)"


def _worded(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_worded, value))
    return str(value)
