"""Where an app's notifications go, and what became of them."""

from __future__ import annotations

import fastapi

from shipway.access.model import Action
from shipway.api import paging, shapes, writing
from shipway.api.asking import READS, Asker, On
from shipway.client import wire
from shipway.kit import errors

router = fastapi.APIRouter(
    prefix="/v1/apps/{app}",
    tags=["notifications"],
    route_class=writing.Route,
    dependencies=[READS],
)


@router.get("/channels", name="channels.list")
async def list_channels(app: str, asker: Asker, on: On) -> wire.Page[wire.Channel]:
    """The address of a webhook may hold a password: only those who set them see them."""
    asker.must(Action.CHANGE_CHANNELS)
    await on.apps.get(app)
    return wire.Page(items=tuple(shapes.channel(found) for found in await on.channels.list(app)))


@router.post("/channels", name="channel.add", status_code=201, tags=[writing.UNTOLD])
async def add(app: str, body: wire.AddChannel, asker: Asker, on: On) -> wire.AddedChannel:
    """Add a webhook or an e-mail address. The key of a webhook's signatures is told only here."""
    asker.must(Action.CHANGE_CHANNELS)
    await on.apps.get(app)
    if body.kind == "email" and not on.settings.smtp_url:
        raise errors.Refused(
            "This Shipway has no mail server.", fix="Set smtp_url in settings.toml first."
        )
    channel, secret = await on.channels.add(app, body.kind, body.target)
    return wire.AddedChannel(**shapes.channel(channel).model_dump(), secret=secret)


@router.delete("/channels/{channel}", name="channel.remove")
async def remove(app: str, channel: str, asker: Asker, on: On) -> wire.Said:
    asker.must(Action.CHANGE_CHANNELS)
    await on.channels.remove(app, channel)
    return wire.Said(sentence=f"{app} tells {channel} no more.")


@router.get("/deliveries", name="deliveries.list")
async def deliveries(
    app: str, on: On, limit: paging.Limit = 50, after: paging.After = ""
) -> wire.Page[wire.Delivery]:
    """What was told, the newest first."""
    await on.apps.get(app)
    found = await on.outbox.deliveries(app, limit=limit + 1, before=after or None)
    shown = [shapes.delivery(one) for one in found]
    return paging.page(shown, limit, [one.id for one in found])
