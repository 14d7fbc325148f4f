"""Housekeeping, asked for by command and done by the worker: what serves goes on serving."""

from __future__ import annotations

import pytest
from demo.stage import Failed, Stage

from shipway.kit import http

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600), pytest.mark.xdist_group("tiny")]


async def test_housekeeping_leaves_alone_what_is_live(tiny: Stage) -> None:
    live = await tiny.live("production")

    assert "Nothing has to go." in await tiny.shipway("housekeeping", "--dry-run")
    assert "Nothing had to go." in await tiny.shipway("housekeeping")

    last = await tiny.shipway("housekeeping", "--last")
    assert "by owner: Nothing had to go." in last
    assert "by itself: Nothing had to go." in last
    await tiny.expect("production", live)
    answer = await http.get(
        f"{tiny.url('production')}/health", address=tiny.edge, ca_file=tiny.ca_file
    )
    assert answer.status_code == 200


async def test_only_an_owner_has_things_removed(tiny: Stage) -> None:
    assert "Nothing has to go." in await tiny.shipway("housekeeping", "--dry-run", person="ada")
    with pytest.raises(Failed, match="ada is an approver and may not remove what is not needed"):
        await tiny.shipway("housekeeping", person="ada")
