"""When disks, boards and certificates fail: what was known is served, and nothing half."""

from __future__ import annotations

import asyncio
import json
import pathlib
import stat
import sys
import threading

import pytest
from cryptography.hazmat.primitives import serialization
from tests.contracts.updates.world import _KEYS, MAIN, PLATFORMS, App
from tests.fakes.expo_client import certificates
from tests.fakes.expo_client.answers import Rejected
from tests.fakes.expo_client.manifest import Manifest, Platform
from tests.fakes.expo_client.signing import Trust

from shipway.intake import assets
from shipway.kit import errors
from shipway.updates import board
from shipway.updates.keys import Keys

pytestmark = pytest.mark.anyio


async def manifest(app: App, platform: Platform = "android") -> Manifest | None:
    reply = await app.ask(expo_platform=platform)
    return app.device(platform).reader.read(reply).manifest


def board_of(app: App) -> pathlib.Path:
    return board.place(app.world.shipway.home / "updates" / "boards", app.name, MAIN)


@pytest.mark.parametrize("damage", ["gone", "empty", "cut off", "of another format", "a list"])
async def test_a_damaged_board_leaves_the_last_sound_one_in_force(app: App, damage: str) -> None:
    group = await app.publish("one")
    path = board_of(app)
    whole = path.read_text()
    match damage:
        case "gone":
            path.unlink()
        case "empty":
            path.write_text("")
        case "cut off":
            path.write_text(whole[: len(whole) // 2])
        case "of another format":
            path.write_text(json.dumps(json.loads(whole) | {"format": 99}))
        case _:
            path.write_text("[]")
    await app.world.shipway.settle()
    found = await manifest(app)
    assert found is not None
    assert found.id == await app.id_of(group)
    after = await app.publish("two")
    found = await manifest(app)
    assert found is not None
    assert found.id == await app.id_of(after)


async def test_a_board_that_is_half_written_is_not_looked_at(app: App) -> None:
    group = await app.publish("one")
    path = board_of(app)
    path.with_name(f".{path.name}.draft").write_text("{")
    await app.world.shipway.settle()
    found = await manifest(app)
    assert found is not None
    assert found.id == await app.id_of(group)


async def test_an_asset_whose_file_is_gone_is_not_there_and_the_phone_keeps_what_it_has(
    app: App,
) -> None:
    await app.publish("one", code=b"gone " + app.name.encode(), assets={})
    phone = app.device()
    phone.start()
    answer = await phone.ask()
    assert answer.manifest is not None
    name = answer.manifest.launch.url.rpartition("/")[2].partition(".")[0]
    app.world.shipway.files.path(name).unlink()
    outcome = await phone.check()
    assert "answers with 404" in outcome.reason
    assert phone.start().id == phone.build.embedded_id


async def test_a_disk_that_hangs_keeps_nobody_from_a_known_manifest(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = await app.publish("one")
    found = await manifest(app)
    assert found is not None
    goes_on, looked = threading.Event(), assets.Shelf._encodings

    def hanging(shelf: assets.Shelf, sha256: str) -> tuple[str, ...] | None:
        assert goes_on.wait(60)
        return looked(shelf, sha256)

    monkeypatch.setattr(assets.Shelf, "_encodings", hanging)
    many = [asyncio.create_task(app.fetch(found.launch.url, {})) for _ in range(50)]
    try:
        for _ in range(3):
            found = await manifest(app)
            assert found is not None
            assert found.id == await app.id_of(group)
        assert not any(one.done() for one in many)
    finally:
        goes_on.set()
        answers = await asyncio.gather(*many)
    assert {one.status for one in answers} == {200}


async def test_the_artifact_store_may_be_away_while_updates_are_served(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = await app.publish("one")

    async def away(_: str) -> pathlib.Path:
        raise errors.Failed("The store is away.")

    monkeypatch.setattr(app.world.shipway.store, "path", away)
    phone = app.device()
    phone.start()
    assert (await phone.check()).loaded == await app.id_of(group)
    with pytest.raises(errors.Failed, match="store is away"):
        await app.publish("two")
    found = await manifest(app)
    assert found is not None
    assert found.id == await app.id_of(group), "and nothing half of it is offered"


async def test_the_database_may_be_away_while_updates_are_served(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = await app.publish("one")

    async def away(*_: object, **__: object) -> None:
        raise errors.Failed("PostgreSQL is away.")

    for verb in ("rows", "row", "run"):
        monkeypatch.setattr(app.world.shipway.database, verb, away)
    found = await manifest(app)
    monkeypatch.undo()
    assert found is not None
    assert found.id == await app.id_of(group)


# --- keys that are kept elsewhere -------------------------------------------------------------------

SIGNER = """\
import base64, sys
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
key = serialization.load_pem_private_key(open({path!r}, "rb").read(), None)
made = key.sign(sys.stdin.buffer.read(), padding.PKCS1v15(), hashes.SHA256())
print(base64.b64encode(made).decode())
"""


def signer(folder: pathlib.Path, number: int) -> tuple[str, ...]:
    """Return a command that signs with a key of ours, as a hardware key's would."""
    private = certificates.KEYS[number].private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / "key.pem"
    path.touch(mode=stat.S_IRUSR | stat.S_IWUSR)
    path.write_bytes(private)
    script = folder / "sign.py"
    script.write_text(SIGNER.format(path=str(path)))
    return sys.executable, str(script)


async def test_an_external_key_with_a_chain_is_trusted_down_from_the_embedded_root(
    app: App, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expo Updates 1: the part ``certificate_chain`` has the leaf first and not the root."""
    shipway = app.world.shipway
    now = app.world.clock()
    root = certificates.pem(2, ca=True, code=False, now=now)
    leaf = certificates.pem(0, 2, now=now)
    monkeypatch.setattr(shipway.keys, "_external", signer(tmp_path, 0))
    keys: Keys = shipway.keys
    await keys.import_external(app.name, "hsm", leaf, leaf)
    group = await app.publish("one")
    for platform in PLATFORMS:
        trust = Trust(root, "hsm", include_chain=True)
        phone = app.device(platform, trust=trust)
        phone.start()
        assert (await phone.check()).loaded == await app.id_of(group, platform)
    plain = app.device(trust=Trust(root, "hsm"))
    with pytest.raises(Rejected):
        await plain.ask()


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ((1, 2), "does not begin with the certificate"),
        ((0, 2), "was not issued by CN=2"),
        ((0, 1, 2), "ends with its root CN=2"),
        ((0, 0), "CN=0 may not issue"),
    ],
)
async def test_a_chain_that_no_phone_could_follow_is_not_taken(
    app: App,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    order: tuple[int, ...],
    reason: str,
) -> None:
    """Android, iOS: the chain is followed from the leaf to the root in the build."""
    now = app.world.clock()
    issued = {
        0: certificates.pem(0, 1, now=now),
        1: certificates.pem(1, 2, ca=True, code=False, now=now),
        2: certificates.pem(2, ca=True, code=False, now=now),
    }
    keys = app.world.shipway.keys
    monkeypatch.setattr(keys, "_external", signer(tmp_path, 0))
    chain = "".join(issued[number] for number in order)
    with pytest.raises(errors.Refused, match=reason):
        await keys.import_external(app.name, "hsm", issued[0], chain)
    with pytest.raises(errors.Invalid):
        await keys.import_external(app.name, "hsm", issued[0], "no PEM")
    await keys.import_external(app.name, "hsm", issued[0], issued[0] + issued[1])
    group = await app.publish("one")
    phone = app.device(trust=Trust(issued[2], "hsm", include_chain=True))
    phone.start()
    assert (await phone.check()).loaded == await app.id_of(group)


async def test_a_key_whose_certificate_is_of_another_key_is_not_taken(
    app: App, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = app.world.clock()
    monkeypatch.setattr(app.world.shipway.keys, "_external", signer(tmp_path, 1))
    certificate = certificates.pem(0, now=now)
    with pytest.raises(errors.ShipwayError):
        await app.world.shipway.keys.import_external(app.name, "hsm", certificate)
    await app.publish("one")
    reply = await app.ask(expo_expect_signature='sig, keyid="hsm"')
    assert reply.status == 406


@pytest.mark.parametrize("how", ["fails", "hangs up", "says something else"])
async def test_nothing_is_published_unsigned_when_the_signing_command(
    app: App, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    await app.publish("one")
    before = await manifest(app)
    keys = app.world.shipway.keys
    with monkeypatch.context() as sound:
        sound.setattr(keys, "_external", signer(tmp_path, 0))
        await keys.import_external(app.name, "hsm", certificates.pem(0, now=app.world.clock()))
    answers = {"fails": "exit 1", "hangs up": "kill -9 $$", "says something else": "echo bm8="}
    monkeypatch.setattr(keys, "_external", ("sh", "-c", answers[how]))
    with pytest.raises(errors.ShipwayError):
        await app.publish("two")
    assert await manifest(app) == before


async def test_a_channel_is_paused_while_the_signing_command_is_away(
    app: App, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shipway: what stands on a board was signed before."""
    shipway = app.world.shipway
    await app.publish("one")
    with monkeypatch.context() as sound:
        sound.setattr(shipway.keys, "_external", signer(tmp_path, 0))
        changes = app.world.changes
        await changes.import_key(app.name, "hsm", certificates.pem(0, now=app.world.clock()), "")
    shipway.boards._no_updates.clear()  # the worker was started again
    monkeypatch.setattr(shipway.keys, "_external", ("false",))
    await app.change_channel(paused=True)
    phone = app.device(trust=await app.trust("hsm"))
    phone.start()
    assert (await phone.check()).reason == "noUpdateAvailable"
    await app.change_channel(paused=False)
    assert (await phone.check()).loaded


async def test_an_app_of_the_same_name_has_no_signature_of_the_one_before(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    await app.publish("one")
    await app.world.records.remove(app.name)
    monkeypatch.delitem(_KEYS, "main")
    await app.open_channel()
    phone = app.device(trust=await app.trust())
    phone.start()
    assert (await phone.check()).reason == "noUpdateAvailable"
