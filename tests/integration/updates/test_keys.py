"""Keys that are kept elsewhere: a command signs with them."""

from __future__ import annotations

import pathlib
import sys

import pytest

from shipway.environments.vault import Vault
from shipway.kit import clock, command, db, errors
from shipway.updates import signing
from shipway.updates.keys import Keys

pytestmark = pytest.mark.anyio

SIGNER = """
import pathlib, sys
from shipway.updates import signing
print(signing.sign(pathlib.Path(sys.argv[1]).read_text(), sys.stdin.buffer.read()))
"""


@pytest.fixture
def pair() -> tuple[str, str]:
    return signing.make("elsewhere", now=clock.now())


@pytest.fixture
def keys(database: db.Database, home: pathlib.Path, pair: tuple[str, str]) -> Keys:
    (home / "key.pem").write_text(pair[0])
    argv = (sys.executable, "-c", SIGNER, str(home / "key.pem"))
    return Keys(database, Vault.create(home), external=argv)


async def test_a_command_signs_and_each_signature_is_checked(
    keys: Keys, pair: tuple[str, str]
) -> None:
    await keys.import_external("tiny", "ci", pair[1])
    signed = await keys.sign("tiny", '{"a":"é"}')
    assert list(signed.signatures) == ["ci"]
    signing.verify(pair[1], signed.body.encode(), signed.signatures["ci"])
    assert (await keys.get("tiny")).sealed is None


async def test_a_certificate_of_another_key_is_refused(keys: Keys) -> None:
    _, other = signing.make("another", now=clock.now())
    with pytest.raises(errors.Refused, match="does not match the certificate"):
        await keys.import_external("tiny", "ci", other)
    assert await keys.all("tiny") == []


async def test_a_signer_that_fails_is_told_of(
    database: db.Database, home: pathlib.Path, pair: tuple[str, str]
) -> None:
    keys = Keys(database, Vault.create(home), external=("/bin/false",))
    with pytest.raises(command.CommandFailed):
        await keys.import_external("tiny", "ci", pair[1])
    with pytest.raises(errors.Refused, match="no command that signs"):
        await Keys(database, Vault.at(home)).import_external("tiny", "ci", pair[1])


async def test_only_who_opens_the_vault_can_sign(database: db.Database, home: pathlib.Path) -> None:
    await Keys(database, Vault.create(home)).ensure("tiny")
    with pytest.raises(errors.Denied):
        await Keys(database, Vault.at(home)).sign("tiny", "{}")
