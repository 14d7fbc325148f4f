"""The root of the command line: global options, the verbs in sections, errors as exit codes."""

from __future__ import annotations

import sys
from importlib import metadata

import click

from shipway.cli import (
    apps,
    audit,
    backup,
    console,
    db,
    deploy,
    dev,
    doctor,
    env,
    housekeeping,
    init,
    login,
    logs,
    native,
    notify,
    options,
    output,
    people,
    releases,
    runs,
    serve,
    status,
    updates,
)
from shipway.cli.session import Session
from shipway.kit import command, errors

SECTIONS: dict[str, tuple[click.Command, ...]] = {
    "This machine": (serve.up, serve.down, doctor.doctor),
    "Servers": (
        login.login,
        login.logout,
        login.whoami,
        login.server,
        console.console,
        status.status,
        housekeeping.housekeeping,
    ),
    "An app": (init.init, dev.dev, apps.app, env.env, notify.notify),
    "Delivery": (
        deploy.deploy,
        runs.runs,
        logs.logs,
        runs.cancel,
        runs.retry,
        releases.releases,
        releases.approve,
        releases.rollback,
        releases.deployments,
    ),
    "The database": (db.db, backup.backup),
    "Updates over the air": (updates.updates, updates.update, native.client),
    "People": (people.people, audit.audit),
}

INTERRUPTED = 130
"""What shells expect of a command that Ctrl-C ended."""


class Root(click.Group):
    """The verbs, shown by what they are about."""

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        limit = formatter.width - 6 - max(map(len, self.commands))
        for title, verbs in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(verb.name or "", verb.get_short_help_str(limit)) for verb in verbs]
                )


@options.examples(
    "shipway login https://shipway.example.org",
    "shipway init",
    "shipway app create",
    "shipway deploy",
)
@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--server",
    envvar="SHIPWAY_SERVER",
    metavar="NAME",
    default="",
    help="The server to speak to, by name or address; else the one logged in to last.",
)
@click.version_option(metadata.version("shipway"), message="shipway %(version)s")
@click.pass_context
def shipway(ctx: click.Context, server: str) -> None:
    """From git push to production for a mobile app, its API server and its database.

    Every command that reads takes --json. Programs give SHIPWAY_SERVER (an address),
    SHIPWAY_TOKEN and, for an authority of your own, SHIPWAY_CA_FILE instead of logging in.
    """
    session = ctx.ensure_object(Session)
    session.wanted = server
    # Not an option: what stands in an argument vector can be read by everybody on the machine.
    given = command.inherited("SHIPWAY_TOKEN", "SHIPWAY_CA_FILE")
    session.token = given.get("SHIPWAY_TOKEN", "")
    session.ca_file = given.get("SHIPWAY_CA_FILE", "")


for verbs in SECTIONS.values():
    for verb in verbs:
        shipway.add_command(verb)
shipway.add_command(login.git_credential)


def main() -> None:
    """Run the command line, and leave with the exit code that its error documents."""
    try:
        shipway.main(standalone_mode=False)
    except errors.ShipwayError as error:
        output.Output().error(error)
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
