"""Performs the steps of a plan: each in a sandbox, once for what it sees."""

from __future__ import annotations

import contextlib
import pathlib
import shlex
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from shipway.builds import boxed, kept, tools, workspace
from shipway.builds.artifacts import Artifacts
from shipway.builds.logs import Logs
from shipway.builds.model import Artifact, BuildStep, Run, State, StepKind, StepResult
from shipway.builds.records import Runs
from shipway.builds.reserve import Reserve
from shipway.builds.room import Room
from shipway.builds.sources import Sources
from shipway.builds.workspace import Workspace
from shipway.kit import blobs, db, errors, settings
from shipway.kit.mask import Mask
from shipway.runtime.port import Keeper

WAITING = "room on the disk"
"""The step that shows that a run waits for it."""

_LARGEST_RESULT = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """Everything that decides what a step gives, and the key made of it."""

    inputs: Mapping[str, str]
    needs: tuple[kept.Result, ...]
    tools: Mapping[str, str]
    key: str


class Builder:
    """Checks out commits and performs steps. All of it may be repeated.

    As many steps run side by side as the machine has cores and memory for.
    """

    def __init__(
        self,
        keeper: Keeper,
        store: blobs.Blobs,
        sources: Sources,
        database: db.Database,
        logs: Logs,
        settings: settings.Settings,
        *,
        room: Room | None = None,
        reserve: Reserve | None = None,
    ) -> None:
        self._keeper = keeper
        self._blobs = store
        self._sources = sources
        self._logs = logs
        self._home = settings.home
        self._step_disk = settings.step_disk_bytes
        self._runs = Runs(database)
        self._results = kept.Results(database)
        self._artifacts = Artifacts(database, store)
        self._reserve = reserve or Reserve(settings.home, settings.disk_reserve_bytes)
        self._room = room or Room.of_this_machine()
        self._tools: dict[str, str] = {}

    async def check_out(self, run: str, app: str, commit: str) -> None:
        """Lay the sources of a commit where the steps of the run see them, read-only.

        Waits for room on the disk first, which the run shows as a step of its own.
        """
        await self._wait_for_disk(run)
        await self._keeper.provide(workspace.owner(app))
        with tempfile.TemporaryDirectory(prefix="shipway-") as folder:
            archive = pathlib.Path(folder) / "sources.tar"
            await self._sources.archive(app, commit, archive)
            digest, size = await self._artifacts.store(archive)
        place = workspace.commit_folder(run)
        stored = await self._blobs.path(digest)
        await self._keeper.place(workspace.owner(app), place, stored, unpack=True)
        await self._artifacts.keep(
            Artifact(
                run=run,
                name="sources",
                digest=digest,
                kind="sources",
                size=size,
                commit=commit,
                provenance={"app": app},
            )
        )

    async def _wait_for_disk(self, run: str) -> None:
        if not self._reserve.short():
            return
        await self._runs.announce(run, [WAITING])
        await self._runs.start_step(run, WAITING)
        async with self._logs.writing(run, WAITING, Mask()) as log:
            try:
                await self._reserve.wait(log)
            except errors.Refused as error:
                await self._runs.end_step(run, WAITING, State.FAILED, str(error))
                raise
        await self._runs.end_step(run, WAITING, State.SUCCEEDED, "There was room again.")

    async def perform(
        self, run: str, app: str, commit: str, step: BuildStep, mask: Mask
    ) -> StepResult:
        """Perform a step, or answer it from what an earlier one gave that saw the same.

        Raises `errors.Failed` with the reason and the last lines when the step fails. A step
        that was interrupted is performed from its start; its predecessor is ended first.
        ``mask`` hides secrets in all that is told of it.
        """
        record = await self._runs.get(run)
        seen = await self._see(record, app, commit, step)
        async with self._logs.writing(run, step.name, mask) as log:
            try:
                result = await self._kept(record, seen) if step.cacheable else None
                if cached := result is not None:
                    await self._runs.start_step(run, step.name, key=seen.key)
                    log(f"Nothing that {step.name} sees has changed since {result.run}.")
                else:
                    result = await self._make(record, step, seen, log)
            except errors.ShipwayError as error:
                errors.reword(error, mask)
                log(error.what)
                await self._runs.end_step(run, step.name, State.FAILED, error.what)
                raise
        return await self._record(record, step, seen, result, cached=cached)

    async def release_artifacts(self, run: str) -> dict[str, str]:
        """Return what a release of this run is made of: names to digests."""
        return await self._artifacts.release_artifacts(run)

    def is_short_of_disk(self) -> bool:
        """Whether builds wait for room on the disk."""
        return bool(self._reserve.short())

    @contextlib.asynccontextmanager
    async def at_rest(self) -> AsyncIterator[None]:
        """Hold the block while no step of any build runs, and let none begin meanwhile."""
        async with self._room.taken(self._room.most):
            yield

    async def clean_up(self, run: str, app: str) -> None:
        """Remove the workspaces of a run, and dependencies that nobody uses any more."""
        owner = workspace.owner(app)
        await self._keeper.remove(owner, f"runs/{run}")
        for step in await self._runs.steps(run):
            if step.state is not State.SUCCEEDED:
                await self._keeper.remove(owner, workspace.install_folder(run, step.name))
        for folder in await self._results.give_up_stale(app):
            await self._keeper.remove(owner, folder)

    async def _see(self, run: Run, app: str, commit: str, step: BuildStep) -> _Seen:
        self._tools = self._tools or await tools.versions(self._home)
        inputs = await self._sources.inputs(app, commit, step.inputs)
        needs = [await self._needed(run, name) for name in step.needs]
        key = kept.key_of(
            step,
            inputs=inputs,
            needs=[need.key for need in needs],
            tools=self._tools,
            recipe=boxed.recipe_version(),
        )
        if step.kind.fetches and not run.caches:
            key = await self._own_key(run, key)
        return _Seen(inputs=inputs, needs=tuple(needs), tools=self._tools, key=key)

    async def _own_key(self, run: Run, key: str) -> str:
        """Return a key for what a run fetches for itself alone, unless main has fetched it."""
        if await self._results.find(run.app, key, trusted=True):
            return key
        return f"{key}-{run.id}"

    async def _needed(self, run: Run, name: str) -> kept.Result:
        key = await self._runs.key_of(run.id, name)
        found = await self._results.find(run.app, key, trusted=run.is_trusted) if key else None
        if found is None:
            raise errors.Conflict(f"{name} has not run in {run.id}.")
        return found

    async def _kept(self, run: Run, seen: _Seen) -> kept.Result | None:
        found = await self._results.find(run.app, seen.key, trusted=run.is_trusted)
        if found is None:
            return None
        if await self._artifacts.are_there(found.artifacts) and await self._is_installed(found):
            return found
        await self._results.forget(found)
        return None

    async def _is_installed(self, result: kept.Result) -> bool:
        if not result.folder:
            return True
        with tempfile.TemporaryDirectory(prefix="shipway-") as folder:
            target = pathlib.Path(folder) / "result.json"
            path = f"{result.folder}/out/result.json"
            try:
                await self._keeper.collect(workspace.owner(result.app), path, target)
            except errors.NotFound:
                return False
        return True

    async def _make(
        self, run: Run, step: BuildStep, seen: _Seen, log: Callable[[str], str]
    ) -> kept.Result:
        trusted = _main_may_take(run, step, seen.needs)
        place = Workspace(
            run=run.id,
            step=step,
            caches="" if trusted and not run.is_trusted else run.caches,
            memory=self._room.most,
            disk=self._step_disk,
            needs=seen.needs,
            paths=tuple(seen.inputs),
        )
        # First, because housekeeping makes room on the disk while no step runs.
        await self._reserve.wait(log)
        async with self._room.taken(workspace.USUAL_MEMORY.get(step.kind, workspace.GIB // 2)):
            # Only now: until there is room a step waits, and does not run.
            await self._runs.start_step(run.id, step.name, key=seen.key)
            began = time.monotonic()
            left = await self._execute(run, place, log)
        result = kept.Result(
            app=run.app,
            key=seen.key,
            trusted=trusted,
            step=step.name,
            run=run.id,
            artifacts=await self._collect(run.app, place, left.artifacts),
            facts={**left.facts, "base": step.base} if step.base else left.facts,
            seconds=round(time.monotonic() - began, 3),
            folder=place.folder if left.trees or step.kind is StepKind.INSTALL else "",
            trees=left.trees,
        )
        if step.cacheable:
            await self._results.keep(result)
        return result

    async def _execute(self, run: Run, place: Workspace, log: Callable[[str], str]) -> boxed.Result:
        """Run the task and return what it has left. Raises `errors.Failed` when it fails."""
        owner, step = workspace.owner(run.app), place.step
        await self._keeper.run(place.nothing(run.app))
        await self._keeper.remove(owner, place.folder)
        for path, data in place.files.items():
            await self._keeper.write(owner, path, data, mode=0o644)
        if step.base:
            stored = await self._blobs.path(step.base)
            await self._keeper.place(owner, place.base, stored, unpack=True)
        last: list[str] = []

        def heard(line: str) -> None:
            last.append(log(line))
            del last[:-4]

        try:
            status = await self._keeper.run(place.task(run.app), on_line=heard)
        except errors.Failed as error:
            what = error.what.replace(shlex.join(boxed.ARGV), step.name)
            raise errors.Failed(what, fix=error.fix or _late(step)) from error
        left = await self._left(owner.app, place)
        if left and boxed.EVIDENCE in left.artifacts:
            left = await self._keep_evidence(run, place, left, log)
        if status or left is None or left.sentence:
            why = left.sentence if left else f"It ended with status {status} and left no result."
            before = " ".join(line for line in last if line != why)
            raise errors.Failed(
                f"{step.name} failed: {why} {before}".strip(),
                fix=f"`shipway logs {run.id}` shows everything it said.",
            )
        return left

    async def _keep_evidence(
        self, run: Run, place: Workspace, left: boxed.Result, log: Callable[[str], str]
    ) -> boxed.Result:
        """Keep what tests have left to be looked at, and return the rest of what they left."""
        step, name = place.step, f"{boxed.EVIDENCE}.{place.step.slug}"
        files = {name: left.artifacts[boxed.EVIDENCE]}
        digest = (await self._collect(run.app, place, files))[name]
        size = (await self._blobs.path(digest)).stat().st_size
        await self._artifacts.keep(
            Artifact(
                run=run.id,
                name=name,
                digest=digest,
                kind=boxed.EVIDENCE,
                size=size,
                commit=run.commit,
                provenance={"app": run.app, "step": step.name},
            )
        )
        log(f"What the tests left is kept as {name}, {size:,} bytes: {digest}")
        others = {k: v for k, v in left.artifacts.items() if k != boxed.EVIDENCE}
        return replace(left, artifacts=others)

    async def _left(self, app: str, place: Workspace) -> boxed.Result | None:
        """Read ``result.json``, if the step came so far."""
        with tempfile.TemporaryDirectory(prefix="shipway-") as folder:
            target = pathlib.Path(folder) / "result.json"
            try:
                await self._keeper.collect(workspace.owner(app), place.out("result.json"), target)
            except errors.NotFound:
                return None
            if target.stat().st_size > _LARGEST_RESULT:
                raise errors.Failed(f"{place.step.name} has left a result that is too big.")
            return boxed.read(target.read_text(errors="replace"), place.step)

    async def _collect(
        self, app: str, place: Workspace, files: Mapping[str, str]
    ) -> dict[str, str]:
        """Store the files that a step has made, and return names to digests."""
        digests: dict[str, str] = {}
        with tempfile.TemporaryDirectory(prefix="shipway-") as folder:
            for file in sorted(set(files.values())):
                target = pathlib.Path(folder) / file
                await self._keeper.collect(workspace.owner(app), place.out(file), target)
                digests[file], _ = await self._artifacts.store(target)
        return {name: digests[file] for name, file in files.items()}

    async def _record(
        self, run: Run, step: BuildStep, seen: _Seen, result: kept.Result, *, cached: bool
    ) -> StepResult:
        for name, digest in result.artifacts.items():
            size = (await self._blobs.path(digest)).stat().st_size
            await self._artifacts.keep(
                Artifact(
                    run=run.id,
                    name=name,
                    digest=digest,
                    kind=name.rpartition(".")[2] if name.endswith(".maps") else step.kind,
                    size=size,
                    commit=run.commit,
                    provenance=_provenance(run, step, seen, result),
                )
            )
        await self._runs.end_step(
            run.id,
            step.name,
            State.SUCCEEDED,
            _sentence(step, result, cached=cached),
            cached=cached,
            facts=result.facts,
        )
        return StepResult(
            name=step.name,
            artifacts=dict(result.artifacts),
            cached=cached,
            seconds=result.seconds,
            facts=dict(result.facts),
        )


def _late(step: BuildStep) -> str:
    if step.kind is not StepKind.TEST:
        return ""
    return f"Find what hangs, or raise `timeout_seconds` of {step.name} in shipway.toml."


def _main_may_take(run: Run, step: BuildStep, needs: Sequence[kept.Result]) -> bool:
    """Whether runs of main may take what a step of this run gives.

    That of another branch saw caches which any branch has written, unless it fetches nothing and
    stands on what main has fetched: then it is what main's own step would give.
    """
    return run.is_trusted or (not step.kind.fetches and all(need.trusted for need in needs))


def _sentence(step: BuildStep, result: kept.Result, *, cached: bool) -> str:
    if cached:
        return f"{step.name} is unchanged since {result.run}."
    return f"{step.name} succeeded in {result.seconds:.0f} s."


def _provenance(run: Run, step: BuildStep, seen: _Seen, result: kept.Result) -> dict[str, object]:
    return {
        "app": run.app,
        "step": step.name,
        "kind": step.kind,
        "argv": list(step.argv),
        "env": dict(step.env),
        "details": dict(step.details),
        "inputs": dict(seen.inputs),
        "needs": {need.step: need.key for need in seen.needs},
        "tools": dict(seen.tools),
        "facts": dict(result.facts),
        "recipe": boxed.recipe_version(),
        "key": seen.key,
        "made_in": result.run,
    }
