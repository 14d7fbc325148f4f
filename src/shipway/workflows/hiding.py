"""Keeps an app's secrets out of everything that is told of it: logs, sentences, errors."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from shipway.environments import policy
from shipway.kit import errors, spelling
from shipway.kit.mask import Mask
from shipway.workflows.platform import Platform


async def mask_of(on: Platform, app: str) -> Mask:
    """Return a mask for the secrets of an app, those of every environment. Never keep it: secrets
    are set at any time."""
    return spelling.mask(
        [
            secret
            for environment in policy.ENVIRONMENTS
            for secret in await on.variables.secret_values(app, environment)
        ]
    )


@contextlib.asynccontextmanager
async def secrets_hidden(on: Platform, app: str) -> AsyncIterator[None]:
    """Hide the app's secrets in an error of the block, which may quote what a program printed."""
    try:
        yield
    except errors.ShipwayError as error:
        errors.reword(error, await mask_of(on, app))
        raise
