"""pgBackRest, run as the OS user who owns the cluster: the one place that knows its commands."""

from __future__ import annotations

import pathlib
import shutil
from dataclasses import dataclass

from shipway.database import node
from shipway.database.backups import configuration, folded, told
from shipway.database.backups.configuration import Repository, Server
from shipway.database.backups.model import Archived, Backup, BackupKind
from shipway.database.backups.wal import Lineage
from shipway.kit import command, errors
from shipway.runtime.model import Kind, Owner, Task
from shipway.runtime.port import Keeper, OnLine

PROGRAM = "pgbackrest"
FIX = f"As root: apt-get install {PROGRAM}"

SHORT, LONG = 300.0, 24 * 3600.0
"""Seconds: for what looks, and for what moves a whole database."""

_QUIET = ("--log-level-console=off", "--log-level-stderr=warn")
_TALKING = ("--log-level-console=info", "--log-level-stderr=off")


@dataclass(frozen=True, kw_only=True)
class Target:
    """The cluster of an environment, as it is backed up. ``port`` is part of its socket's name."""

    app: str
    environment: str
    port: int
    repositories: tuple[Repository, ...]
    archive_seconds: int
    certificates: tuple[tuple[str, str], ...] = ()
    """Files that the repositories' options name, below the owner's folder: path and text."""

    @property
    def owner(self) -> Owner:
        return Owner(Kind.CLUSTER, self.app, self.environment)

    def __str__(self) -> str:
        return f"{self.app} in {self.environment}"


def program() -> str:
    """Return where pgBackRest is. Raises `errors.Unavailable`."""
    if found := shutil.which(PROGRAM):
        return found
    raise errors.Unavailable(f"{PROGRAM} is not installed: there are no backups.", fix=FIX)


class PgBackRest:
    """Every command of pgBackRest's that we use. Each may be repeated."""

    def __init__(self, keeper: Keeper, home: pathlib.Path) -> None:
        self._keeper = keeper
        self._home = home

    async def configure(self, target: Target) -> None:
        """Write what pgBackRest has to know; only the cluster's owner may read it."""
        folder = await self._keeper.provide(target.owner)
        server = Server(
            folder=folder,
            data="data",
            sockets=target.owner.sockets(str(self._home)),
            port=target.port or node.USUAL_PORT,
        )
        files = {
            configuration.of(one.number): configuration.pgbackrest(server, (one,))
            for one in target.repositories
        }
        files |= {
            configuration.CONFIGURATION: configuration.pgbackrest(server, target.repositories)
        }
        for path, text in (*target.certificates, *files.items()):
            await self._keeper.write(target.owner, path, text.encode())

    async def create(self, target: Target, number: int) -> None:
        """Make a repository ready for this cluster, whose server must be running.

        Raises `errors.Failed` with what pgBackRest says.
        """
        await self._run(target, number, "stanza-create", timeout=SHORT)

    async def archive_from_now(self, target: Target) -> None:
        """Have the server archive into every repository; it takes that up when it is told to."""
        folder = await self._keeper.provide(target.owner)
        text = configuration.archiving(program(), folder, target.archive_seconds)
        await self._keeper.write(target.owner, configuration.ARCHIVING, text.encode())

    async def back_up(
        self, target: Target, number: int, kind: BackupKind, *, on_line: OnLine | None = None
    ) -> None:
        """Take a backup into one repository. Cut off, it goes on where it was the next time."""
        await self._run(
            target, number, *_TALKING, f"--type={kind}", "backup", timeout=LONG, on_line=on_line
        )

    async def backups(self, target: Target, number: int) -> tuple[Backup, ...]:
        """Return the backups in a repository. Raises `errors.Failed` when it cannot be read."""
        return told.backups(await self._asked(target, number, "info"), number)

    async def archive(self, target: Target, number: int) -> tuple[tuple[Archived, ...], Lineage]:
        """Return the segments in a repository, and the lineage of the newest timeline there."""
        listing = await self._asked(
            target, number, "--recurse", "repo-ls", f"archive/{configuration.STANZA}"
        )
        segments, histories = told.archive(listing)
        newest = max((one.segment.timeline for one in segments), default=1)
        for path in reversed(histories):
            timeline = int(path.rpartition("/")[2].partition(".")[0], 16)
            if timeline >= newest:
                whole = f"archive/{configuration.STANZA}/{path}"
                lines = await self._run(target, number, *_QUIET, "repo-get", whole, timeout=SHORT)
                return segments, Lineage.told(timeline, "\n".join(lines))
        return segments, Lineage(newest)

    async def verify(self, target: Target, number: int) -> tuple[str, ...]:
        """Read all of a repository and compare it with its checksums. Returns what is wrong."""
        shown = ("--output=text", "--verbose", "verify")
        lines = await self._run(target, number, *_QUIET, *shown, timeout=LONG)
        return told.complaints(lines)

    async def restore(
        self,
        target: Target,
        number: int,
        label: str,
        data: str,
        *,
        on_line: OnLine | None = None,
    ) -> None:
        """Restore the files of a backup into a folder that is not there, as those of a standby."""
        folder = await self._keeper.provide(target.owner)
        await self._run(
            target, number, "--log-level-console=detail", "--log-level-stderr=off",
            f"--set={label}", f"--pg1-path={folder / data}", "--type=standby", "restore",
            timeout=LONG, on_line=on_line,
        )  # fmt: skip

    async def _asked(self, target: Target, number: int, *words: str) -> str:
        """Return the JSON that a command prints."""
        lines = await self._run(
            target, number, *_QUIET, "--output=json", *words, timeout=SHORT, fold=True
        )
        return folded.unfold(lines)[0]

    async def _run(
        self,
        target: Target,
        number: int,
        *words: str,
        timeout: float,
        fold: bool = False,
        on_line: OnLine | None = None,
    ) -> list[str]:
        owner, lines = target.owner, []
        folder = await self._keeper.provide(owner)

        def heard(line: str) -> None:
            lines.append(line)
            if on_line:
                on_line(line)

        argv = (
            *(() if "restore" in words else command.BEHIND_THE_APPS),
            program(),
            f"--config={folder / configuration.of(number)}",
            f"--stanza={configuration.STANZA}",
            *((f"--repo={number}",) if "stanza-create" not in words else ()),
            *words,
        )
        task = Task(
            owner=owner,
            argv=folded.argv(*argv) if fold else argv,
            key=f"backup.{words[-1]}.{number}.{owner.slug}",
            env=command.base_environment(),
            timeout=timeout,
        )
        if await self._keeper.run(task, on_line=heard):
            raise errors.Failed(told.failure(lines, number))
        return lines
