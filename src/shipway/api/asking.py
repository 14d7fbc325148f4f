"""Who asks, and what every request may use."""

from __future__ import annotations

from typing import Annotated, cast

import fastapi

from shipway.access.model import Action, Caller
from shipway.kit import errors
from shipway.kit.notices import Notices
from shipway.workflows.front import ApiPlatform


def platform(request: fastapi.Request) -> ApiPlatform:
    return cast("ApiPlatform", request.app.state.platform)


def notices(request: fastapi.Request) -> Notices:
    return cast("Notices", request.app.state.notices)


async def caller(request: fastapi.Request) -> Caller:
    """Return who holds the bearer token. Raises `errors.Unknown`."""
    if known := getattr(request.state, "caller", None):
        return cast("Caller", known)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise errors.Unknown("This needs a token.", fix="Log in with `shipway login`.")
    found = await platform(request).people.by_token(token.strip())
    request.state.caller = found
    return found


On = Annotated[ApiPlatform, fastapi.Depends(platform)]
Asker = Annotated[Caller, fastapi.Depends(caller)]
Heard = Annotated[Notices, fastapi.Depends(notices)]


async def reader(asker: Asker) -> None:
    asker.must(Action.READ)


READS = fastapi.Depends(reader)
"""What every router needs: nothing is told to strangers."""
