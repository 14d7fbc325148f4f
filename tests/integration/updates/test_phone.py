"""The demo's phone, without the minutes that its exports take."""

from __future__ import annotations

import pathlib
import random
from collections.abc import Mapping
from typing import cast

import pytest
from demo import phone
from demo.stage import Stage
from tests.fakes import platform, updates
from tests.fakes.expo_client import wire
from tests.fakes.expo_client.wire import Reply

from shipway.access.model import Role
from shipway.client.client import Client
from shipway.environments.vault import Vault
from shipway.kit import blobs, db
from shipway.updates.office import Office

pytestmark = pytest.mark.anyio


class Here:
    """A stage without an edge: the phone speaks to intake, with what the edge would add."""

    app = updates.APP

    def __init__(self, live: platform.Live, token: str, shipway: updates.Shipway) -> None:
        self._live, self._token, self._shipway = live, token, shipway

    def api(self) -> Client:
        return self._live.client(self._token)

    def url(self, environment: str, *, api: bool) -> str:
        assert (environment, api) == ("production", False)
        return self._shipway.base_url

    async def fetch(self, url: str, headers: Mapping[str, str]) -> Reply:
        return await wire.get(url, {**headers, **self._shipway.edge()})


async def test_the_phone_goes_along_and_back(
    database: db.Database, home: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = random.Random(1).randbytes(200_000)
    async with updates.served(database, home) as shipway:
        parts = platform.parts(database, home)
        await parts.platform.apps.create(updates.APP, "test")
        vault = Vault.at(home, opens=True)
        office = Office.of(database, blobs.Blobs(home / "artifacts"), vault, home)
        async with platform.served(parts) as live:
            here = Here(live, await parts.token("ada", Role.OWNER), shipway)
            monkeypatch.setattr(phone, "_through_the_edge", lambda stage: stage.fetch)
            await shipway.publish(code=code, assets={"png": b"picture"})
            held = await phone.Phone.bought(cast("Stage", here))
            await held.update()
            await shipway.publish(code=code + b"one line", assets={"png": b"picture"})
            await office.make_patches()
            await shipway.settle()
            sizes = await held.wait_for_patch()
            await held.update()
            await shipway.roll_back()
            await held.update()
    figures = held.figures()
    assert sizes["patch_bytes"] * 50 < sizes["full_bytes"]
    assert figures["updates_verified"] == 3
    assert (figures["patched"], figures["fallbacks"]) == (1, 0)
    assert figures["back_on_first"]
