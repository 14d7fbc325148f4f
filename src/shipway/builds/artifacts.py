"""What runs have made: which bytes, and how they came to be."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

from shipway.builds.boxed import EVIDENCE
from shipway.builds.model import Artifact
from shipway.kit import blobs, db, errors

_SQL = db.queries(__package__ or "")


class Artifacts:
    """The artifacts of runs, each stored once by its SHA-256, with their provenance."""

    def __init__(self, database: db.Database, store: blobs.Blobs) -> None:
        self._db = database
        self._blobs = store

    async def keep(self, artifact: Artifact) -> None:
        """Record an artifact whose bytes are in the store. May be repeated."""
        await self._db.run(
            _SQL["add_artifact"],
            run=artifact.run,
            name=artifact.name,
            digest=artifact.digest,
            kind=artifact.kind,
            size=artifact.size,
            commit=artifact.commit,
            provenance=db.json(dict(artifact.provenance)),
        )

    async def of(self, run: str) -> tuple[Artifact, ...]:
        """Return the artifacts of a run, by name."""
        return tuple(Artifact(**row) for row in await self._db.rows(_SQL["artifacts"], run=run))

    async def release_artifacts(self, run: str) -> dict[str, str]:
        """Return what a release is made of: names (``server``, ``web.staging``) to digests."""
        return {one.name: one.digest for one in await self.of(run) if one.kind != EVIDENCE}

    async def get(self, digest: str) -> Artifact:
        """Return the first making of these bytes. Raises `errors.NotFound`."""
        row = await self._db.row(_SQL["artifact"], digest=digest)
        if row is None:
            raise errors.NotFound(f"No run has made an artifact {digest[:12]}.")
        return Artifact(**row)

    async def store(self, path: pathlib.Path) -> tuple[str, int]:
        """Store a file and return its digest and size in bytes."""
        return await self._blobs.put(path), path.stat().st_size

    async def are_there(self, digests: Mapping[str, str]) -> bool:
        """Whether the store holds all of these."""
        try:
            for digest in digests.values():
                await self._blobs.path(digest)
        except errors.NotFound:
            return False
        return True
