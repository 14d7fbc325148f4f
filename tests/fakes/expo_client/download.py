"""How a client loads the assets of an update: once each, checked, the bundle as a patch."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from tests.fakes.expo_client import headers, patches
from tests.fakes.expo_client.build import Build, Storage, sha256
from tests.fakes.expo_client.manifest import Asset
from tests.fakes.expo_client.selection import Row
from tests.fakes.expo_client.wire import Reply

Get = Callable[[str, Mapping[str, str]], Awaitable[Reply]]
Patch = Callable[[bytes, bytes], bytes]


class Incomplete(Exception):
    """An asset did not arrive, or not as the manifest says: the update stays pending."""


class Downloads:
    """Loads assets into the files of an installation."""

    def __init__(self, build: Build, storage: Storage, get: Get, patch: Patch) -> None:
        self._build = build
        self._storage = storage
        self._get = get
        self._patch = patch
        self.received = 0
        self.patched = 0
        self.fallbacks = 0

    async def load(
        self, asset: Asset, row: Row, launched: Row | None, extra: Mapping[str, str]
    ) -> None:
        """Load one asset. Raises `Incomplete`. A file that is there is taken as it is."""
        if asset.file_name in self._storage.files:
            return
        other = launched is not None and launched.id != row.id
        patch = self._build.patches and other and asset == row.launch
        reply = await self._ask(asset, row, launched, extra, patch=patch)
        data = reply.decoded
        if is_patch(reply):
            data = await self._patch_or_whole(reply, asset, row, launched, extra, allowed=patch)
        if asset.hash is not None and sha256(data) != asset.hash:
            raise Incomplete(f"{asset.url} has another hash than its manifest says")
        self._storage.files[asset.file_name] = data

    async def would_be_patched(
        self, row: Row, launched: Row | None, extra: Mapping[str, str]
    ) -> bool:
        """Whether the bundle of an update comes as a patch now. Nothing of it is kept."""
        wanted = headers.for_asset(
            self._build, self._storage, launched, requested=row.id, extra=extra, patch=True
        )
        return is_patch(await self._get(row.launch.url, wanted))

    async def _ask(
        self,
        asset: Asset,
        row: Row,
        launched: Row | None,
        extra: Mapping[str, str],
        *,
        patch: bool,
    ) -> Reply:
        wanted = headers.for_asset(
            self._build, self._storage, launched, requested=row.id, extra=extra, patch=patch
        )
        reply = await self._get(asset.url, wanted)
        if not 200 <= reply.status <= 299:
            raise Incomplete(f"{asset.url} answers with {reply.status}")
        self.received += len(reply.body)
        return reply

    async def _patch_or_whole(
        self,
        reply: Reply,
        asset: Asset,
        row: Row,
        launched: Row | None,
        extra: Mapping[str, str],
        *,
        allowed: bool,
    ) -> bytes:
        """Apply a patch; ask once more for the whole file when anything is wrong with it."""
        base = self._base(reply, launched) if allowed else None
        if base is not None:
            try:
                data = self._patch(base, reply.decoded)
            except patches.Corrupt:
                data = b""
            if asset.hash is None or sha256(data) == asset.hash:
                self.patched += 1
                return data
        self.fallbacks += 1
        again = await self._ask(asset, row, None, {}, patch=False)
        if is_patch(again):
            raise Incomplete("the server patches although nobody asked for it")
        return again.decoded

    def _base(self, reply: Reply, launched: Row | None) -> bytes | None:
        named = reply.header("expo-base-update-id")
        if launched is None or named is None or named.lower() != launched.id:
            return None
        if launched.status == "embedded":
            return self._build.embedded_bundle
        base = self._storage.files.get(launched.launch.file_name)
        return base if base is not None and sha256(base) == launched.launch.hash else None


def is_patch(reply: Reply) -> bool:
    named = [token.strip().lower() for token in (reply.header("im") or "").split(",")]
    return reply.status == 226 or "bsdiff" in named
