"""Options that several verbs take, and the one question that verbs ask."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from shipway.kit import errors

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=click.Command)

app = click.option(
    "--app", envvar="SHIPWAY_APP", metavar="NAME", help="The app; else the one of ./shipway.toml."
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
environment = click.option(
    "--env",
    "environment",
    default="production",
    show_default=True,
    metavar="NAME",
    help="The environment.",
)
yes = click.option("--yes", is_flag=True, help="Do not ask.")
reason = click.option("--reason", default="", help="Why; it is recorded.")
after = click.option("--after", default="", metavar="CURSOR", help="Go on behind an earlier page.")


def examples(*lines: str) -> Callable[[C], C]:
    """Show these command lines below the help of a command."""

    def shown(command: C) -> C:
        # Click leaves lines as they are below a \b.
        command.epilog = "\b\n" + "\n".join(("Examples:", *(f"  {line}" for line in lines)))
        return command

    return shown


def limit(default: int) -> Callable[[F], F]:
    """Return the option that bounds a list."""
    return click.option(
        "--limit",
        default=default,
        show_default=True,
        type=click.IntRange(1, 200),
        help="How many to show.",
    )


def confirm(name: str, consequence: str, *, sure: bool) -> None:
    """Have the person type the name of what will be gone. Raises `errors.Refused` otherwise."""
    if sure:
        return
    click.echo(consequence, err=True)
    if click.prompt(f"Type {name} to go on", err=True, default="", show_default=False) != name:
        raise errors.Refused(f"{name} stays: its name was not typed.")


def secret(prompt: str) -> str:
    """Read a secret: typed unseen on a terminal, else all of standard input."""
    if sys.stdin.isatty():
        return str(click.prompt(prompt, hide_input=True, err=True))
    value = sys.stdin.read().rstrip("\r\n")
    if not value:
        raise errors.Invalid(f"{prompt}: standard input was empty.", fix="Type it, or pipe it in.")
    return value
