"""Two releases are approved at the same moment: they go one after the other, never back."""

from __future__ import annotations

import asyncio

import pytest
from demo.stage import Stage
from tests.stories.changing import TINY, changed

from shipway.client import wire
from shipway.kit import http

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900), pytest.mark.xdist_group("tiny")]


async def test_two_promotions_at_once_end_with_the_newer_release(tiny: Stage) -> None:
    async with changed(tiny, TINY, lambda text: text + "\n# the older of two\n"):
        await tiny.deliver()
        older = await newest(tiny)
        await tiny.commit(TINY, lambda text: text + "# the newer of two\n", "Go on")
        await tiny.deliver()
    newer = await newest(tiny)

    await asyncio.gather(approve(tiny, older), approve(tiny, newer))

    await over(tiny, older)
    last = await over(tiny, newer)
    assert last.state == "live", last.sentence
    first = await over(tiny, older)  # it may have been live for a moment
    assert first.state in {"warm", "retired"} or f"lacks the commit of {newer.version}" in (
        first.sentence
    )
    await tiny.expect("production", newer.version)
    answer = await http.get(
        f"{tiny.url('production')}/health", address=tiny.edge, ca_file=tiny.ca_file
    )
    assert answer.status_code == 200


async def newest(tiny: Stage) -> wire.Release:
    async with tiny.api() as api:
        return (await api.releases(tiny.app, limit=1)).items[0]


async def approve(tiny: Stage, release: wire.Release) -> None:
    await tiny.shipway("approve", release.version, "--app", tiny.app, person="ada")


async def over(tiny: Stage, release: wire.Release) -> wire.Deployment:
    """Wait until the release's deployment to production is over."""
    async with tiny.api() as api, asyncio.timeout(300):
        while True:
            page = await api.deployments(tiny.app, "production", limit=10)
            for one in page.items:
                if one.release == release.id and one.over:
                    return one
            await asyncio.sleep(0.2)
