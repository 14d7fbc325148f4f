"""Which port the database of an environment is reached by, where it is reached by one."""

from __future__ import annotations

from collections.abc import Callable

from shipway.kit import db, errors

_SQL = db.queries(__package__ or "")


class Ports:
    """The rows of ``database.ports``. ``pool`` is the first and the last port."""

    def __init__(
        self, database: db.Database, pool: tuple[int, int], is_free: Callable[[int], bool]
    ) -> None:
        self._db = database
        self._pool = pool
        self._is_free = is_free

    async def find(self, app: str, environment: str) -> int:
        """Return the port, or 0 for a database that is reached by its socket alone."""
        row = await self._db.row(_SQL["database_port"], app=app, environment=environment)
        return int(row["port"]) if row else 0

    async def give(self, app: str, environment: str) -> int:
        """Return the port, and choose one first if there is none. It stays the same from then on.

        Raises `errors.Unavailable` when all of them are taken.
        """
        first, last = self._pool
        async with self._db.transaction():
            await self._db.rows(_SQL["lock_database_ports"])
            if known := await self.find(app, environment):
                return known
            for row in await self._db.rows(_SQL["free_database_ports"], first=first, last=last):
                if self._is_free(port := int(row["port"])):
                    await self._db.run(
                        _SQL["take_database_port"], app=app, environment=environment, port=port
                    )
                    return port
        raise errors.Unavailable(
            f"No port between {first} and {last} is free for another database.",
            fix="Widen `database_ports` in settings.toml.",
        )

    async def give_up(self, app: str, environment: str) -> None:
        """Forget the port of a database that is gone. May be repeated."""
        await self._db.run(_SQL["forget_database_port"], app=app, environment=environment)
