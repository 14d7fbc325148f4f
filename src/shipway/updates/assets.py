"""Sees to it that the files of an update are there before it is offered again."""

from __future__ import annotations

import asyncio

from shipway.kit import blobs, errors
from shipway.updates import exports
from shipway.updates.files import Files
from shipway.updates.records import Offer


class Assets:
    """The files of updates, and the exports that they can be taken from again."""

    def __init__(self, store: blobs.Blobs, files: Files) -> None:
        self._blobs = store
        self._files = files

    async def ensure(self, offer: Offer) -> None:
        """Keep what an update refers to from being garbage, and bring back what was.

        Raises `errors.Refused` when its export is not kept any more either.
        """
        names = [asset.sha256 for asset in offer.assets]
        if await asyncio.to_thread(self._files.refresh, names):
            return
        with self._files.room() as place:
            try:
                archive = await self._blobs.path(offer.export)
                await asyncio.to_thread(exports.read, archive, offer.platform, place)
            except errors.ShipwayError as error:
                raise errors.Refused(
                    f"The files of update {offer.id} are not kept any more: {error.what}",
                    fix="`shipway update publish` publishes its release again.",
                ) from error
            for asset in offer.assets:
                await self._files.add(place / asset.sha256, asset.sha256, asset.ending)
