"""Groups, entries, channels and store builds as they stand in Shipway's database."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from shipway.kit import db, errors, ids
from shipway.updates.manifests import Asset
from shipway.updates.model import EntryKind, Signed
from shipway.updates.native import Source, StoreBuild

GroupKind = Literal["publish", "republish", "embedded"]
GroupState = Literal["rolling", "paused", "whole", "reverted"]

LAST = 2**62

CHANNEL = "shipway_update_change"
"""The PostgreSQL channel with the ids of changes that are over."""

_SQL = db.queries(__package__)


@dataclass(frozen=True, kw_only=True)
class Group:
    """What became visible together: one update for each platform and runtime version."""

    id: str
    number: int
    app: str
    branch: str
    key: str
    kind: GroupKind
    release: str
    version: str
    commit: str
    message: str
    author: str
    per_mille: int
    state: GroupState
    source: str | None
    size: int
    sentence: str
    created: datetime.datetime


@dataclass(frozen=True, kw_only=True)
class Offer:
    """An entry of a line on record. ``export`` is the digest of the artifact that it came from."""

    id: str
    group: str
    app: str
    branch: str
    platform: str
    runtime: str
    kind: EntryKind
    created: int
    signed: Signed
    launch: str = ""
    assets: tuple[Asset, ...] = ()
    export: str = ""
    fingerprint: str = ""
    size: int = 0


@dataclass(frozen=True, kw_only=True)
class Channel:
    """What clients ask for. ``pinned`` is a group: nothing newer is offered."""

    app: str
    name: str
    branch: str
    paused: bool = False
    pinned: str | None = None
    headers: Mapping[str, str] | None = None
    asset_headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a person asked the worker to do. ``about`` is the group or key that came of it."""

    id: str
    app: str
    action: str
    arguments: Mapping[str, Any]
    by: str
    state: Literal["waiting", "done", "refused"]
    sentence: str
    about: str
    created: datetime.datetime


