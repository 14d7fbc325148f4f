"""Pushes: whether they may land, that their runs start, and how the runs go."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import pathlib
import secrets
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Annotated, cast

import fastapi
import pydantic
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from shipway.access.model import Caller
from shipway.api import following, git_hook, push_rules
from shipway.api.progress import Progress
from shipway.builds import logs
from shipway.builds.model import Run
from shipway.kit import errors, log
from shipway.kit.notices import Notices
from shipway.workflows.front import ApiPlatform

SOCKET = "api/api.sock"
"""The API's Unix socket, in the folder of sockets."""

HOOKS = ("pre-receive", "post-receive")
LOOK_AGAIN = 60.0
LOOK_SOON = 5.0
"""Seconds between looks for pushes that nobody reported, and after one that went wrong."""

_log = log.get("pushes")


class Pushing:
    """The pushes that are under way. Each has a secret by which its hooks are known."""

    def __init__(self, on: ApiPlatform, notices: Notices) -> None:
        self.on = on
        self.notices = notices
        self._under_way: dict[str, tuple[str, Caller]] = {}
        self._look = asyncio.Event()

    @property
    def hooks(self) -> pathlib.Path:
        return self.on.settings.run / "api" / "hooks"

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Write the hooks, and look for pushes that landed without being reported."""
        _write_hooks(self.hooks)
        looking = asyncio.create_task(self._look_for_pushes())
        try:
            yield
        finally:
            looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await looking

    @contextlib.contextmanager
    def environment(self, app: str, caller: Caller) -> Iterator[dict[str, str]]:
        """Give the variables by which the hooks of one push find the API and are known to it."""
        secret = secrets.token_urlsafe(32)
        self._under_way[secret] = (app, caller)
        try:
            yield {
                "SHIPWAY_PUSH_SECRET": secret,
                "SHIPWAY_PUSH_SOCKET": str(self.on.settings.run / SOCKET),
            }
        finally:
            del self._under_way[secret]

    def of(self, secret: str) -> tuple[str, Caller]:
        """Return the app and person of a push. Raises `errors.Unknown`."""
        if secret not in self._under_way:
            raise errors.Unknown("No such push is under way.")
        return self._under_way[secret]

    async def landed(self, app: str, by: str) -> bool:
        """Start the runs of whatever has landed. Returns False when a later look has to."""
        try:
            await self.on.requests.pushes_arrived(app, by)
        except Exception as error:  # noqa: BLE001 -- what has landed must not be taken for refused
            _log.warning("push.not_started", app=app, why=repr(error))
            self._look.set()
            return False
        return True

    async def _look_for_pushes(self) -> None:
        """The refs are the truth: a push lands even if its person or this process left then."""
        while True:
            self._look.clear()
            pause = LOOK_AGAIN
            try:
                await self.on.requests.resume()
            except Exception as error:  # noqa: BLE001 -- the next look may go well
                _log.warning("pushes.not_looked_for", why=repr(error))
                pause = LOOK_SOON
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), pause)


def _write_hooks(folder: pathlib.Path) -> None:
    """Write a program for each hook. Raises `errors.Failed` when it cannot be run there: git
    would leave it out without a word."""
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    (folder / "git_hook.py").write_text(inspect.getsource(git_hook))
    for name in HOOKS:
        draft = folder / f".{name}"
        draft.write_text(
            f'#!/bin/sh\nexec {sys.executable} -I "$(dirname "$0")/git_hook.py" {name}\n'
        )
        draft.chmod(0o750)
        draft.replace(folder / name)
        if not os.access(folder / name, os.X_OK):
            raise errors.Failed(
                f"{folder / name} cannot be run.", fix="Is its file system mounted noexec?"
            )


class Pushed(pydantic.BaseModel):
    """What a hook tells."""

    updates: tuple[push_rules.Update, ...]


def _pushing(request: fastapi.Request) -> Pushing:
    return cast("Pushing", request.app.state.pushing)


router = fastapi.APIRouter(prefix="/internal/pushes", include_in_schema=False)
Pushes = Annotated[Pushing, fastapi.Depends(_pushing)]
Secret = Annotated[str, fastapi.Header(alias="x-shipway-push")]


@router.post("/check")
async def check(body: Pushed, secret: Secret, pushing: Pushes) -> Response:
    """Say no with every reason, or record who pushes what."""
    app, caller = pushing.of(secret)
    if reasons := push_rules.refusals(app, body.updates):
        text = "\n".join(("", "Shipway refuses this push:", *_bullets(reasons), ""))
        return PlainTextResponse(text + "\n", status_code=409)
    refs = {update.ref: update.new for update in body.updates}
    await pushing.on.audit.record(caller.person, "push", app, refs)
    return PlainTextResponse("")


def _bullets(reasons: Sequence[str]) -> list[str]:
    return [f"* {reason}".replace("\n", "\n  ") for reason in reasons]


@router.post("/arrived")
async def arrived(body: Pushed, secret: Secret, pushing: Pushes) -> Response:
    """Start the runs of a push and tell how they go."""
    app, caller = pushing.of(secret)
    if not await pushing.landed(app, caller.person):
        return PlainTextResponse(
            "\nThe push has landed, and its run starts as soon as Shipway can: see `shipway runs`.\n"
        )
    runs = await _runs_of(app, body.updates, pushing.on)
    return StreamingResponse(_told(runs, pushing), media_type="text/plain")


async def _runs_of(app: str, updates: Sequence[push_rules.Update], on: ApiPlatform) -> list[Run]:
    """Return the newest run of each branch that was pushed."""
    wanted = {update.branch: update.new for update in updates if not update.deletes}
    found: dict[str, Run] = {}
    for run in await on.runs.list(app, limit=100):
        if wanted.get(run.branch) == run.commit:
            found.setdefault(run.branch, run)
    return list(found.values())


async def _told(runs: Sequence[Run], pushing: Pushing) -> AsyncIterator[str]:
    for run in runs:
        yield f"\n{run.branch} {run.commit[:7]}: {run.kind} run {run.id}\n"
    if not runs:
        return
    if len(runs) > 1:
        yield "Follow any of them with `shipway logs -f RUN`.\n"
        return
    yield "Ctrl-C leaves it running.\n\n"
    async for line in _lines(runs[0], pushing):
        yield line + "\n"


async def _lines(run: Run, pushing: Pushing) -> AsyncIterator[str]:
    progress = Progress()
    over = False
    seen = following.Seen()
    async for event in following.follow(run.id, seen, pushing.on, pushing.notices):
        for line in progress.lines(event):
            # A sentence may quote what a program printed; a terminal must not obey that.
            yield logs.readable(line)
        over = bool(event.run and event.run.over)
    if not over:
        yield f"Shipway is restarting. The run goes on: shipway logs -f {run.id}"
