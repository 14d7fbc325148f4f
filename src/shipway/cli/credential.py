"""Answers git, which asks for the token of a remote: ``python -m shipway.cli.credential URL get``.

Git starts it for every push, so it loads nothing else of the command line: that would take longer
than most pushes.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from shipway.cli import git, servers
from shipway.kit import command, errors


def answer(url: str, operation: str, logins: servers.Servers, given: Mapping[str, str]) -> str:
    """Return what git wants to hear. A token that was given for one server goes to no other.

    Raises `errors.NotFound` for a server that nobody is logged in to.
    """
    if operation != "get":
        return ""
    token = given.get("SHIPWAY_TOKEN", "")
    if token and given.get("SHIPWAY_SERVER", url).rstrip("/") == url:
        return git.credential(servers.Server(name=url, url=url, token=token))
    return git.credential(logins.find(url))


def main() -> None:
    url, operation = sys.argv[1:3]
    given = command.inherited("SHIPWAY_SERVER", "SHIPWAY_TOKEN")
    try:
        sys.stdout.write(answer(url, operation, servers.Servers(), given))
    except errors.ShipwayError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
