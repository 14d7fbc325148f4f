"""The checkout's git: the remote `shipway`, the token for it, and the push."""

from __future__ import annotations

import pathlib
import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from shipway.cli import servers
from shipway.kit import command, errors

REMOTE = "shipway"

PUSH_TIMEOUT = 4 * 3600.0
"""Seconds: a push speaks until its run is over."""

_THEIRS = (
    "HOME", "XDG_CONFIG_HOME", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy",
    "GIT_SSL_CAINFO", "SSL_CERT_FILE", "SSH_AUTH_SOCK",
)  # fmt: skip
"""What the person's git takes from the environment: settings, proxies, authorities, keys."""

_TERMINAL_CODES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True)
class Repository:
    """The git repository around a folder."""

    root: pathlib.Path

    @classmethod
    async def around(cls, folder: pathlib.Path) -> Repository:
        """Find it. Raises `errors.NotFound` when the folder is in none."""
        try:
            found = await _git(folder, "rev-parse", "--show-toplevel")
        except command.CommandFailed as error:
            raise errors.NotFound(
                f"{folder} is in no git repository.", fix="Run `git init` and commit first."
            ) from error
        return cls(pathlib.Path(found.strip()))

    async def branch(self) -> str:
        """Return the branch that is checked out. Raises `errors.Conflict` when none is."""
        found = await _git(self.root, "branch", "--show-current")
        if not found.strip():
            raise errors.Conflict(
                "No branch is checked out here.", fix="Check one out, or name it with --branch."
            )
        return found.strip()

    async def head(self) -> str:
        """Return the commit that is checked out. Raises `errors.NotFound` before the first one."""
        try:
            return (await _git(self.root, "rev-parse", "--verify", "HEAD")).strip()
        except command.CommandFailed as error:
            raise errors.NotFound("Nothing is committed here.", fix="Commit first.") from error

    async def dirty(self) -> bool:
        """Return whether there are changes that a push leaves behind."""
        return bool((await _git(self.root, "status", "--porcelain")).strip())

    async def point_at(self, url: str, server: servers.Server) -> None:
        """Set the remote, and have git ask us for its token. May be repeated.

        The settings name the address, so that git gives the token to no other server.
        """
        known = (await _git(self.root, "remote")).split()
        await _git(self.root, "remote", "set-url" if REMOTE in known else "add", REMOTE, url)
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        # -P: git runs this in the checkout, whose modules must not be taken for ours.
        ask = shlex.join((sys.executable, "-P", "-m", "shipway.cli.credential", server.url, "get"))
        # Git also tells its helper that the token was right: no need to start us for that.
        helper = f'!f() {{ test "$1" != get || exec {ask}; }}; f'
        await self._configure("--replace-all", f"credential.{origin}.helper", "")
        await self._configure("--add", f"credential.{origin}.helper", helper)
        if server.ca_file:
            await self._configure("--replace-all", f"http.{origin}.sslCAInfo", server.ca_file)

    async def push(self, branch: str, server: servers.Server, heard: Callable[[str], None]) -> None:
        """Push HEAD to a branch, telling ``heard`` what the server says while it works.

        Raises `errors.Refused` with the server's words when it does not take the push.
        """
        said: list[str] = []

        def on_line(line: str) -> None:
            said.append(line)
            if (words := remote_words(line)) is not None:
                heard(words)

        argv = ("push", REMOTE, f"HEAD:refs/heads/{branch}")
        environment = {"SHIPWAY_SERVER": server.url, "SHIPWAY_TOKEN": server.token}
        try:
            await _git(self.root, *argv, env=environment, on_line=on_line, timeout=PUSH_TIMEOUT)
        except command.CommandFailed as error:
            raise _refusal(said, error) from error

    async def _configure(self, how: str, key: str, value: str) -> None:
        await _git(self.root, "config", "--local", how, key, value)


def remote_words(line: str) -> str | None:
    """Return what the server said in a line of git's output, None for git's own words."""
    plain = _TERMINAL_CODES.sub("", line)
    return plain.removeprefix("remote:").strip() if plain.startswith("remote:") else None


def credential(server: servers.Server) -> str:
    """Return what git's credential protocol wants to hear; the name is ignored."""
    return f"username=shipway\npassword={server.token}\n"


def _refusal(said: list[str], error: command.CommandFailed) -> errors.ShipwayError:
    words = [words for line in said if (words := remote_words(line))]
    if any("[remote rejected]" in line for line in said):
        return errors.Refused("Shipway did not take the push; its words stand above.")
    if any("[rejected]" in line for line in said):
        return errors.Conflict(
            "The branch at Shipway has commits that are not here.",
            fix=f"Fetch and merge them first: git pull {REMOTE} BRANCH",
        )
    return errors.Failed(" ".join(words) or str(error))


async def _git(
    folder: pathlib.Path,
    *argv: str,
    env: dict[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
    timeout: float = 30.0,
) -> str:
    environment = {
        **command.base_environment(),
        **command.inherited(*_THEIRS),
        "GIT_TERMINAL_PROMPT": "0",
    }
    outcome = await command.run(
        command.Command(
            argv=("git", *argv), cwd=folder, env=environment | (env or {}), timeout=timeout
        ),
        on_line=on_line,
    )
    return outcome.output
