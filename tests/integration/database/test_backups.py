"""Backups of a real cluster with real pgBackRest: into a folder, and into a store over TLS."""

from __future__ import annotations

import pathlib
import random
import shutil
import tempfile
from collections.abc import AsyncIterator

import psycopg
import pytest
from tests.conftest import Cluster
from tests.fakes import store
from tests.integration.database.conftest import Passwords

from shipway.database.backups import keeping, model
from shipway.database.backups.keeping import BUCKET, FOLDER, Backups, Site
from shipway.database.clusters import Clusters
from shipway.database.model import Access
from shipway.kit import db, errors, settings
from shipway.runtime.drivers.local import LocalKeeper

pytestmark = pytest.mark.anyio

SITE = Site(app="banked", environment="production", schedule=model.SCHEDULES["continuous"])


class Open:
    """A vault whose seals are none."""

    def open(self, sealed: bytes) -> str:
        return sealed.decode()


@pytest.fixture(scope="module")
async def shop(anyio_backend: str) -> AsyncIterator[store.Store]:
    with tempfile.TemporaryDirectory(prefix="shipway-store-", dir="/var/tmp") as folder:
        async with store.running(pathlib.Path(folder)) as running:
            yield running


@pytest.fixture(scope="module")
async def live(databases: Clusters, shop: store.Store) -> AsyncIterator[Access]:
    """A cluster with backups. It goes before the store does: it would wait for that."""
    yield await databases.ensure(SITE.app, SITE.environment)
    await databases.remove(SITE.app, SITE.environment)


@pytest.fixture(scope="module")
async def backups(
    keeper: LocalKeeper,
    databases: Clusters,
    cluster: Cluster,
    shared_home: pathlib.Path,
    live: Access,
    shop: store.Store,
) -> AsyncIterator[Backups]:
    """The backups of one cluster, with a full one in each repository."""
    record = db.Database(cluster.url(await cluster.make(template="template_shipway")), name="test")
    await record.open()
    found = settings.load(home=shared_home)
    made = Backups(keeper, databases, record, Passwords(), Open(), found)
    await made.records.set_place(SITE.app, SITE.environment, shop.place())
    assert await made.prepare(SITE) == {}
    for number in (FOLDER, BUCKET):
        await made.take(SITE, number, "full")
        await made.look(SITE, number)
    yield made
    await record.close()


def folder_of(shared_home: pathlib.Path, shop: store.Store, number: int) -> pathlib.Path:
    """Return where the files of a repository are."""
    if number == FOLDER:
        return shared_home / "backups" / "cluster.banked.production"
    return shop.files / store.BUCKET / "shipway/banked/production"


@pytest.mark.parametrize("number", [FOLDER, BUCKET])
async def test_a_repository_is_whole_and_tells_what_it_can_bring_back(
    backups: Backups, number: int
) -> None:
    await backups.take(SITE, number, "incr")
    good, sentence = await backups.look(SITE, number)
    assert good, sentence
    assert await backups.verify(SITE, number) == ()

    held = (await backups.records.backups(SITE.app, SITE.environment))[number]
    assert held[0].kind == "full"
    assert held[-1].kind == "incr"
    archives = await backups.records.archives(SITE.app, SITE.environment)
    (archive,) = [one for one in archives if one.repository == number]
    assert archive.intact
    assert archive.reach.spans[0].since == held[0].ended
    assert archive.reach.latest
    assert archive.reach.latest >= held[-1].ended


async def test_the_server_archives_into_both(backups: Backups, live: Access) -> None:
    async with await psycopg.AsyncConnection.connect(live.admin_url, autocommit=True) as session:
        await session.execute("create table if not exists kept (text text)")
        await session.execute("insert into kept values ('milk')")
        row = await (await session.execute("select pg_walfile_name(pg_switch_wal())")).fetchone()
        assert row
        await session.execute(
            "do $$ begin for i in 1..600 loop perform pg_stat_clear_snapshot();"
            " exit when (select last_archived_wal from pg_stat_archiver) >= '" + row[0] + "';"
            " perform pg_sleep(0.1); end loop; end $$"
        )
    told = await backups.observe(SITE)
    assert told.on
    assert told.last[:24] >= row[0]
    for number in (FOLDER, BUCKET):
        archive, _ = await backups.engine.archive(await backups.target(SITE), number)
        assert row[0] in {str(one.segment) for one in archive}


