"""Publishing: the exports of a build become updates, of all platforms at once or not at all."""

from __future__ import annotations

import asyncio
import json
import pathlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shipway.kit import blobs, clock, db, errors, ids
from shipway.updates import exports, manifests, model, native
from shipway.updates.boards import Boards
from shipway.updates.exports import Export
from shipway.updates.files import Files
from shipway.updates.keys import Keys
from shipway.updates.manifests import Contents
from shipway.updates.native import Native
from shipway.updates.records import Group, Offer, Records


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What is to be published on a branch. ``exports`` and ``fingerprints`` map platforms to
    digests of artifacts; ``base_url`` is where clients reach intake; the same ``key`` again
    changes nothing."""

    app: str
    branch: str
    key: str
    base_url: str
    exports: Mapping[str, str]
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    release: str = ""
    version: str = ""
    commit: str = ""
    message: str = ""
    author: str = ""
    per_mille: int = model.WHOLE


@dataclass(frozen=True, kw_only=True)
class _Part:
    """One platform of a publication, read and found fit."""

    export: Export
    native: Native
    artifact: str


class Publisher:
    """Publishes. Used by the worker, which alone can sign."""

    def __init__(
        self,
        database: db.Database,
        store: blobs.Blobs,
        files: Files,
        keys: Keys,
        boards: Boards,
        *,
        now: clock.Clock = clock.now,
    ) -> None:
        self._db = database
        self._blobs = store
        self._files = files
        self._keys = keys
        self._boards = boards
        self._now = now
        self._records = Records(database)

    async def publish(self, publication: Publication) -> Group:
        """Publish, and return the group. Raises `errors.Refused` with every reason why not."""
        found = await self._records.group_of_key(publication.key)
        if found is None:
            with self._files.room() as folder:
                parts = await self._read(publication, folder)
            # Made here too: the first key of an app is not to be lost with this transaction.
            await self._keys.ensure(publication.app)
            found = await self._record(publication, parts)
        await self._boards.refresh(publication.app, branch=publication.branch)
        return found

    async def _read(self, publication: Publication, folder: pathlib.Path) -> Sequence[_Part]:
        if not publication.exports:
            raise errors.Refused("There is no export for iOS or Android to publish")
        parts = []
        for platform, digest in sorted(publication.exports.items()):
            archive = await self._blobs.path(digest)
            place = folder / platform
            place.mkdir()
            export = await asyncio.to_thread(exports.read, archive, platform, place)
            found = await self._native(publication, export)
            parts.append(_Part(export=export, native=found, artifact=digest))
        await self._must_be_fit(publication.app, parts)
        for part in parts:
            for asset in part.export.all_assets:
                source = folder / part.export.platform / asset.sha256
                await self._files.add(source, asset.sha256, asset.ending)
        return parts

    async def _native(self, publication: Publication, export: Export) -> Native:
        """Return the native side that a platform's export is for."""
        sources: Sequence[Mapping[str, Any]] = ()
        hash_ = ""
        if digest := publication.fingerprints.get(export.platform, ""):
            path = await self._blobs.path(digest)
            hash_, sources = await asyncio.to_thread(read_fingerprint, path)
            await self._records.put_fingerprint(publication.app, export.platform, hash_, sources)
        runtime = native.runtime_of(export.config, export.platform, hash_)
        if not runtime:
            raise errors.Refused(
                f"The runtime version of {export.platform} is not known",
                fix="Publish with a fingerprint, or set `runtimeVersion` in app.json.",
            )
        return Native(platform=export.platform, runtime=runtime, fingerprint=hash_, sources=sources)

    async def _must_be_fit(self, app: str, parts: Sequence[_Part]) -> None:
        builds = await self._records.store_builds(app)
        reasons: list[str] = []
        for part in parts:
            hashes = {b.fingerprint for b in builds if b.platform == part.native.platform}
            known = {
                hash_: await self._records.fingerprint(app, part.native.platform, hash_)
                for hash_ in hashes
            }
            reasons += native.problems(part.native, builds, known)
        if reasons:
            raise errors.Refused(
                *reasons,
                fix="Make a native build, and register it with `shipway client register-build`.",
            )

    async def _record(self, publication: Publication, parts: Sequence[_Part]) -> Group:
        """Record everything at once. Two publishes of a branch come one after the other."""
        async with self._db.transaction():
            await self._records.lock(publication.app, "")
            if found := await self._records.group_of_key(publication.key):
                return found
            await self._records.channel(publication.app, publication.branch)
            group = _group(publication, parts, now=self._now)
            offers = [await self._offer(publication, group, part) for part in parts]
            await self._records.add(group, offers)
        return await self._records.group(group.id)

    async def _offer(self, publication: Publication, group: Group, part: _Part) -> Offer:
        platform, runtime = part.native.platform, part.native.runtime
        latest = await self._records.latest_created(publication.app, platform, runtime)
        created = model.next_created(model.milliseconds(self._now()), latest=[latest])
        update = str(uuid.uuid4())
        contents = Contents(
            platform=platform,
            runtime=runtime,
            launch=part.export.launch,
            assets=part.export.assets,
            metadata=_metadata(publication, group.id),
            extra={"expoClient": dict(part.export.config)} if part.export.config else {},
        )
        text = manifests.manifest(
            contents, id=update, created=created, base_url=publication.base_url
        )
        return Offer(
            id=update,
            group=group.id,
            app=publication.app,
            branch=publication.branch,
            platform=platform,
            runtime=runtime,
            kind="update",
            created=created,
            signed=await self._keys.sign(publication.app, text),
            launch=part.export.launch.sha256,
            assets=part.export.all_assets,
            export=part.artifact,
            fingerprint=part.native.fingerprint,
            size=part.export.size,
        )


def read_fingerprint(path: pathlib.Path) -> tuple[str, Sequence[Mapping[str, Any]]]:
    """Return the hash and the sources of a fingerprint. Raises `errors.Refused`."""
    try:
        found = json.loads(path.read_bytes())
        return str(found["hash"]), tuple(dict(source) for source in found.get("sources", ()))
    except (ValueError, KeyError, TypeError) as error:
        raise errors.Refused(f"The fingerprint cannot be read: {error}") from error


def _metadata(publication: Publication, group: str) -> dict[str, str]:
    told = {model.BRANCH: publication.branch, "group": group}
    return told | ({"release": publication.version} if publication.version else {})


def _group(publication: Publication, parts: Sequence[_Part], *, now: clock.Clock) -> Group:
    per_mille = publication.per_mille
    names = " and ".join(part.native.platform for part in parts)
    return Group(
        id=ids.new("upd"),
        number=0,
        app=publication.app,
        branch=publication.branch,
        key=publication.key,
        kind="publish",
        release=publication.release,
        version=publication.version,
        commit=publication.commit,
        message=publication.message,
        author=publication.author,
        per_mille=per_mille,
        state="whole" if per_mille >= model.WHOLE else "rolling",
        source=None,
        size=sum(part.export.size for part in parts),
        sentence=f"Published for {names}.",
        created=now(),
    )
