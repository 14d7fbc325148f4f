"""An app's own migration tool, run as the owner of its server with an address of a database."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shipway.database import model
from shipway.database.model import Migration, Patience
from shipway.kit import command, errors
from shipway.runtime.model import Kind, Owner, Task
from shipway.runtime.port import Keeper

OnLine = Callable[[str], object]

KEPT_LINES = 40
"""Of the output that a failed command leaves."""

HEAD_SECONDS = 120


class ToolFailed(Exception):
    """The command did not succeed. Stays in this context."""

    def __init__(self, what: str, output: Sequence[str]) -> None:
        super().__init__(what)
        self.what = what
        self.output = tuple(output)


class Tool:
    """Runs the commands of migrations. ``name`` tells those on the live database from others."""

    def __init__(self, keeper: Keeper, patience: Patience, *, name: str = "migrate") -> None:
        self._keeper = keeper
        self._patience = patience
        self._name = name

    async def run(
        self, migration: Migration, argv: tuple[str, ...], on_line: OnLine | None = None
    ) -> None:
        """Run a command to its end. Raises `ToolFailed`."""
        lines: list[str] = []

        def heard(line: str) -> None:
            lines.append(line)
            del lines[:-KEPT_LINES]
            if on_line:
                on_line(line)

        task = self._task(migration, self._name, argv, self._patience.command)
        try:
            status = await self._keeper.run(task, on_line=heard)
        except errors.Failed as error:
            raise ToolFailed(str(error), lines) from error
        if status:
            raise ToolFailed(f"`{' '.join(argv)}` exited with status {status}", lines)

    async def head(self, migration: Migration) -> str:
        """Return the last migration applied. Raises `errors.Failed` when it cannot be read."""
        lines: list[str] = []
        task = self._task(migration, f"{self._name}.head", migration.head_argv, HEAD_SECONDS)
        if status := await self._keeper.run(task, on_line=lines.append):
            raise errors.Failed(
                f"The schema head of {migration.app} in {migration.environment} cannot be read:"
                f" `{' '.join(migration.head_argv)}` exited with status {status}."
                f" {' '.join(lines[-3:])}".rstrip(" .")
                + ".",
                fix="Mend `database.head` in shipway.toml and push again.",
            )
        return model.head(lines)

    def _task(self, migration: Migration, what: str, argv: tuple[str, ...], timeout: float) -> Task:
        """The address goes to this task alone, and never into an argument vector."""
        return Task(
            owner=Owner(Kind.SERVER, migration.app, migration.environment),
            argv=argv,
            key=f"{what}.{migration.app}.{migration.environment}",
            env={
                **command.base_environment(),
                **migration.env,
                "DB_URL": migration.owner_url,
                "PGAPPNAME": migration.tag,
                "PGOPTIONS": self._patience.server_options(),
            },
            cwd=migration.cwd,
            timeout=timeout,
        )
