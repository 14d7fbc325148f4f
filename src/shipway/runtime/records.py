"""Which instances there should be, and which port each has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shipway.kit import db, errors, ids
from shipway.runtime.listening import LOOPBACK
from shipway.runtime.model import Address, Instance, Place

_SQL = db.queries(__package__ or "")


class Records:
    """The table of instances. ``ports`` is the pool: first and last."""

    def __init__(self, database: db.Database, ports: tuple[int, int]) -> None:
        self._db = database
        self._ports = ports

    async def place(
        self, place: Place, *, beside: Instance | None, is_free: Callable[[int], bool]
    ) -> Instance:
        """Return the instance that has this place, or give one the place and a port.

        With ``beside`` it is the successor of that one. Raises `errors.Unavailable` when all
        ports are taken.
        """
        async with self._db.transaction():
            await self._db.rows(_SQL["lock_ports"])
            known = await self._db.row(
                _SQL["at_place"], deployment=place.deployment, index=place.index
            )
            if known and (beside is None or known["id"] != beside.id):
                return _instance(known)
            return await self._add(place, await self._port(is_free), known)

    async def _add(self, place: Place, port: int, known: db.Row | None) -> Instance:
        row: dict[str, Any] = {
            "id": ids.new("ins"),
            "app": place.app,
            "environment": place.environment,
            "release": place.release,
            "deployment": place.deployment,
            "index": place.index,
            "copy": known["copy"] + 1 if known else 0,
            "port": port,
            "service": place.service(port),
        }
        await self._db.run(_SQL["add"], **row)
        await self._db.run(_SQL["use_port"], port=port)
        return _instance(row)

    async def _port(self, is_free: Callable[[int], bool]) -> int:
        first, last = self._ports
        for row in await self._db.rows(_SQL["free_ports"], first=first, last=last):
            if is_free(row["port"]):
                return int(row["port"])
        raise errors.Unavailable(
            f"No port between {first} and {last} is free for another instance.",
            fix="Widen `instance_ports` in settings.toml.",
        )

    async def running(self, app: str, environment: str) -> list[Instance]:
        rows = await self._db.rows(_SQL["running"], app=app, environment=environment)
        return [_instance(row) for row in rows]

    async def all(self) -> list[tuple[Instance, bool]]:
        """Return every instance with whether it is being stopped."""
        return [(_instance(row), bool(row["leaving"])) for row in await self._db.rows(_SQL["all"])]

    async def leave(self, instance: Instance) -> None:
        await self._db.run(_SQL["leave"], id=instance.id)

    async def remove(self, instance: Instance) -> None:
        await self._db.run(_SQL["remove"], id=instance.id)


def _instance(row: db.Row) -> Instance:
    return Instance(
        id=row["id"],
        place=Place(
            app=row["app"],
            environment=row["environment"],
            release=row["release"],
            deployment=row["deployment"],
            index=row["index"],
        ),
        service=row["service"],
        address=Address(LOOPBACK, row["port"]),
    )