async def test_nothing_readable_is_in_a_repository(
    backups: Backups, shared_home: pathlib.Path, shop: store.Store
) -> None:
    for number in (FOLDER, BUCKET):
        root = folder_of(shared_home, shop, number)
        files = [file for file in root.rglob("*") if file.is_file() and file.stat().st_size > 8]
        assert len(files) > 5
        assert all(file.read_bytes()[:8] == b"Salted__" for file in files)


@pytest.mark.parametrize("part", ["archive", "backup"])
async def test_a_byte_that_changed_is_noticed(
    backups: Backups, shared_home: pathlib.Path, shop: store.Store, part: str
) -> None:
    """Anywhere in a file, in any file of backups or log."""
    number = FOLDER
    root = folder_of(shared_home, shop, number)
    chosen = random.Random()
    files = [
        file
        for file in root.joinpath(part).rglob("*")
        if file.is_file() and (file.name.endswith(".zst") or "bundle" in file.parts)
    ]
    file = chosen.choice(sorted(files))
    before = file.read_bytes()
    place = chosen.randrange(len(before))
    file.write_bytes(before[:place] + bytes([before[place] ^ 0x40]) + before[place + 1 :])
    try:
        found = await backups.verify(SITE, number)
    finally:
        file.write_bytes(before)
    assert found, f"byte {place} of {len(before)} in {file}"
    assert await backups.verify(SITE, number) == ()


@pytest.mark.parametrize("number", [FOLDER, BUCKET])
async def test_a_segment_that_is_gone_is_noticed(
    backups: Backups, shared_home: pathlib.Path, shop: store.Store, number: int
) -> None:
    held = (await backups.records.backups(SITE.app, SITE.environment))[number]
    root = folder_of(shared_home, shop, number)
    (file,) = root.rglob(f"{held[0].last}-*")
    aside = file.with_name("aside")
    shutil.move(file, aside)
    try:
        good, sentence = await backups.look(SITE, number)
    finally:
        shutil.move(aside, file)
    assert not good
    assert f"lacks 1 segment(s) of write-ahead log: {held[0].last}." in sentence
    assert (await backups.look(SITE, number))[0]


async def test_a_repository_that_fails_does_not_stop_the_other(
    backups: Backups, shop: store.Store
) -> None:
    place = shop.place(sealed=b"another secret")
    await backups.records.set_place(SITE.app, SITE.environment, place)
    trouble = await backups.prepare(SITE)
    assert set(trouble) == {BUCKET}
    assert keeping.named(BUCKET) == "The bucket"
    await backups.take(SITE, FOLDER, "incr")
    assert (await backups.look(SITE, FOLDER))[0]
    with pytest.raises(errors.Failed, match="Repository 2"):
        await backups.take(SITE, BUCKET, "incr")
    await backups.records.set_place(SITE.app, SITE.environment, shop.place())
    assert await backups.prepare(SITE) == {}


async def test_a_wrong_key_opens_nothing(
    backups: Backups, keeper: LocalKeeper, databases: Clusters, shared_home: pathlib.Path
) -> None:
    class Others(Passwords):
        async def internal(self, app: str, environment: str, name: str) -> str:
            own = await super().internal(app, environment, name)
            return f"not {own}" if name.startswith("backup.") else own

    found = settings.load(home=shared_home)
    others = Backups(keeper, databases, backups.database, Others(), Open(), found)
    target = await others.target(SITE)
    await others.engine.configure(target)
    try:
        with pytest.raises(errors.Failed, match="cannot be opened with its key"):
            await others.engine.backups(target, FOLDER)
    finally:
        await backups.engine.configure(await backups.target(SITE))
