"""What can be done about updates that are out: rollouts, rollbacks, channels, keys."""

from __future__ import annotations

import dataclasses
import json
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence

from shipway.kit import clock, db, errors, ids
from shipway.updates import manifests, model
from shipway.updates.assets import Assets
from shipway.updates.boards import Boards
from shipway.updates.keys import Key, Keys
from shipway.updates.records import Channel, Group, GroupState, Offer, Records

MOST_SIGNED = 500
"""A new key signs so many of the newest manifests and directives."""

Telling = Callable[[], Awaitable[None]]

_HEADER = re.compile(r"[a-z*][a-z0-9_.*-]{0,63}")
_VALUE = re.compile(r"[\x20-\x7e]{0,1000}")


class Changes:
    """Changes of what is offered. Used by the worker, which alone can sign."""

    def __init__(
        self,
        database: db.Database,
        keys: Keys,
        boards: Boards,
        assets: Assets,
        *,
        now: clock.Clock = clock.now,
    ) -> None:
        self._db = database
        self._keys = keys
        self._assets = assets
        self._boards = boards
        self._now = now
        self._records = Records(database)

    async def share(self, group: str, per_mille: int) -> Group:
        """Let an update reach more devices; all of them with 1000. A share never shrinks:
        that is what `roll_back` is for."""
        if not 0 <= per_mille <= model.WHOLE:
            raise errors.Invalid(f"A share is 0 to {model.WHOLE} per mille, not {per_mille}.")
        async with self._db.transaction():
            found = await self._locked(group)
            _must_take_share(found, per_mille)
            await self._records.set_share(found.id, per_mille)
        return await self._shown(found)

    async def reach(self, group: str, per_mille: int) -> None:
        """Let a rollout that goes on reach at least so many devices. What is paused, was taken back
        or has come further stays as it is. May be repeated."""
        await self._records.set_share(group, per_mille)
        await self._shown(await self._records.group(group))

    async def pause(self, group: str) -> Group:
        """Let nobody new into a rollout. Who has the update keeps it. May be repeated."""
        async with self._db.transaction():
            found = await self._locked(group)
            await self._turn(found, "rolling", "paused", "The rollout is paused.")
        return await self._shown(found)

    async def resume(self, group: str) -> Group:
        """Go on with a rollout that is paused. May be repeated."""
        async with self._db.transaction():
            found = await self._locked(group)
            state: GroupState = "whole" if found.per_mille >= model.WHOLE else "rolling"
            await self._turn(found, "paused", state, "The rollout goes on.")
        return await self._shown(found)

    async def hold_back(self, group: str, why: str, *, telling: Telling) -> None:
        """Let nobody new have an update that cannot be taken back just now. Nothing new is signed.
        May be repeated; ``telling`` is awaited once, in the same transaction."""
        async with self._db.transaction():
            found = await self._locked(group)
            if found.state in {"rolling", "whole"}:
                await self._records.set_state(found.id, "paused", why)
                await telling()
        await self._boards.refresh(found.app, branch=found.branch)

    async def roll_back(
        self, app: str, branch: str, *, key: str, author: str, message: str = "", to: str = ""
    ) -> Group:
        """Take back the newest update of a branch. Returns the group that takes its place.

        Each line gets what it had before, under a new id, or the way back to the embedded update
        when there is nothing before. ``to`` names a group, or is ``embedded``. A device takes
        only what is newer than what it runs, so nothing old is ever served again.
        """
        async with self._db.transaction():
            await self._records.lock(app, "")
            if (made := await self._records.group_of_key(key)) is None:
                made = await self._take_back(app, branch, key, author, message, to)
        await self._boards.refresh(app, branch=branch)
        return made

    async def roll_back_release(
        self, app: str, branch: str, release: str, *, key: str, author: str, message: str = ""
    ) -> Group | None:
        """Bring a branch back to the update of a release. None when that is what it offers.

        A release that had no update of its own (its native side had changed) ran with the one
        before: what later releases have published is taken back, and nothing else.
        """
        if made := await self._records.group_of_key(key):
            return await self._shown(made)
        newest = await self._records.newest(app, branch)
        target = await self._records.group_of_release(app, branch, release)
        if newest is None:
            return None
        origin = await self._origin(newest)
        if target and origin.id == target.id:
            return None
        # Identifiers of releases sort by when they were made.
        if target is None and origin.release <= release:
            return None
        to = target.id if target else ""
        return await self.roll_back(app, branch, key=key, author=author, message=message, to=to)

    async def withdraw(
        self, group: str, *, key: str, author: str, message: str, telling: Telling | None = None
    ) -> Group | None:
        """Take back one update: nothing of it is offered any more. Who has it gets what was
        before; while a newer one is out, who has it waits for that. Returns the group that takes
        its place, or None when there is none. May be repeated with the same ``key``.

        ``telling`` is awaited in the same transaction: what is told has happened, and once.
        """
        async with self._db.transaction():
            found = await self._locked(group)
            made = await self._records.group_of_key(key)
            if made is None and found.state != "reverted":
                made = await self._withdraw(found, key, author, message)
                if telling:
                    await telling()
        await self._boards.refresh(found.app, branch=found.branch)
        return made

    async def change_channel(
        self,
        app: str,
        name: str,
        *,
        paused: bool | None = None,
        pinned: str | None = None,
        branch: str = "",
        headers: dict[str, str] | None = None,
        asset_headers: dict[str, str] | None = None,
    ) -> Channel:
        """Pause a channel, pin it to a group ("" unpins), point it at another branch, or have its
        devices send headers back with each check, and others with each download."""
        _check_headers(headers or {})
        _check_headers(asset_headers or {})
        channel = await self._records.channel(app, name)
        changed = dataclasses.replace(
            channel,
            paused=channel.paused if paused is None else paused,
            branch=branch or channel.branch,
            pinned=channel.pinned if pinned is None else await self._pin(app, pinned),
            headers=channel.headers if headers is None else headers,
            asset_headers=channel.asset_headers if asset_headers is None else asset_headers,
        )
        if changed.branch not in {one.name for one in await self._records.channels(app)}:
            raise errors.NotFound(f"{app} has no branch {branch[:100]}.")
        await self._records.change_channel(changed)
        await self._boards.refresh(app)
        return changed

    async def create_key(self, app: str, id: str, *, change: str = "") -> Key:  # noqa: A002 -- the key's own
        return await self._add_key(app, change, lambda: self._keys.create(app, id))

    async def import_key(
        self,
        app: str,
        id: str,  # noqa: A002 -- the key's own
        certificate: str,
        chain: str,
        *,
        change: str = "",
    ) -> Key:
        """Sign with a key that is kept elsewhere too, through this machine's command."""
        return await self._add_key(
            app, change, lambda: self._keys.import_external(app, id, certificate, chain)
        )

    async def rotate_key(self, app: str, *, change: str = "") -> Key:
        """Make another key and have it sign what is offered. The older ones go on signing, for
        builds that hold their certificates."""
        return await self._add_key(app, change, lambda: self._keys.rotate(app))

    async def retire_key(self, app: str, id: str) -> None:  # noqa: A002 -- the key's own
        await self._keys.retire(app, id)
        await self._boards.refresh(app)

    async def _turn(self, group: Group, was: GroupState, state: GroupState, sentence: str) -> None:
        if group.state not in {was, state}:
            raise errors.Conflict(f"{group.id} is {group.state}, not {was}.")
        await self._records.set_state(group.id, state, sentence)

    async def _locked(self, group: str) -> Group:
        """Return a group that nobody else changes until the transaction ends."""
        found = await self._records.group(group)
        await self._records.lock(found.app, "")
        return await self._records.group(found.id)

    async def _withdraw(self, group: Group, key: str, author: str, message: str) -> Group | None:
        newest = await self._records.newest(group.app, group.branch)
        if group.per_mille and newest and newest.id == group.id:
            return await self._take_back(group.app, group.branch, key, author, message, "")
        await self._records.set_state(group.id, "reverted", message)
        return None

    async def _shown(self, group: Group) -> Group:
        await self._boards.refresh(group.app, branch=group.branch)
        return await self._records.group(group.id)

    async def _take_back(
        self, app: str, branch: str, key: str, author: str, message: str, to: str
    ) -> Group:
        newest = await self._records.newest(app, branch)
        if newest is None:
            raise errors.Refused(f"{branch} of {app} offers no update that could be taken back")
        if newest.kind == "embedded" and not to:
            raise errors.Refused(f"{branch} of {app} is back at the embedded update already")
        target = await self._records.group(to) if to and to != "embedded" else None
        sources = {
            line: await self._source(newest, target, line, to)
            for line in await self._lines(newest, target)
        }
        # What this is a copy of: rolling back from here goes to what was before *that*.
        source = max(
            [await self._records.group(s.group) for s in sources.values() if s and s.assets],
            key=lambda one: one.number,
            default=None,
        )
        group = self._group(newest, source, key=key, author=author, message=message)
        offers = [await self._copy(group, line, source) for line, source in sources.items()]
        if not target or target.number < newest.number:
            await self._records.set_state(newest.id, "reverted", f"Taken back by {author}.")
        await self._records.add(group, offers)
        return await self._records.group(group.id)

    async def _lines(self, newest: Group, target: Group | None) -> Sequence[tuple[str, str]]:
        groups = [newest, *([target] if target else [])]
        offers = [offer for group in groups for offer in await self._records.offers(group.id)]
        return list(dict.fromkeys((offer.platform, offer.runtime) for offer in offers))

    async def _source(
        self, newest: Group, target: Group | None, line: tuple[str, str], to: str
    ) -> Offer | None:
        """Return what a line goes back to; None stands for the embedded update."""
        if target:
            offers = await self._records.offers(target.id)
            return next((o for o in offers if (o.platform, o.runtime) == line), None)
        if to == "embedded":
            return None
        origin = await self._origin(newest)
        return await self._records.before(newest.app, newest.branch, line, origin.number)

    async def _origin(self, group: Group) -> Group:
        """Return the group whose contents a republished one has."""
        while group.source:
            group = await self._records.group(group.source)
        return group

    async def _copy(self, group: Group, line: tuple[str, str], source: Offer | None) -> Offer:
        """Return a line's entry under a new id and time."""
        latest = await self._records.latest_created(group.app, *line)
        created = model.next_created(model.milliseconds(self._now()), latest=[latest])
        update = str(uuid.uuid4())
        offer = Offer(
            id=update,
            group=group.id,
            app=group.app,
            branch=group.branch,
            platform=line[0],
            runtime=line[1],
            kind="embedded",
            created=created,
            signed=model.Signed(body=manifests.back_to_embedded(created)),
        )
        if source and source.kind == "update":
            await self._assets.ensure(source)
            text = renewed(source.signed.body, id=update, created=created, group=group)
            offer = dataclasses.replace(
                source,
                id=update,
                group=group.id,
                branch=group.branch,
                created=created,
                signed=model.Signed(body=text),
            )
        signed = await self._keys.sign(group.app, offer.signed.body)
        return dataclasses.replace(offer, signed=signed)

    def _group(
        self, newest: Group, source: Group | None, *, key: str, author: str, message: str
    ) -> Group:
        aim = f"update {source.id}" if source else "the embedded update"
        return dataclasses.replace(
            source or newest,
            id=ids.new("upd"),
            branch=newest.branch,
            key=key,
            kind="republish" if source else "embedded",
            message=message or f"Back to {aim}",
            author=author,
            per_mille=model.WHOLE,
            state="whole",
            source=source.id if source else None,
            size=source.size if source else 0,
            sentence=f"{newest.id} was taken back: {newest.branch} offers {aim}.",
            created=self._now(),
        )

    async def _pin(self, app: str, group: str) -> str | None:
        if not group:
            return None
        found = await self._records.group(group)
        if found.app != app:
            raise errors.NotFound(f"{app} has no update {group[:100]}.")
        return found.id

    async def _add_key(self, app: str, change: str, make: Callable[[], Awaitable[Key]]) -> Key:
        """Make a key and have it sign what is offered: all of it, or there is no key. The same
        ``change`` again changes nothing."""
        async with self._db.transaction():
            # What is published meanwhile would lack its signature.
            await self._records.lock(app, "")
            made = (await self._records.change(change)).about if change else ""
            key = await self._keys.get(app, made) if made else await make()
            for entry, body in await self._records.unsigned_by(app, key.id, most=MOST_SIGNED):
                signature = await self._keys.signature(key, body.encode())
                await self._records.add_signature(entry, key.id, signature)
            await self._records.note(change, about=key.id)
        await self._boards.refresh(app)
        return key


