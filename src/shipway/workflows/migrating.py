"""How a release's migrations are run: on the live database, or on a copy of it."""

from __future__ import annotations

import asyncio
import dataclasses

from shipway.appfile import forms
from shipway.appfile.model import DatabaseTool
from shipway.database import history
from shipway.database.model import Access, Migration
from shipway.kit import errors
from shipway.runtime.unpacked import Prepared
from shipway.workflows import starting
from shipway.workflows.entering import Entry
from shipway.workflows.platform import Platform

_WHERE = "{host}:{port}/{database}"


async def unpacked(on: Platform, entry: Entry) -> Prepared:
    """Put the release's files in place, read-only."""
    server = entry.product.server
    if server is None:
        raise errors.Invalid("A database needs a server: its packages run the migrations.")
    migrations = await on.blobs.path(entry.migrations) if entry.migrations else None
    tool = entry.product.database
    return await on.instances.prepare(
        entry.app,
        entry.environment,
        entry.release.id,
        kind=server.kind,
        folder=server.folder,
        server=await on.blobs.path(entry.server),
        database_files=migrations,
        node=await on.blobs.path(entry.node) if entry.node else None,
        database_folder=tool.folder if tool and tool.packages else ".",
    )


async def files(on: Platform, entry: Entry, tool: DatabaseTool) -> dict[str, str]:
    """Return the migrations that a release comes with, each with its SHA-256."""
    if not entry.migrations:
        return {}
    archive = await on.blobs.path(entry.migrations)
    return await asyncio.to_thread(history.digests, archive, tool.history)


async def on_live(on: Platform, entry: Entry, tool: DatabaseTool, access: Access) -> Migration:
    """Say how the migrations run on the live database."""
    prepared = await unpacked(on, entry)
    return Migration(
        app=entry.app,
        environment=entry.environment,
        deployment=entry.deployment.id,
        release=entry.release.id,
        version=entry.release.version,
        argv=tool.migrate,
        head_argv=tool.head,
        cwd=prepared.cwd,
        env={**await starting.variables(on, entry, access.owner_url), **prepared.env},
        owner_url=access.owner_url,
        files=await files(on, entry, tool),
    )


async def on_copy(
    on: Platform, entry: Entry, tool: DatabaseTool, live: Access, copy: Access
) -> Migration:
    """Say how the migrations run on a copy: nothing that they are told leads to the live database.

    Raises `errors.Refused` naming a variable that does.
    """
    migration = await on_live(on, entry, tool, copy)
    address = {
        name: forms.written(one.form, copy.owner_url) + one.suffix
        for name, one in entry.product.variables.items()
        if one.same_as == "DB_URL"
    }
    env = {**migration.env, **address, "DB_URL": copy.owner_url}
    if leading := [name for name, value in env.items() if _leads_to(live.owner_url, value)]:
        raise errors.Refused(
            *(f"{name} leads to the live database, also in a rehearsal" for name in leading),
            fix='Let it have the value of the address: same_as = "DB_URL" in shipway.toml.',
        )
    return dataclasses.replace(migration, env=env)


def _leads_to(url: str, value: str) -> bool:
    scheme, found, _ = value.partition("://")
    if not found or not scheme.startswith("postgres"):
        return False
    try:
        return forms.written(_WHERE, value) == forms.written(_WHERE, url)
    except ValueError:  # it leads nowhere
        return False
