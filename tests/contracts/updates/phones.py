"""A phone in a random history: it polls, starts, crashes, and is held to what it should run."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping, Sequence

from tests.contracts.updates.world import App
from tests.fakes.expo_client.device import Device, Outcome
from tests.fakes.expo_client.manifest import Platform
from tests.fakes.expo_client.signing import Trust
from tests.fakes.expo_client.wire import Reply, Unreachable

from shipway.updates.records import Group, Offer

CRASH = b"throw new Error"
EXPECTED = {
    "",  # loaded
    "nothing offered",
    "noUpdateAvailable",
    "updateRejectedBySelectionPolicy",
    "rollbackRejectedBySelectionPolicy",
}

Lines = Sequence[tuple[Group, Offer]]


def code(number: int, *, crashes: bool) -> bytes:
    """Return a bundle; one that crashes does so before the first screen."""
    text = CRASH if crashes else b"render()"
    return b"// %d\n" % number + text + random.Random(5).randbytes(3000)


class Phone:
    """A device, and what it has been offered. After ``fails_after`` requests its network breaks."""

    def __init__(self, app: App, platform: Platform, client: str) -> None:
        self._app = app
        self._platform = platform
        self._client = str(uuid.UUID(client))
        self.fails_after: int | None = None
        self.offered: set[str] = set()
        self.failed: set[str] = set()

    def set_up(self, trust: Trust) -> None:
        """Install the app, and start it for the first time."""
        self.device: Device = self._app.device(self._platform, client_id=self._client, trust=trust)
        self.device._fetch = self._fetch
        self.device.start()
        self.device.content_appeared()

    async def _fetch(self, url: str, headers: Mapping[str, str]) -> Reply:
        if self.fails_after is not None:
            self.fails_after -= 1
            if self.fails_after < 0:
                raise Unreachable("the network is gone")
        reply = await self._app.fetch(url, headers)
        assert reply.status < 500
        return reply

    @property
    def running(self) -> str:
        assert self.device.launched is not None
        return self.device.launched.id

    async def poll(self, lines: Lines, *, channel_paused: bool) -> None:
        """Check for an update, and hold what is offered against what was offered before."""
        outcome = await self.device.check()
        assert outcome.reason in EXPECTED, outcome.reason
        self._must_be_sound(outcome)
        if not channel_paused:
            self._must_not_lose_anything(outcome, lines)

    async def start(self) -> None:
        """Start the app until something shows its first screen."""
        self.device.start()
        while self._crashes():
            self.failed.add(self.running)
            if await self.device.crash("Error: at start") is None:
                self.device.start()
        self.device.content_appeared()

    def must_run_the_right_one(self, lines: Lines) -> None:
        """Every rollout is whole: the newest that was not taken back and did not fail here."""
        stands = [offer for group, offer in lines if group.state != "reverted"]
        fit = [offer for offer in stands if offer.id not in self.failed]
        embedded = self.device.build.embedded_id
        right = embedded if not fit or fit[0].kind == "embedded" else fit[0].id
        runs = next((offer for _, offer in lines if offer.id == self.running), None)
        if fit and runs and fit[0].created < runs.created and stands[0].id in self.failed:
            return  # What was to replace it failed here, and the rest is older: it keeps it.
        assert self.running == right

    def _crashes(self) -> bool:
        launched = self.device.launched
        assert launched is not None
        return CRASH in self.device.storage.files.get(launched.launch.file_name, b"")

    def _must_be_sound(self, outcome: Outcome) -> None:
        """Nothing that failed here is offered again."""
        manifest = outcome.answer.manifest if outcome.answer else None
        if manifest:
            assert manifest.id not in self.failed
            self.offered.add(manifest.id)

    def _must_not_lose_anything(self, outcome: Outcome, lines: Lines) -> None:
        """Who was reached by an update stays reached, until it is paused, taken back or failed."""
        answer = outcome.answer
        if answer is None or (answer.directive and answer.directive.type == "rollBackToEmbedded"):
            return
        position = answer.manifest.id if answer.manifest else self.running
        created = {offer.id: offer.created for _, offer in lines}
        for group, offer in lines:
            if group.state in {"reverted", "paused"}:
                continue
            if offer.kind == "embedded":
                return  # all that is older is behind it
            if offer.id in self.offered - self.failed:
                assert created.get(position, 0) >= offer.created
                return
