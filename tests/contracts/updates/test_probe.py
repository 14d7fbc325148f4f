from __future__ import annotations
import pytest
from tests.contracts.updates.world import App
pytestmark = pytest.mark.anyio

@pytest.mark.parametrize("platform", ["ios", "android"])
async def test_x(app: App, platform) -> None:
    g = await app.publish()
    phone = app.device(platform, trust=await app.trust())
    phone.start()
    out = await phone.check()
    print(out)
    print(phone.exchanges[0].reply)
    assert out.loaded == await app.id_of(g, platform)
