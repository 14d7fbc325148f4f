"""A worker that runs one migration, told on standard input: for a test that kills it."""

from __future__ import annotations

import asyncio
import json
import pathlib
import sys

from tests.integration.database.conftest import HURRY, Passwords, none_given

from shipway.database import clusters
from shipway.database.migrations import Migrations
from shipway.database.model import Migration
from shipway.kit import db, settings
from shipway.runtime.drivers.local import LocalKeeper


async def main() -> None:
    told = json.load(sys.stdin)
    home = pathlib.Path(told["home"])
    keeper = LocalKeeper(home, settings.load(home=home))
    databases = clusters.Clusters(keeper, home, Passwords(), none_given)
    database = db.Database(told["database"], name="killed")
    await database.open()
    migrations = Migrations(keeper, database, databases, patience=HURRY)
    await migrations.migrate(Migration(**told["migration"]))


asyncio.run(main())
