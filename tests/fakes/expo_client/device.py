"""A phone with one build of an app: asks, downloads, launches, crashes, recovers.

It goes by what Expo's clients (expo-updates 57) were seen to do, and stands in for one. Time is
given from outside; nothing here waits.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from tests.fakes.expo_client import answers, headers, patches, selection, wire
from tests.fakes.expo_client.answers import Answer, Rejected
from tests.fakes.expo_client.build import Build, Storage
from tests.fakes.expo_client.download import Downloads, Incomplete, Patch
from tests.fakes.expo_client.manifest import Manifest
from tests.fakes.expo_client.selection import Row
from tests.fakes.expo_client.wire import Reply, Unreachable

Fetch = Callable[[str, Mapping[str, str]], Awaitable[Reply]]


@dataclass(frozen=True)
class Outcome:
    """What came of a check: what is ready to launch now, or why nothing is."""

    loaded: str | None = None
    rolled_back: bool = False
    reason: str = ""
    answer: Answer | None = None


@dataclass(frozen=True)
class Exchange:
    """A request that was made, and its answer."""

    url: str
    headers: Mapping[str, str]
    reply: Reply


class Device:
    """One installation."""

    def __init__(
        self,
        build: Build,
        clock: Callable[[], int],
        *,
        fetch: Fetch = wire.get,
        client_id: str | None = None,
        patch: Patch = patches.apply,
    ) -> None:
        """Start with an empty database. ``clock`` counts milliseconds since 1970."""
        client_id = client_id or str(uuid.uuid4())
        if build.platform == "ios":
            client_id = client_id.upper()
        self.build = build
        self.storage = Storage(client_id)
        self.launched: Row | None = None
        self.exchanges: list[Exchange] = []
        self.downloads = Downloads(build, self.storage, self._get, patch)
        self._clock = clock
        self._fetch = fetch
        source = build.url, dict(build.request_headers)
        self._policy = selection.Policy(build.runtime_version, source)

    # --- launching --------------------------------------------------------------------------------

    def start(self) -> Row:
        """Start the app's process: launch the best that is there. Raises `LookupError`."""
        embedded = self.build.embedded
        if embedded and self._policy.should_load(embedded, self._best(), self.storage.filters):
            self.storage.rows.setdefault(embedded.id, embedded)
        self.launched = self._best()
        if self.launched is None:
            raise LookupError("No launchable update was found")
        return self.launched

    def content_appeared(self) -> None:
        """Show the first screen: the launch counts as a success."""
        assert self.launched
        self.launched.successful += 1
        self.reap()

    async def crash(self, error: str) -> Row | None:
        """Fail before the first screen, then recover. Returns what runs then; None: it is dead.

        An update that once launched well is not left for an older one, only for a newer one.
        """
        assert self.launched
        failed = self.launched
        fresh = failed.successful == 0
        if fresh:
            failed.failed += 1
        outcome = await self.check()
        if fresh or outcome.loaded or outcome.rolled_back:
            try:
                if self.start() is not failed:
                    return self.launched
            except LookupError:
                pass
        self.storage.fatal_error = error
        self.launched = None
        return None

    def reap(self) -> None:
        """Delete what the client no longer keeps."""
        assert self.launched
        rows, filters = self.storage.rows, self.storage.filters
        for row in self._policy.to_delete(list(rows.values()), self.launched, filters):
            del rows[row.id]
        used = {asset.file_name for row in rows.values() for asset in (row.launch, *row.assets)}
        for name in self.storage.files.keys() - used:
            del self.storage.files[name]

    def _best(self) -> Row | None:
        embedded = self.build.embedded_id
        rows = [
            row
            for row in self.storage.rows.values()
            if row.launchable and (row.status != "embedded" or row.id == embedded)
        ]
        return self._policy.to_launch(rows, self.storage.filters)

    # --- asking -----------------------------------------------------------------------------------

    @property
    def reader(self) -> answers.Reader:
        """How this phone reads an answer, now."""
        now = datetime.datetime.fromtimestamp(self._clock() / 1000, datetime.UTC)
        return answers.Reader(self.build.platform, now, self.build.trust)

    async def ask(self) -> Answer:
        """Ask for an update and only read the answer. Raises `Rejected` or `Unreachable`."""
        wanted = headers.for_manifest(self.build, self.storage, self.launched)
        reply = await self._get(self.build.url, wanted)
        self.storage.fatal_error = None
        return self.reader.read(reply)

    async def would_be_patched(self) -> bool:
        """Whether the bundle of the update that is offered comes as a patch now."""
        answer = await self.ask()
        if answer.manifest is None:
            return False
        row = self._row(answer.manifest)
        extra = answer.asset_headers(row.launch.key)
        return await self.downloads.would_be_patched(row, self.launched, extra)

    async def check(self) -> Outcome:
        """Ask for an update and load it. It runs from the next `start`."""
        answer = None
        try:
            answer = await self.ask()
            outcome = await self._take(answer)
        except (Unreachable, Rejected, Incomplete) as error:
            return Outcome(reason=f"{type(error).__name__}: {error}", answer=answer)
        if answer.filters is not None:
            self.storage.filters = answer.filters
        if answer.server_headers is not None:
            self.storage.server_headers = answer.server_headers
        return self._roll_back(answer) or outcome

    async def _take(self, answer: Answer) -> Outcome:
        """Load the manifest of an answer, unless a directive stands beside it."""
        if answer.directive is not None:
            return Outcome(reason=answer.directive.type, answer=answer)
        if answer.manifest is None:
            return Outcome(reason="nothing offered", answer=answer)
        new = self._row(answer.manifest)
        if not self._policy.should_load(new, self.launched, answer.filters):
            return Outcome(reason="updateRejectedBySelectionPolicy", answer=answer)
        row = self.storage.rows.setdefault(new.id, new)
        if row.status == "pending":
            for asset in answer.manifest.all_assets:
                extra = answer.asset_headers(asset.key)
                await self.downloads.load(asset, row, self.launched, extra)
            row.status = "ready"
        return Outcome(loaded=row.id, answer=answer)

    def _row(self, manifest: Manifest) -> Row:
        return Row(
            id=manifest.id,
            commit=manifest.created,
            runtime_version=manifest.runtime_version,
            launch=manifest.launch,
            assets=manifest.assets,
            metadata=manifest.metadata,
            source=(self.build.url, dict(self.build.request_headers)),
        )

    def _roll_back(self, answer: Answer) -> Outcome | None:
        """Obey a rollback: the embedded update is dated anew, so that it is the newest."""
        directive, embedded = answer.directive, self.build.embedded
        if directive is None or directive.commit is None or embedded is None:
            return None
        if not self._policy.should_roll_back(
            directive.commit, embedded, self.launched, self.storage.filters
        ):
            return Outcome(reason="rollbackRejectedBySelectionPolicy", answer=answer)
        row = self.storage.rows.setdefault(embedded.id, embedded)
        row.commit = directive.commit
        return Outcome(rolled_back=True, answer=answer)

    async def _get(self, url: str, wanted: Mapping[str, str]) -> Reply:
        reply = await self._fetch(url, wanted)
        self.exchanges.append(Exchange(url, wanted, reply))
        return reply