def _must_take_share(group: Group, per_mille: int) -> None:
    """Raise `errors.Refused` when a rollout cannot go on with this share."""
    if group.state == "reverted":
        raise errors.Refused(
            f"{group.id} was taken back",
            fix="`shipway update publish` publishes its release again, under a new id.",
        )
    if group.state == "paused":
        raise errors.Refused(
            f"The rollout of {group.id} is paused", fix=f"`shipway update resume {group.id}`"
        )
    if per_mille < group.per_mille:
        raise errors.Refused(
            f"{group.id} has reached {group.per_mille / 10:g} % already,"
            " and nobody is moved back by a smaller share",
            fix=f"`shipway update revert {group.id}` takes it back from everybody.",
        )


def _check_headers(headers: Mapping[str, str]) -> None:
    """Raise `errors.Invalid` for what no structured dictionary of strings can hold."""
    problems = tuple(
        f"{name[:100]!r}: {value[:100]!r}"
        for name, value in headers.items()
        if not (_HEADER.fullmatch(name) and _VALUE.fullmatch(value))
    )
    if problems:
        raise errors.Invalid("Devices cannot be told these headers.", problems=problems)


def renewed(body: str, *, id: str, created: int, group: Group) -> str:  # noqa: A002 -- the update's own
    """Return a manifest under another id, time and group. Its assets stay as they are."""
    found = json.loads(body)
    found["id"], found["createdAt"] = id, model.timestamp(created)
    found["metadata"] = {**found["metadata"], "branch": group.branch, "group": group.id}
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))