class Records:
    """The tables of updates. `Publisher` and `Changes` hold the rules."""

    def __init__(self, database: db.Database) -> None:
        self._db = database

    async def lock(self, app: str, branch: str) -> None:
        """Keep others from changing a branch until the transaction ends."""
        await self._db.rows(_SQL["lock_branch"], app=app, branch=branch)

    async def remove(self, app: str) -> None:
        """Remove all that is on record of an app. Its boards go when the worker looks at them
        next, and its files as garbage. May be repeated."""
        await self._db.run(_SQL["remove_app"], app=app)

    async def channel(self, app: str, name: str) -> Channel:
        """Return a channel, which is made when it is asked for first."""
        await self._db.run(_SQL["make_channel"], app=app, name=name, branch=name)
        return next(one for one in await self.channels(app) if one.name == name)

    async def channels(self, app: str) -> Sequence[Channel]:
        return [Channel(**row) for row in await self._db.rows(_SQL["channels"], app=app)]

    async def all_channels(self) -> Sequence[tuple[str, str]]:
        """Return (app, channel) of every channel."""
        return [(row["app"], row["name"]) for row in await self._db.rows(_SQL["all_channels"])]

    async def change_channel(self, channel: Channel) -> None:
        headers = None if channel.headers is None else db.json(dict(channel.headers))
        await self._db.run(
            _SQL["change_channel"],
            app=channel.app,
            name=channel.name,
            branch=channel.branch,
            paused=channel.paused,
            pinned=channel.pinned,
            headers=headers,
            asset_headers=db.json(dict(channel.asset_headers)),
        )

    async def add(self, group: Group, offers: Sequence[Offer]) -> None:
        """Record a group with all that it offers, in the caller's transaction."""
        values = {name: getattr(group, name) for name in Group.__dataclass_fields__}
        await self._db.run(_SQL["add_group"], **values)
        for offer in offers:
            await self._db.run(_SQL["add_entry"], **_entry_values(offer))

    async def group(self, name: str) -> Group:
        """Return a group by its id, or that of one of its updates. Raises `errors.NotFound`."""
        row = await self._db.row(_SQL["group"], id=name)
        if row is None and (entry := await self._db.row(_SQL["entry"], id=name.lower())):
            row = await self._db.row(_SQL["group"], id=entry["group"])
        if row is None:
            raise errors.NotFound(
                f"There is no update {name[:100]}.", fix="`shipway updates` lists them."
            )
        return Group(**row)

    async def group_of_key(self, key: str) -> Group | None:
        row = await self._db.row(_SQL["group_of_key"], key=key)
        return Group(**row) if row else None

    async def group_of_release(self, app: str, branch: str, release: str) -> Group | None:
        row = await self._db.row(_SQL["group_of_release"], app=app, branch=branch, release=release)
        return Group(**row) if row else None

    async def groups(
        self, app: str, branch: str = "", *, limit: int = 50, below: int = LAST
    ) -> Sequence[Group]:
        """Return groups, newest first, those with a number below ``below``."""
        rows = await self._db.rows(
            _SQL["groups"], app=app, branch=branch or None, limit=limit, below=below
        )
        return [Group(**row) for row in rows]

    async def offers(self, group: str) -> Sequence[Offer]:
        return [_offer(row) for row in await self._db.rows(_SQL["entries_of_group"], group=group)]

    async def set_share(self, group: str, per_mille: int) -> None:
        await self._db.run(_SQL["set_share"], id=group, per_mille=per_mille)

    async def set_state(self, group: str, state: GroupState, sentence: str) -> bool:
        """Say how a group stands. Returns False when it stands so already, or was taken back."""
        return bool(
            await self._db.run(_SQL["set_group_state"], id=group, state=state, sentence=sentence)
        )

    async def newest(self, app: str, branch: str) -> Group | None:
        """Return the newest group of a branch that was not taken back."""
        row = await self._db.row(_SQL["newest"], app=app, branch=branch)
        return Group(**row) if row else None

    async def lines(self, app: str, branch: str) -> Sequence[tuple[str, str]]:
        """Return (platform, runtime version) of every line of a branch."""
        rows = await self._db.rows(_SQL["lines"], app=app, branch=branch)
        return [(row["platform"], row["runtime"]) for row in rows]

    async def before(
        self, app: str, branch: str, line: tuple[str, str], number: int
    ) -> Offer | None:
        """Return what a line offered to everybody before the group of that number."""
        row = await self._db.row(
            _SQL["line_before"],
            app=app,
            branch=branch,
            platform=line[0],
            runtime=line[1],
            number=number,
        )
        return _offer(row) if row else None

    async def latest_created(self, app: str, platform: str, runtime: str) -> int:
        """Return the time of the newest thing that such devices may run."""
        row = await self._db.row(
            _SQL["latest_created"], app=app, platform=platform, runtime=runtime
        )
        builds = await self.store_builds(app)
        embedded = [
            build.committed
            for build in builds
            if build.platform == platform and build.runtime == runtime
        ]
        return max([(row or {}).get("latest") or 0, *embedded])

    async def offered(
        self, app: str, branch: str, *, pinned: str | None, most: int
    ) -> Sequence[tuple[Offer, int]]:
        """Return the newest entries of each line with their shares, newest first."""
        rows = await self._db.rows(
            _SQL["offered"], app=app, branch=branch, pinned=pinned, most=most
        )
        return [(_offer(row), row["per_mille"]) for row in rows]

    async def known(self, app: str, *, most: int) -> Sequence[db.Row]:
        """Return id, platform, runtime, branch, created and launch of the newest updates."""
        return await self._db.rows(_SQL["known"], app=app, most=most)

    async def unsigned_by(self, app: str, key: str, *, most: int) -> Sequence[tuple[str, str]]:
        """Return (id, body) of the newest entries that lack a key's signature."""
        rows = await self._db.rows(_SQL["unsigned_by"], app=app, key=key, most=most)
        return [(row["id"], row["body"]) for row in rows]

    async def add_signature(self, entry: str, key: str, signature: str) -> None:
        await self._db.run(_SQL["sign_entry"], id=entry, key=key, signature=signature)

    async def ask(self, app: str, action: str, arguments: Mapping[str, Any], by: str) -> Change:
        """Record what a person asks for."""
        row = await self._db.row(
            _SQL["add_change"],
            id=ids.new("uch"),
            app=app,
            action=action,
            arguments=db.json(dict(arguments)),
            by=by,
        )
        assert row
        return Change(**row)

    async def change(self, name: str) -> Change:
        """Return what was asked for. Raises `errors.NotFound`."""
        row = await self._db.row(_SQL["change"], id=name)
        if row is None:
            raise errors.NotFound(f"Nobody asked for {name[:100]}.")
        return Change(**row)

    async def waiting_changes(self) -> Sequence[Change]:
        return [Change(**row) for row in await self._db.rows(_SQL["waiting_changes"])]

    async def end_change(
        self, name: str, state: Literal["done", "refused"], sentence: str, about: str = ""
    ) -> None:
        await self._db.run(_SQL["end_change"], id=name, state=state, sentence=sentence, about=about)

    async def note(self, change: str, *, about: str) -> None:
        """Record what a change that is under way has led to already."""
        await self._db.run(_SQL["note_change"], id=change, about=about)

    async def watched(self, since: datetime.datetime) -> Sequence[Group]:
        """Return the groups whose rollout has begun and not ended, and those that reached
        everybody and were made since a time."""
        return [Group(**row) for row in await self._db.rows(_SQL["watched"], since=since)]

    async def put_fingerprint(
        self, app: str, platform: str, hash_: str, sources: Sequence[Source]
    ) -> None:
        await self._db.run(
            _SQL["put_fingerprint"],
            app=app,
            platform=platform,
            hash=hash_,
            sources=db.json([dict(source) for source in sources]),
        )

    async def fingerprint(self, app: str, platform: str, hash_: str) -> Sequence[Source]:
        """Return what a fingerprint was made of, or nothing when that is not on record."""
        row = await self._db.row(_SQL["fingerprint"], app=app, platform=platform, hash=hash_)
        return row["sources"] if row else ()

    async def add_store_build(self, app: str, **given: Any) -> StoreBuild:
        """Record a native build in users' hands. May be repeated."""
        row = await self._db.row(
            _SQL["add_store_build"], **{**given, "app": app, "id": ids.new("nat")}
        )
        assert row
        return StoreBuild(**row)

    async def store_builds(self, app: str) -> Sequence[StoreBuild]:
        """Return the builds in users' hands, newest first."""
        return [StoreBuild(**row) for row in await self._db.rows(_SQL["store_builds"], app=app)]


def _entry_values(offer: Offer) -> dict[str, Any]:
    values = {name: getattr(offer, name) for name in Offer.__dataclass_fields__}
    signed = values.pop("signed")
    assets = [
        {"key": a.key, "sha256": a.sha256, "ending": a.ending, "size": a.size} for a in offer.assets
    ]
    return {
        **values,
        "body": signed.body,
        "signatures": db.json(dict(signed.signatures)),
        "assets": db.json(assets),
    }


def _offer(row: db.Row) -> Offer:
    kept = {name: row[name] for name in Offer.__dataclass_fields__ if name in row}
    return Offer(
        **{
            **kept,
            "signed": Signed(body=row["body"], signatures=row["signatures"]),
            "assets": tuple(Asset(**asset) for asset in row["assets"]),
        }
    )
