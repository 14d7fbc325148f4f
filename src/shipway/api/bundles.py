"""Bundles of native builds, handed in as bases for patches. They are streamed to the disk."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import fastapi

from shipway.access.model import Action
from shipway.api.asking import READS, Asker, On
from shipway.client import wire

_PATH = re.compile(r"/v1/apps/[^/]+/embedded-bundles/[^/]+")

# No `writing.Route`: that one keeps the whole request. The name of the bundle is its key.
router = fastapi.APIRouter(prefix="/v1/apps/{app}", tags=["updates"], dependencies=[READS])


def takes(scope: Mapping[str, Any]) -> bool:
    """Return whether a request brings a bundle, whose size is bounded as it is written."""
    return scope["method"] == "PUT" and _PATH.fullmatch(scope["path"]) is not None


@router.put("/embedded-bundles/{sha256}", name="embedded_bundle.put", status_code=201)
async def put(app: str, sha256: str, request: fastapi.Request, asker: Asker, on: On) -> wire.Said:
    """Keep a bundle; `store_build.register` says which build has it."""
    asker.must(Action.DEPLOY, "production")
    await on.apps.get(app)
    await on.audit.record(asker.person, "embedded_bundle.put", f"{app}/{sha256[:64]}", {})
    size = await on.updates.inbox.put(sha256, request.stream())
    return wire.Said(sentence=f"The bundle of {size} bytes is here.")
