"""Everything about updates that a process works with, put together."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from shipway.environments.vault import Vault
from shipway.kit import blobs, clock, db, errors, log
from shipway.updates.adoption import Adoption, must_halt
from shipway.updates.assets import Assets
from shipway.updates.boards import Boards
from shipway.updates.changing import Changes
from shipway.updates.files import Files
from shipway.updates.garbage import Garbage
from shipway.updates.inbox import Inbox
from shipway.updates.keys import Keys
from shipway.updates.patching import Patcher, Patches
from shipway.updates.publishing import Publisher
from shipway.updates.records import Group, Records

MOST_PATCHES = 4
"""So many patches are made for a channel at each look: the worker has other work."""

WATCHED = datetime.timedelta(days=7)
"""So long an update that has reached everybody is watched. Devices load at one start and launch at
the next: failures come days after the download."""

_log = log.get("updates")


@dataclass(frozen=True, kw_only=True)
class Halted:
    """An update that was taken back because it failed on devices; with ``trouble`` it could not
    be, and is only offered to nobody new."""

    group: Group
    why: str
    trouble: str = ""


Telling = Callable[[Halted], Awaitable[None]]
"""Has people told of a halted update, in the transaction of the caller."""


@dataclass(frozen=True, kw_only=True)
class Office:
    """The parts of this context. Whoever cannot open the vault can read, and cannot sign."""

    records: Records
    keys: Keys
    boards: Boards
    publisher: Publisher
    changes: Changes
    patches: Patches
    patcher: Patcher
    adoption: Adoption
    garbage: Garbage
    inbox: Inbox
    now: clock.Clock

    @classmethod
    def of(
        cls,
        database: db.Database,
        store: blobs.Blobs,
        vault: Vault,
        home: pathlib.Path,
        *,
        external: tuple[str, ...] = (),
        now: clock.Clock = clock.now,
    ) -> Office:
        """Put the parts together for a SHIPWAY_HOME. ``external`` signs for keys kept elsewhere."""
        files = Files(home / "updates" / "files")
        keys = Keys(database, vault, external=external, now=now)
        boards = Boards(database, keys, home / "updates" / "boards")
        sightings = home / "owners" / "intake" / "updates" / "sightings"
        return cls(
            records=Records(database),
            keys=keys,
            boards=boards,
            publisher=Publisher(database, store, files, keys, boards, now=now),
            changes=Changes(database, keys, boards, Assets(store, files), now=now),
            patches=Patches(database),
            patcher=Patcher(files),
            adoption=Adoption(database, sightings, now=now),
            garbage=Garbage(database, files, now=now),
            inbox=Inbox(home / "updates" / "inbox", files),
            now=now,
        )

    async def keep_house(self, telling: Telling) -> Sequence[Halted]:
        """Read what devices did, halt what fails on them, and put everything in force. Returns
        what was halted. May be repeated."""
        await self.adoption.read()
        halted = await self.halt_failing(telling)
        await self.boards.refresh_all()
        return halted

    async def halt_failing(self, telling: Telling) -> Sequence[Halted]:
        """Take back every update that fails on more devices than chance explains. Each is told of
        in the transaction that takes it back."""
        return [
            await self._halt(Halted(group=group, why=why), telling)
            for group in await self.records.watched(self.now() - WATCHED)
            if (why := must_halt(await self.adoption.of(group.id)))
        ]

    async def _halt(self, halted: Halted, telling: Telling) -> Halted:
        """Take one back. What cannot be, because nobody signs, is held back: at the next look it
        is tried again, and no other app has to wait for that."""
        group, why = halted.group, halted.why
        _log.warning("update.halted", update=group.id, why=why)
        try:
            await self.changes.withdraw(
                group.id,
                key=f"halt:{group.id}",
                author="shipway",
                message=why,
                telling=lambda: telling(halted),
            )
        except errors.Unavailable:
            raise
        except errors.ShipwayError as error:
            held = dataclasses.replace(halted, trouble=str(error))
            await self.changes.hold_back(group.id, why, telling=lambda: telling(held))
            return held
        return halted

    async def make_patches(self) -> int:
        """Make patches to what each channel offers first. Returns how many are offered now."""
        await self.inbox.take_up()
        made = 0
        for app, channel in await self.records.all_channels():
            for pair in await self.patches.wanted(app, channel, most=MOST_PATCHES):
                try:
                    patch = await self.patcher.make(pair)
                except errors.ShipwayError as error:
                    _log.warning("patch.failed", app=app, why=str(error))
                    continue
                await self.patches.keep(app, patch)
                await self.boards.refresh(app)
                made += patch.offered
        return made
