"""Lays out what is on record as boards, for `intake` to serve."""

from __future__ import annotations

import asyncio
import pathlib
import shutil
from collections.abc import Mapping, Sequence

from shipway.kit import db, errors, log
from shipway.updates import board, manifests, model, patching, signing
from shipway.updates.board import Board
from shipway.updates.keys import Key, Keys
from shipway.updates.model import Entry, Line, Signed
from shipway.updates.records import Channel, Offer, Records

_log = log.get("updates")

MOST_ENTRIES = 12
"""A line offers so many entries: rollouts under way, and what failing devices fall back to."""

MOST_KNOWN = 400
"""So many older updates of an app are recognised when a device says that it runs one."""


class Boards:
    """The boards in a folder."""

    def __init__(self, database: db.Database, keys: Keys, folder: pathlib.Path) -> None:
        self._records = Records(database)
        self._patches = patching.Patches(database)
        self._keys = keys
        self._folder = folder
        self._no_updates: dict[str, Signed] = {}
        self._writing = asyncio.Lock()

    async def refresh(self, app: str, *, branch: str = "") -> None:
        """Put in force what is on record of an app's channels, those that serve a branch or all.
        May be repeated."""
        # One at a time: what was read first must not be written last.
        async with self._writing:
            for channel in await self._records.channels(app):
                if not branch or channel.branch == branch:
                    made = await self._board(channel)
                    await asyncio.to_thread(board.write, self._folder, made)

    async def refresh_all(self) -> None:
        """Put everything in force: a publish may have been killed just before it would have,
        and an app may have been removed."""
        # Looked at first: a board is written after its channel is on record.
        there = await asyncio.to_thread(board.apps, self._folder)
        apps = dict.fromkeys(app for app, _ in await self._records.all_channels())
        for app in apps:
            try:
                await self.refresh(app)
            except errors.Unavailable:
                raise
            except errors.ShipwayError as error:
                # Its signer may be away: at the next look, and the other apps need not wait.
                _log.error("board.not_written", app=app, why=str(error))
        for app in there - apps.keys():
            await asyncio.to_thread(shutil.rmtree, self._folder / app, ignore_errors=True)

    async def _board(self, channel: Channel) -> Board:
        no_update = await self._no_update(channel)  # first: it may make the first key
        offers = await self._records.offered(
            channel.app, channel.branch, pinned=channel.pinned, most=MOST_ENTRIES
        )
        known = await self._records.known(channel.app, most=MOST_KNOWN)
        builds = await self._records.store_builds(channel.app)
        launches = {build.embedded: build.launch for build in builds if build.launch}
        launches |= {row["id"]: row["launch"] for row in known}
        return Board(
            app=channel.app,
            channel=channel.name,
            branch=channel.branch,
            paused=channel.paused,
            headers=channel.headers,
            asset_headers=dict(channel.asset_headers),
            chains=dict(await self._keys.chains(channel.app)),
            no_update=no_update,
            lines=lines(offers, known, channel.branch),
            launches=launches,
            patches=tuple(await self._patches.offered(channel.app)),
        )

    async def _no_update(self, channel: Channel) -> Signed:
        """Return the directive. Signatures that the board has are taken from there: a channel is
        paused, and a key made or retired, while the command that signs is away."""
        app, body = channel.app, manifests.no_update()
        known = self._no_updates.get(app) or await asyncio.to_thread(self._standing, channel)
        signatures = {
            key.id: known.signatures[key.id]
            if known and is_signed_by(key, known)
            else await self._keys.signature(key, body.encode())
            for key in await self._keys.ensure(app)
        }
        self._no_updates[app] = Signed(body=body, signatures=signatures)
        return self._no_updates[app]

    def _standing(self, channel: Channel) -> Signed | None:
        try:
            found = board.read(board.place(self._folder, channel.app, channel.name)).no_update
        except (OSError, errors.Failed):
            return None
        return found if found.body == manifests.no_update() else None


def is_signed_by(key: Key, signed: Signed) -> bool:
    """Return whether a device with the key's certificate takes it."""
    try:
        signing.verify(key.certificate, signed.body.encode(), signed.signatures.get(key.id, ""))
    except errors.Refused:
        return False
    return True


def lines(
    offers: Sequence[tuple[Offer, int]], known: Sequence[Mapping[str, object]], branch: str
) -> tuple[Line, ...]:
    """Return the lines of a board, each with its entries newest first."""
    by_line: dict[tuple[str, str], list[Entry]] = {}
    for offer, per_mille in offers:
        entries = by_line.setdefault((offer.platform, offer.runtime), [])
        entries.append(_entry(offer, per_mille))
    return tuple(
        Line(
            platform=platform,
            runtime=runtime,
            entries=tuple(entries),
            known={
                str(row["id"]): int(str(row["created"]))
                for row in known
                if (row["platform"], row["runtime"], row["branch"]) == (platform, runtime, branch)
            },
        )
        for (platform, runtime), entries in by_line.items()
    )


def _entry(offer: Offer, per_mille: int) -> Entry:
    return Entry(
        id=offer.id,
        kind=offer.kind,
        created=offer.created,
        signed=offer.signed,
        per_mille=per_mille,
        salt=model.salt_of(offer.group),
        launch=offer.launch,
    )
