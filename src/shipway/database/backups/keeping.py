"""The backups of all apps: who gets in where, what is taken, and what has become of it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

import psycopg
import psycopg.rows

from shipway.database.backups import configuration, model
from shipway.database.backups.configuration import Repository
from shipway.database.backups.engine import PgBackRest, Target
from shipway.database.backups.model import Archiver, BackupKind, Place, Reach, Schedule
from shipway.database.backups.records import Records
from shipway.database.clusters import Clusters
from shipway.database.model import Access
from shipway.kit import clock, db, errors
from shipway.kit.settings import Settings
from shipway.runtime.model import Kind, Owner
from shipway.runtime.port import Keeper, OnLine

FOLDER, BUCKET = 1, 2
"""The numbers of repositories: the folder is always there, the bucket where it was given."""

ON_THEIR_WAY = (0.5, 1.5)
"""Segments arrive side by side: one that is missing is looked for again after so many seconds."""

_SQL = db.queries(__package__ or "")


class Secrets(Protocol):
    """Where a key that nobody chose is made once and kept sealed."""

    async def internal(self, app: str, environment: str, name: str) -> str: ...


class Opener(Protocol):
    """Opens what was sealed (`environments.vault.Vault` in the worker)."""

    def open(self, sealed: bytes, /) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Site:
    """An environment whose database is backed up by a schedule."""

    app: str
    environment: str
    schedule: Schedule

    @property
    def owner(self) -> Owner:
        return Owner(Kind.CLUSTER, self.app, self.environment)

    def __str__(self) -> str:
        return f"{self.app} in {self.environment}"


def named(number: int) -> str:
    """Return what people are told of a repository."""
    return {FOLDER: "The folder", BUCKET: "The bucket"}[number]


def key_name(number: int) -> str:
    """Return what the key of a repository is called among the secrets."""
    return f"backup.{number}"


class Backups:
    """Takes backups and looks at them. Only the worker may: it opens the keys."""

    def __init__(
        self,
        keeper: Keeper,
        clusters: Clusters,
        database: db.Database,
        secrets: Secrets,
        vault: Opener,
        settings: Settings,
    ) -> None:
        self._keeper = keeper
        self._clusters = clusters
        self.database = database
        self.records = Records(database)
        self._secrets = secrets
        self._vault = vault
        self._folder = settings.backups
        self.engine = PgBackRest(keeper, settings.home)

    async def repositories(self, site: Site) -> tuple[int, ...]:
        """Return the numbers of the repositories that there should be."""
        place = await self.records.place(site.app, site.environment)
        return (FOLDER, BUCKET) if place else (FOLDER,)

    async def prepare(self, site: Site) -> dict[int, str]:
        """Make every repository ready, and have the server archive into those that are.

        Returns what is wrong with each that is not ready: a sentence by its number. Such a one is
        left out of archiving until it is, unless it holds backups, for then its archive must go on
        as soon as it can. May be repeated. Raises `errors.Unavailable` without pgBackRest, or when
        the database does not answer.
        """
        target = await self.target(site)
        await self.engine.configure(target)
        held = await self.records.backups(site.app, site.environment)
        trouble = {}
        for one in target.repositories:
            try:
                await self.engine.create(target, one.number)
            except errors.Failed as error:
                trouble[one.number] = str(error)
        used = [one for one in target.repositories if one.number not in trouble.keys() - held]
        if used:
            await self.engine.configure(dataclasses.replace(target, repositories=tuple(used)))
            await self.engine.archive_from_now(target)
            async with self._asking(site) as connection:
                await connection.execute(_SQL["reload"])
        return trouble

    async def take(
        self, site: Site, number: int, kind: BackupKind, *, on_line: OnLine | None = None
    ) -> None:
        """Take a backup into one repository. Raises `errors.Failed` with what pgBackRest says."""
        target = await self.target(site)
        await self.engine.back_up(target, number, kind, on_line=on_line)

    async def look(self, site: Site, number: int) -> tuple[bool, str]:
        """Learn what a repository holds and whether its log is unbroken; keep it and say it."""
        target, app, environment = await self.target(site), site.app, site.environment
        backups = await self.engine.backups(target, number)
        found = model.reach(backups, *await self.engine.archive(target, number))
        for seconds in ON_THEIR_WAY:
            if found.whole:
                break
            await asyncio.sleep(seconds)  # log that is on its way: a repository tells nobody
            found = model.reach(backups, *await self.engine.archive(target, number))
        judged = model.continuity(named(number), found)
        await self.records.keep_backups(app, environment, number, backups)
        await self.records.keep_reach(app, environment, number, found, judged, now=clock.now())
        return judged

    async def reach(self, site: Site, number: int) -> Reach:
        """Return what a repository can bring back, as it was when it was looked at."""
        found = await self.records.archives(site.app, site.environment)
        return next((one.reach for one in found if one.repository == number), Reach())

    async def verify(self, site: Site, number: int) -> tuple[str, ...]:
        """Compare all of a repository with its checksums, and keep what is wrong with it."""
        complaints = await self.engine.verify(await self.target(site), number)
        await self.records.keep_verification(
            site.app, site.environment, number, complaints, now=clock.now()
        )
        return complaints

    async def observe(self, site: Site) -> Archiver:
        """Ask the live server how its archiving goes, and keep that.

        With each look a transaction is written, so that the newest moment that a restored copy
        knows tells how much would have been lost. Raises `errors.Unavailable`.
        """
        async with self._asking(site) as connection:
            if site.schedule.incremental:
                await connection.execute(_SQL["beat"])
            row = await (await connection.execute(_SQL["ask_archiver"])).fetchone()
        assert row
        told = Archiver(**row)
        await self.records.keep_archiver(site.app, site.environment, told, now=clock.now())
        return told

    @contextlib.asynccontextmanager
    async def _asking(self, site: Site) -> AsyncIterator[db.Connection]:
        access = await self.access(site)
        try:
            async with await psycopg.AsyncConnection[db.Row].connect(
                access.admin_url,
                autocommit=True,
                connect_timeout=10,
                application_name="shipway backups",
                row_factory=psycopg.rows.dict_row,
                options="-c statement_timeout=30s -c synchronous_commit=local",
            ) as connection:
                yield connection
        except psycopg.OperationalError as error:
            raise errors.Unavailable(f"The database of {site} does not answer: {error}") from error

    async def flush(self, site: Site, seconds: float) -> bool:
        """Have all that is written now archived, within so many seconds; False when it is not.

        A transaction of ours ends it, so that every moment before is followed by one: a recovery
        stops at a moment only when it sees something later. Raises `errors.Unavailable`.
        """
        async with self._asking(site) as connection:
            await connection.execute(_SQL["beat"])
            row = await (await connection.execute(_SQL["switch"])).fetchone()
            assert row
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    while not await self._has_archived(connection, row["segment"]):  # noqa: ASYNC110 -- nobody tells
                        await asyncio.sleep(0.1)
                    return True
        return False

    @staticmethod
    async def _has_archived(connection: db.Connection, segment: str) -> bool:
        asked = await connection.execute(_SQL["last_archived"], {"segment": segment})
        row = await asked.fetchone()
        return bool(row and row["done"])

    async def access(self, site: Site) -> Access:
        """Return the addresses of the live database. Raises `errors.Refused` for a provider's."""
        access = await self._clusters.access(site.app, site.environment)
        if access.provided:
            raise errors.Refused(
                f"The database of {site} is the provider's, and so are its backups"
            )
        return access

    async def target(self, site: Site) -> Target:
        """Return the cluster as pgBackRest has to know it, keys opened: never keep the answer."""
        place = await self.records.place(site.app, site.environment)
        repositories = [await self._in_folder(site)]
        if place:
            repositories.append(await self._in_bucket(site, place))
        return Target(
            app=site.app,
            environment=site.environment,
            port=await self._clusters.port(site.app, site.environment),
            repositories=tuple(repositories),
            archive_seconds=site.schedule.archive_seconds,
            certificates=((_CERTIFICATES, place.ca),) if place and place.ca else (),
        )

    async def _in_folder(self, site: Site) -> Repository:
        path = self._folder / site.owner.slug
        return Repository(
            number=FOLDER,
            shown=str(path),
            options={"path": str(path)},
            key=await self._key(site, FOLDER),
            keep_days=site.schedule.keep_days,
        )

    async def _in_bucket(self, site: Site, place: Place) -> Repository:
        folder = await self._keeper.provide(site.owner)
        options = configuration.s3(
            endpoint=place.endpoint,
            bucket=place.bucket,
            path=f"{place.path.rstrip('/')}/{site.app}/{site.environment}",
            region=place.region,
            key_id=place.key_id,
            secret=self._vault.open(place.secret),
            ca=str(folder / _CERTIFICATES) if place.ca else "",
        )
        return Repository(
            number=BUCKET,
            shown=place.shown,
            options=options,
            key=await self._key(site, BUCKET),
            keep_days=site.schedule.keep_days,
        )

    async def _key(self, site: Site, number: int) -> str:
        return await self._secrets.internal(site.app, site.environment, key_name(number))


_CERTIFICATES = f"{configuration.FOLDER}/store-ca.pem"
