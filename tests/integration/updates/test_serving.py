"""From an export to what a device is sent, over real HTTP, signed and checked."""

from __future__ import annotations

import hashlib
import json
import pathlib
import uuid
from email import message_from_bytes, policy
from typing import Any

import http_sf
import httpx2
import pytest
from tests.fakes import updates

from shipway.kit import db, errors
from shipway.updates import signing

pytestmark = pytest.mark.anyio

EXPECTS = 'sig, keyid="main", alg="rsa-v1_5-sha256"'


def device(**headers: str) -> dict[str, str]:
    return {
        "accept": "multipart/mixed,application/expo+json,application/json",
        "expo-platform": "ios",
        "expo-protocol-version": "1",
        "expo-runtime-version": updates.RUNTIMES["ios"],
        "eas-client-id": "0F9C0AE2-7E3A-4E6B-9D5B-2A1B3C4D5E6F",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }


def parts(answer: httpx2.Response) -> dict[str, Any]:
    head = f"content-type: {answer.headers['content-type']}\r\n\r\n".encode()
    message = message_from_bytes(head + answer.content, policy=policy.HTTP)
    return {
        str(part.get_param("name", header="content-disposition")): part
        for part in message.iter_parts()
    }


async def ask(shipway: updates.Shipway, **headers: str) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False, verify=False) as client:
        return await client.get(
            shipway.manifest_url, headers={**shipway.edge(), **device(**headers)}
        )


async def manifest(shipway: updates.Shipway, **headers: str) -> dict[str, Any] | None:
    answer = await ask(shipway, **headers)
    found = parts(answer)
    return json.loads(found["manifest"].get_content()) if "manifest" in found else None


async def directive(shipway: updates.Shipway, **headers: str) -> dict[str, Any]:
    found = parts(await ask(shipway, **headers))
    made: dict[str, Any] = json.loads(found["directive"].get_content())
    return made


async def test_a_published_update_is_signed_and_whole(
    database: db.Database, home: pathlib.Path
) -> None:
    async with updates.served(database, home) as shipway:
        picture = b"picture" * 100
        await shipway.publish(code=b"code" * 500, assets={"png": picture})
        answer = await ask(shipway, expo_expect_signature=EXPECTS)
        part = parts(answer)["manifest"]
        body = answer.content.split(b"\r\n\r\n")[1].rpartition(b"\r\n--")[0]
        told: Any = http_sf.parse(part["expo-signature"].encode(), tltype="dictionary")
        signing.verify(await shipway.certificate(), body, told["sig"][0])
        found = json.loads(body)
        assert str(uuid.UUID(found["id"])) == found["id"]
        async with httpx2.AsyncClient(trust_env=False, verify=False) as client:
            for asset in (found["launchAsset"], *found["assets"]):
                sent = await client.get(asset["url"], headers=shipway.edge())
                assert hashlib.md5(sent.content).hexdigest() == asset["key"]


async def test_a_device_that_has_it_is_told_so(database: db.Database, home: pathlib.Path) -> None:
    async with updates.served(database, home) as shipway:
        group = await shipway.publish()
        current = (await shipway.offers(group))["ios"].id
        assert await directive(shipway, expo_current_update_id=current.upper()) == {
            "type": "noUpdateAvailable"
        }
        as_json = await ask(shipway, expo_current_update_id=current, accept="application/expo+json")
        assert as_json.status_code == 204


async def test_rollbacks_go_back_and_are_newer_each_time(
    database: db.Database, home: pathlib.Path
) -> None:
    async with updates.served(database, home) as shipway:
        first, second = await shipway.publish(code=b"1"), await shipway.publish(code=b"2")
        back = await shipway.roll_back()
        found = await manifest(shipway)
        assert found
        offers = [await shipway.offers(group) for group in (first, second, back)]
        assert found["id"] == offers[2]["ios"].id
        assert offers[2]["ios"].launch == offers[0]["ios"].launch
        assert offers[2]["ios"].created > offers[1]["ios"].created
        await shipway.roll_back()
        told = await directive(shipway)
        assert told["type"] == "rollBackToEmbedded"
        assert told == await directive(shipway), "the time of a rollback never changes"
        with pytest.raises(errors.Refused, match="embedded"):
            await shipway.roll_back()
        third = await shipway.publish(code=b"3")
        found = await manifest(shipway)
        assert found
        assert found["id"] == (await shipway.offers(third))["ios"].id


