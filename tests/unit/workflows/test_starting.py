"""What a failing program says may hold a secret: what Shipway says of it does not."""

from __future__ import annotations

import types
from typing import cast

import pytest

from shipway.kit import errors
from shipway.workflows import starting
from shipway.workflows.entering import Entry
from shipway.workflows.platform import Platform

pytestmark = pytest.mark.anyio


class Variables:
    async def secret_values(self, app: str, environment: str) -> tuple[str, ...]:
        return ("correct horse battery",)


async def test_an_error_that_quotes_a_program_shows_no_secret() -> None:
    on = cast("Platform", types.SimpleNamespace(variables=Variables()))
    entry = cast("Entry", types.SimpleNamespace(app="tiny", environment="staging"))

    with pytest.raises(errors.Failed) as raised:
        async with starting.secrets_hidden(on, entry):
            raise errors.Failed("It died: bad key correct horse battery", fix="Push again.")

    assert str(raised.value) == "It died: bad key *** Push again."
