"""The update endpoint: manifests and directives from boards, and the files that they name."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Mapping

from shipway.intake import answering, asking, assets
from shipway.intake.answering import Answers
from shipway.intake.asking import Malformed
from shipway.intake.boards import Boards
from shipway.intake.sightings import Sightings
from shipway.updates import manifests, model
from shipway.updates.files import Files

PREFIX = "/_updates/"
CHANNEL = "x-shipway-updates"
"""The edge tells with it which channel a host is: ``<app>/<channel>``. Clients cannot."""


HEADERS = {
    name.encode(): name
    for name in (
        "a-im", "accept", "accept-encoding", "eas-client-id", "expo-channel-name",
        "expo-current-update-id", "expo-embedded-update-id", "expo-expect-signature",
        "expo-fatal-error", "expo-platform", "expo-protocol-version",
        "expo-recent-failed-update-ids", "expo-requested-update-id", "expo-runtime-version",
        "if-none-match", "if-range", "range", CHANNEL,
    )
}  # fmt: skip
"""The headers of requests that are looked at."""


class Updates:
    """Answers what Expo's clients ask of a channel."""

    def __init__(self, boards: Boards, files: Files, sightings: Sightings) -> None:
        self._boards = boards
        self._files = assets.Shelf(files)
        self._sightings = sightings
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Read the boards and begin to watch them, before the first request."""
        await self._sightings.open()
        await self._boards.load()
        chores = (self._boards.watch(), self._sightings.keep_writing())
        self._tasks = [asyncio.create_task(chore) for chore in chores]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def answer(
        self, path: str, headers: Mapping[str, str]
    ) -> answering.Answer | assets.Sending:
        """Return the answer to a GET or HEAD below `PREFIX`. Never raises for what a client sent."""
        try:
            app, _, default = headers.get(CHANNEL, "").partition("/")
            if path == manifests.MANIFEST:
                return self._manifest(app, default, headers)
            if path.startswith(manifests.ASSETS):
                return await self._asset(path.removeprefix(manifests.ASSETS), app, default, headers)
            raise Malformed("There is nothing at this address.", 404)
        except Malformed as error:
            return refusal(error)

    def _manifest(self, app: str, default: str, headers: Mapping[str, str]) -> answering.Answer:
        channel = _channel(headers, default)
        answers = self._boards.get(app, channel)
        if answers is None:
            raise Malformed("There is no such channel.", 404)
        asked = _of_ours(asking.asked(headers), answers)
        forms = asking.forms(headers.get("accept", ""), asked.protocol)
        if not forms:
            raise Malformed(f"Accept one of {', '.join(asking.FORMS)}.", 406)
        expected = asking.expected(headers.get("expo-expect-signature", ""))
        choice = self._choose(answers, asked)
        answer = answers.get(choice, forms, expected, asked.protocol)
        offered = choice.entry.id if choice.entry else ""
        self._sightings.asked(app, channel, asked, offered)
        return answer

    def _choose(self, answers: Answers, asked: model.Asked) -> model.Choice:
        board = answers.board
        if board.paused:
            return model.NOTHING
        line = board.line(asked.platform, asked.runtime)
        return model.choose(line, asked, failed=self._sightings.failed(asked.client))

    async def _asset(
        self, name: str, app: str, default: str, headers: Mapping[str, str]
    ) -> answering.Answer | assets.Sending:
        answers = self._boards.get(app, _channel(headers, default))
        found = await self._files.find(name, headers, answers.board if answers else None)
        requested = asking.update_id(headers, "expo-requested-update-id")
        if requested and found.of_launch and found.status in {200, 226}:
            client = asking.client(headers)
            self._sightings.fetched(app, client, requested, found.base, found.saved)
        return found


def _channel(headers: Mapping[str, str], default: str) -> str:
    return headers.get("expo-channel-name", "").strip() or default


def _of_ours(asked: model.Asked, answers: Answers) -> model.Asked:
    """Leave out failures of updates that nobody was ever offered: whoever invents some would
    have them remembered."""
    if not asked.failed:
        return asked
    known = answers.board.launches
    return dataclasses.replace(asked, failed=tuple(one for one in asked.failed if one in known))


def refusal(error: Malformed) -> answering.Answer:
    """Return what a request is told that no client means."""
    body = answering.problem(str(error))
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "cache-control": "no-store",
        "expo-protocol-version": "1",
        "expo-sfv-version": "0",
        "x-content-type-options": "nosniff",
    }
    pairs = tuple((name.encode(), value.encode()) for name, value in headers.items())
    return answering.Answer(error.status, pairs, body)
