"""A phone with the app: it asks for updates through the edge, checks and runs them."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import time
import uuid
from collections.abc import Mapping
from typing import Any, Final

import httpx2
from tests.fakes.expo_client.build import Build, sha256
from tests.fakes.expo_client.device import Device, Outcome
from tests.fakes.expo_client.signing import Trust
from tests.fakes.expo_client.wire import Reply

from demo.stage import Failed, Stage

PATIENCE_SECONDS = 300.0
PLATFORM: Final = "android"


class Phone:
    """One installation of the production build, made when the first release was live."""

    def __init__(self, stage: Stage, device: Device) -> None:
        self._stage = stage
        self._device = device
        self.bundles: list[str] = []

    @classmethod
    async def bought(cls, stage: Stage) -> Phone:
        """A phone fresh from the shop: it trusts the certificate that the app's key has."""
        async with stage.api() as api:
            keys = await api.update_keys(stage.app)
            newest = (await api.updates(stage.app, environment="production", limit=1)).items[0]
            shown = await api.update(stage.app, newest.id)
        runtime = next(one.runtime for one in shown.manifests if one.platform == PLATFORM)
        build = Build(
            platform=PLATFORM,
            url=f"{stage.url('production', api=False)}/_updates/manifest",
            runtime_version=runtime,
            request_headers={"expo-channel-name": "production"},
            trust=Trust(keys.items[0].certificate, keyid=keys.items[0].id),
            embedded_id=str(uuid.uuid4()),
        )
        device = Device(build, lambda: int(time.time() * 1000), fetch=_through_the_edge(stage))
        device.start()
        device.content_appeared()
        return cls(stage, device)

    async def update(self) -> Outcome:
        """Ask, download, check signature and hashes, and start what came."""
        outcome = await self._device.check()
        if not outcome.loaded:
            raise Failed(f"the phone got no update: {outcome.reason}")
        launched = self._device.start()
        if launched.id != outcome.loaded:
            raise Failed(f"the phone runs {launched.id}, and not {outcome.loaded}")
        self._device.content_appeared()
        self.bundles.append(sha256(self._bundle()))
        return outcome

    async def wait_for_patch(self) -> dict[str, int]:
        """Wait until the newest update comes as a patch to this phone, and return its sizes."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not await self._device.would_be_patched():  # noqa: ASYNC110 -- as phones ask
                    await asyncio.sleep(0.5)
        except TimeoutError as error:
            raise Failed("no patch was made") from error
        async with self._stage.api() as api:
            page = await api.updates(self._stage.app, environment="production", limit=1)
            shown = await api.update(self._stage.app, page.items[0].id)
        running = hashlib.sha256(self._bundle()).hexdigest()
        patch = next(one for one in shown.patches if one.offered and one.base == running)
        return {"patch_bytes": patch.size, "full_bytes": patch.full_size}

    def _bundle(self) -> bytes:
        """Return what the phone runs now."""
        assert self._device.launched
        return self._device.storage.files[self._device.launched.launch.file_name]

    def figures(self) -> dict[str, Any]:
        downloads = self._device.downloads
        return {
            "updates_verified": len(self.bundles),
            "patched": downloads.patched,
            "fallbacks": downloads.fallbacks,
            "bytes_received": downloads.received,
            "back_on_first": self.bundles[-1] == self.bundles[0] != self.bundles[1],
        }


def _through_the_edge(stage: Stage) -> Any:
    trust = ssl.create_default_context(cafile=str(stage.ca_file))

    async def fetch(url: str, headers: Mapping[str, str]) -> Reply:
        host, _, port = stage.edge.rpartition(":")
        asked = httpx2.URL(url)
        async with (
            httpx2.AsyncClient(verify=trust, trust_env=False, timeout=30) as client,
            client.stream(
                "GET",
                asked.copy_with(host=host, port=int(port)),
                headers={**headers, "host": asked.netloc.decode()},
                extensions={"sni_hostname": asked.host},
            ) as answer,
        ):
            body = b"".join([part async for part in answer.aiter_raw()])
            pairs = tuple((name.decode(), value.decode()) for name, value in answer.headers.raw)
            return Reply(answer.status_code, pairs, body)

    return fetch
