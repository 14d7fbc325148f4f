"""Removes what nobody needs any more, by the policy of the settings: looks, decides, removes."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import pathlib
import shutil
from collections.abc import Collection, Sequence

from shipway.builds import keeping, workspace
from shipway.builds.keeping import Found, Policy, Removal
from shipway.kit import clock, durable, errors, log
from shipway.releases import keeping as releases
from shipway.releases.model import HOLDS_FILES
from shipway.runtime.model import Kind, Owner, Task
from shipway.workflows import names
from shipway.workflows.outcome import Outcome
from shipway.workflows.platform import Platform

MOST = 100_000
_DU = ("du", "--block-size=1", "--time", "--time-style=+%s", "--max-depth=1")
_BUILDS = ("runs", "installs", "caches/main", "caches/branches")

_log = log.get("housekeeping")


async def keep_house(
    name: str, do: Housekeeping, *, by: str = "", dry_run: bool = False
) -> Outcome:
    """Tidy up once; with ``dry_run`` say what would go, and leave everything as it is."""
    await do.begin(name, by=by, dry_run=dry_run)
    return await do.tidy(name, dry_run=dry_run)


class Housekeeping:
    """The steps of housekeeping. What goes is decided and removed in one of them: a decision that
    a restart has made old must not be carried out."""

    def __init__(self, on: Platform, *, now: clock.Clock = clock.now) -> None:
        self._on = on
        self._now = now
        self._policy = Policy.of(on.settings)

    @durable.step
    async def begin(self, name: str, *, by: str, dry_run: bool) -> None:
        """Record that it begins."""
        await self._on.passes.begin(name, by=by, dry_run=dry_run)

    @durable.step
    async def tidy(self, name: str, *, dry_run: bool) -> Outcome:
        """Look, decide and remove, while no build runs."""
        on, now = self._on, self._now()
        if why := keeping.leapt(await on.passes.last_ended(), now):
            return await self._end(name, why, ())
        if dry_run:
            found = await self._survey(now)
            return await self._end(name, keeping.summed_up(found, dry_run=True), found)
        async with on.builder.at_rest():
            found = await self._survey(now)
            gone = [one for one in found if await self._removed(one, now)]
        await on.passes.mark_removed(gone)
        await on.passes.forget_unused(now - self._policy.caches)
        return await self._end(name, keeping.summed_up(gone, dry_run=False), gone)

    @durable.step
    async def fail(self, name: str, why: str) -> Outcome:
        """End what was given up. The next day begins anew."""
        await self._on.passes.end(name, why, (), now=self._now())
        return Outcome(good=False, sentence=why)

    async def _end(self, name: str, sentence: str, removals: Sequence[Removal]) -> Outcome:
        told = [str(one) for one in removals]
        await self._on.passes.end(name, sentence, told, now=self._now())
        _log.info("housekeeping.ended", sentence=sentence)
        return Outcome(good=True, sentence=sentence)

    # Looking

    async def _survey(self, now: datetime.datetime) -> list[Removal]:
        """Return everything that may go."""
        on, policy = self._on, self._policy
        active = await on.passes.active_runs()
        kept_runs, kept = await self._kept(active, now)
        found = list(
            keeping.artifacts(
                await on.passes.made(), kept_runs=kept_runs, kept=kept, policy=policy, now=now
            )
        )
        logs = await asyncio.to_thread(_logs, on.settings.home / "logs" / "runs")
        found += keeping.logs(logs, kept_runs=kept_runs, policy=policy, now=now)
        found += await self._of_updates()
        for app in await on.apps.all():
            found += await self._of_builds(app.name, active, now)
            for environment in names.DEPLOYED:
                found += await self._of_servers(app.name, environment, now)
        return found

    async def _kept(
        self, active: Collection[str], now: datetime.datetime
    ) -> tuple[set[str], set[str]]:
        """Return the runs whose artifacts and logs stay, and digests that stay besides."""
        on = self._on
        runs, digests = set(active), set(await on.updates.garbage.needed_exports())
        for app in await on.apps.all():
            made = await on.releases.list(app.name, limit=MOST)
            reasons = releases.kept(
                made,
                await on.deployments.list(app.name, limit=MOST),
                approved=await on.approvals.approved([one.id for one in made]),
                active_runs=active,
                most=self._policy.releases,
            )
            for one in made:
                if one.id in reasons:
                    runs.add(one.run)
                    digests.update(one.artifacts.values())
        digests |= await on.passes.used_digests(now - self._policy.caches)
        return runs, digests

    async def _of_updates(self) -> list[Removal]:
        """Return files of updates of which the safety time has passed too."""
        garbage = self._on.updates.garbage
        unneeded = ("update file", "no update that is served and no patch needs it")
        died = ("draft of an update", "what made it has died")
        return [
            Removal(kind=kind, what=name, size=size, why=why)
            for (kind, why), sizes in (
                (unneeded, await garbage.sizes()),
                (died, await garbage.leftovers()),
            )
            for name, size in sizes.items()
        ]

    async def _of_builds(
        self, app: str, active: Collection[str], now: datetime.datetime
    ) -> list[Removal]:
        found = await self._measured(workspace.owner(app), _BUILDS)
        caches = [one for one in found if one.path.startswith("caches/")]
        others = [one for one in found if not one.path.startswith("caches/")]
        installs = await self._on.passes.installs(app)
        return [
            *keeping.caches(app, caches, policy=self._policy, now=now),
            *keeping.leftovers(
                app, others, active_runs=active, installs=installs, policy=self._policy, now=now
            ),
        ]

    async def _of_servers(
        self, app: str, environment: str, now: datetime.datetime
    ) -> list[Removal]:
        """Return unpacked releases that no deployment holds."""
        on = self._on
        held = {
            one.release
            for one in await on.deployments.list(app, environment, states=HOLDS_FILES, limit=MOST)
        }
        found = await self._measured(Owner(Kind.SERVER, app, environment), ("releases",))
        return [
            Removal(
                kind="unpacked release",
                what=one.path.removeprefix("releases/"),
                size=one.size,
                why="no deployment holds it",
                app=app,
                environment=environment,
            )
            for one in found
            if one.path.removeprefix("releases/") not in held
            and now - one.changed > keeping.UNTOUCHED
        ]

    async def _measured(self, owner: Owner, folders: Sequence[str]) -> list[Found]:
        """Measure what is in some folders of an owner: only the owner may look there."""
        if not (self._on.settings.home / "owners" / owner.slug).is_dir():
            return []
        said: list[str] = []
        task = Task(
            owner=owner, argv=(*_DU, *folders), key=f"housekeeping.{owner.slug}", timeout=600
        )
        await self._on.keeper.run(task, on_line=said.append)
        return [one for one in keeping.found_by_du(said) if one.path not in folders]

    # Removing

    async def _removed(self, one: Removal, now: datetime.datetime) -> bool:
        """Remove one thing. What cannot be removed is told, and tried again the next time."""
        try:
            return await self._remove(one, now)
        except (errors.ShipwayError, OSError) as error:
            _log.warning("housekeeping.not_removed", what=str(one), why=str(error))
            return False

    async def _remove(self, one: Removal, now: datetime.datetime) -> bool:
        on = self._on
        match one.kind:
            case "artifact":
                return await self._remove_artifact(one, now)
            case "log":
                await asyncio.to_thread(shutil.rmtree, on.settings.home / "logs/runs" / one.what)
            case "update file":
                await on.updates.garbage.discard(one.what)
            case "draft of an update":
                await on.updates.garbage.clear(one.what)
            case "unpacked release":
                await on.instances.discard(one.app, one.environment, one.what)
            case _:
                await on.keeper.remove(workspace.owner(one.app), one.what)
                if one.kind == "install":
                    await on.passes.forget_install(one.app, one.what)
        return True

    async def _remove_artifact(self, one: Removal, now: datetime.datetime) -> bool:
        blobs = self._on.blobs
        if not blobs.is_remote:
            # First: a release without its artifacts must never look as if it could be deployed.
            await self._on.releases.expire([one.what])
        before = (now - keeping.UNTOUCHED).timestamp()
        return await asyncio.to_thread(blobs.remove_local, one.what, before=before)


def _logs(folder: pathlib.Path) -> list[Found]:
    """Measure the logs of runs, which are our own."""
    found = []
    for run in folder.iterdir() if folder.is_dir() else ():
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            files = [file.stat() for file in run.iterdir()]
            newest = max((one.st_mtime for one in files), default=run.stat().st_mtime)
            changed = datetime.datetime.fromtimestamp(newest, datetime.UTC)
            size = sum(one.st_size for one in files)
            found.append(Found(path=run.name, size=size, changed=changed))
    return found


def due(now: datetime.datetime, *, short: bool) -> str:
    """Return the name of the housekeeping that should have begun by now: one each day, and while
    the disk is short of room one each hour besides. The same name again changes nothing."""
    return f"housekeeping:{now:%Y-%m-%dT%H}" if short else f"housekeeping:{now:%Y-%m-%d}"
