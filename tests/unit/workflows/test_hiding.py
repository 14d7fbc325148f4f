"""What a failing program says may hold a secret: what Shipway says of it does not."""

from __future__ import annotations

import types
from typing import cast

import pytest

from shipway.kit import errors
from shipway.workflows import hiding
from shipway.workflows.platform import Platform

pytestmark = pytest.mark.anyio


class Variables:
    async def secret_values(self, app: str, environment: str) -> tuple[str, ...]:
        return (f"correct horse {environment}",)


ON = cast("Platform", types.SimpleNamespace(variables=Variables()))


async def test_an_error_that_quotes_a_program_shows_no_secret() -> None:
    with pytest.raises(errors.Failed) as raised:
        async with hiding.secrets_hidden(ON, "tiny"):
            raise errors.Failed("It died: bad key correct horse staging", fix="Push again.")

    assert str(raised.value) == "It died: bad key *** Push again."


async def test_every_reason_and_problem_is_without_secrets_of_every_environment() -> None:
    with pytest.raises(errors.Refused) as refused:
        async with hiding.secrets_hidden(ON, "tiny"):
            raise errors.Refused("no", "correct horse production", fix="correct horse staging")
    with pytest.raises(errors.Invalid) as invalid:
        async with hiding.secrets_hidden(ON, "tiny"):
            raise errors.Invalid("bad", problems=("key: correct horse development",))

    assert refused.value.reasons == ("no", "***")
    assert str(refused.value) == "no; *** ***"
    assert str(invalid.value) == "bad\n  - key: ***"