async def test_a_rollout_reaches_more_and_loses_nobody(
    database: db.Database, home: pathlib.Path
) -> None:
    devices = [
        str(uuid.UUID(int=n * 0x9E3779B97F4A7C15F39CC0605CEDC834 % 2**128)) for n in range(60)
    ]
    async with updates.served(database, home) as shipway:
        first = await shipway.publish(code=b"1")
        second = await shipway.publish(code=b"2", per_mille=100)
        new = (await shipway.offers(second))["ios"].id
        before: set[str] = set()
        for share in (100, 400, 1000):
            await shipway.changes.share(second.id, share)
            await shipway.settle()
            reached = set()
            for one in devices:
                found = await manifest(shipway, eas_client_id=one)
                assert found
                reached |= {one} if found["id"] == new else set()
            assert before <= reached
            before = reached
        assert before == set(devices)
        with pytest.raises(errors.Refused, match="nobody is moved back"):
            await shipway.changes.share(second.id, 500)
        assert first.id != second.id


async def test_what_failed_on_a_device_is_never_offered_to_it_again(
    database: db.Database, home: pathlib.Path
) -> None:
    async with updates.served(database, home) as shipway:
        first = (await shipway.offers(await shipway.publish(code=b"1")))["ios"].id
        second = (await shipway.offers(await shipway.publish(code=b"2")))["ios"].id
        await ask(shipway, expo_recent_failed_update_ids=f'"{second}"')
        found = await manifest(shipway)
        assert found
        assert found["id"] == first


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"expo_platform": "windows"}, 400),
        ({"expo_runtime_version": ""}, 400),
        ({"expo_protocol_version": "2"}, 400),
        ({"accept": "text/html"}, 406),
        ({"expo_channel_name": "../x"}, 404),
        ({"expo_expect_signature": 'sig, keyid="other"'}, 406),
        ({"expo_expect_signature": "((("}, 400),
        ({"expo_recent_failed_update_ids": '"('}, 200),
        ({"expo_fatal_error": "x" * 8000}, 200),
    ],
)
async def test_nonsense_is_refused_or_ignored(
    database: db.Database, home: pathlib.Path, headers: dict[str, str], status: int
) -> None:
    async with updates.served(database, home) as shipway:
        await shipway.publish()
        assert (await ask(shipway, **headers)).status_code == status


async def test_a_native_change_is_refused_with_what_changed(
    database: db.Database, home: pathlib.Path
) -> None:
    old = [{"type": "dir", "filePath": "node_modules/expo/ios", "hash": "1"}]
    new = [*old, {"type": "dir", "filePath": "node_modules/expo-haptics/ios", "hash": "2"}]
    async with updates.served(database, home) as shipway:
        await shipway.publish(platforms=["ios"], sources=old)
        await shipway.register_build("ios")
        with pytest.raises(errors.Refused, match="native dependency expo-haptics added"):
            await shipway.publish(platforms=["ios"], sources=new, hash="3" * 40)


async def test_a_rollback_goes_with_the_release(database: db.Database, home: pathlib.Path) -> None:
    async with updates.served(database, home) as shipway:

        async def back_to(release: str) -> str | None:
            made = await shipway.changes.roll_back_release(
                updates.APP, "production", release, key=uuid.uuid4().hex, author="ada"
            )
            return made.source if made else None

        first = await shipway.publish(code=b"1", release="rel_1")
        # Release 2 had no update: its native side had changed.
        assert await back_to("rel_2") is None, "what it runs with is out"
        third = await shipway.publish(code=b"3", release="rel_3")
        assert await back_to("rel_3") is None
        assert await back_to("rel_2") == first.id, "it ran with the one of release 1"
        assert await back_to("rel_1") is None
        assert await back_to("rel_3") == third.id
        assert await back_to("rel_1") == first.id
