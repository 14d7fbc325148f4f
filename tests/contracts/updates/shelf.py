"""What is published once for all tests that only read."""

from __future__ import annotations

from dataclasses import dataclass

from tests.contracts.updates.world import App, World

from shipway.updates.records import Group

LATER = 3600


@dataclass(frozen=True)
class Shelf:
    """Apps: one that offers an update, one that is back at the embedded one, one with nothing.

    ``newest`` is the id of what `offering` offers to Android, ``older`` what it offered before.
    """

    offering: App
    back: App
    empty: App
    group: Group
    newest: str
    older: str


async def filled(world: World) -> Shelf:
    offering, back, empty = (world.app(name) for name in ("offering", "back", "empty"))
    first = await offering.publish("zero")
    group = await offering.publish("one")
    await back.publish("one")
    await back.roll_back("embedded")
    # A channel that was never published to, and a line of another runtime version.
    await empty.publish("one", runtime="other")
    return Shelf(
        offering=offering,
        back=back,
        empty=empty,
        group=group,
        newest=await offering.id_of(group),
        older=await offering.id_of(first),
    )
