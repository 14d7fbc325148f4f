"""Shipway's own PostgreSQL, apart from every database that it migrates or restores."""

from __future__ import annotations

import os
import pathlib
import pwd

from shipway.database import configuration, node
from shipway.kit import db
from shipway.runtime.model import Kind, Owner
from shipway.runtime.port import Keeper

OWNER = Owner(Kind.STORE)
SERVICE = "store"
ROLE = DATABASE = "shipway"

_SQL = db.queries(__package__ or "")


async def create_store(
    keeper: Keeper, home: pathlib.Path, *, programs: pathlib.Path | None = None
) -> None:
    """Make the store if missing, start it and wait for it. May be repeated.

    Its users are the OS users of api and worker and the one who calls, known by the socket
    (``peer``); there is no password. Its address is ``settings.database_url``.
    """
    nodes = node.Nodes(keeper, home, programs)
    users = {(await keeper.provide(Owner(kind))).owner() for kind in (Kind.API, Kind.WORKER)}
    users.add(pwd.getpwuid(os.geteuid()).pw_name)
    await nodes.start(
        node.Node(
            owner=OWNER,
            service=SERVICE,
            settings=configuration.STORE,
            rules=((DATABASE, ROLE, "peer map=shipway"),),
            roles=dict.fromkeys(sorted(users), ROLE),
        )
    )
    await nodes.sql(OWNER, _SQL["make_store"])
