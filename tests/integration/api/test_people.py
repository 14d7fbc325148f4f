from __future__ import annotations

import pytest
from tests.fakes.platform import Live

from shipway.access.model import Role
from shipway.client.client import Client
from shipway.kit import errors

pytestmark = pytest.mark.anyio


async def test_a_token_tells_who_somebody_is(developer: Client) -> None:
    me = await developer.me()
    assert (me.person, me.role, me.token.name) == ("ana", "developer", "test")


async def test_strangers_are_told_nothing(live: Live) -> None:
    async with live.client("") as nobody:
        with pytest.raises(errors.Unknown, match="This needs a token"):
            await nobody.status()
    async with live.client("shp_wrong") as nobody:
        with pytest.raises(errors.Unknown, match="This token is not known"):
            await nobody.apps()


async def test_an_owner_adds_changes_and_removes_people(owner: Client) -> None:
    added = await owner.add_person("cy", "viewer", ("cy@example.org",))
    assert added.emails == ("cy@example.org",)
    changed = await owner.change_person("cy", role="approver")
    assert (changed.role, changed.emails) == ("approver", ("cy@example.org",))
    assert [person.name for person in (await owner.people()).items] == ["cy", "olga"]
    await owner.remove_person("cy")
    assert [person.name for person in (await owner.people()).items] == ["olga"]


async def test_nobody_else_changes_people(approver: Client) -> None:
    with pytest.raises(errors.Denied, match="bo is an approver and may not change people"):
        await approver.add_person("cy", "owner")
    with pytest.raises(errors.Denied):
        await approver.change_person("bo", role="owner")


async def test_a_malformed_request_names_each_place(owner: Client) -> None:
    with pytest.raises(errors.Invalid) as invalid:
        await owner.add_person("No Spaces", "viewer")
    assert invalid.value.problems[0].startswith("name:")


async def test_everybody_looks_after_their_own_tokens(live: Live, developer: Client) -> None:
    issued = await developer.issue_token("ana", "ci", expires_days=1)
    async with live.client(issued.plain) as other:
        assert (await other.me()).token.name == "ci"
        assert (await other.me()).token.expires is not None
        await other.revoke_token("ana", issued.id)
        with pytest.raises(errors.Unknown):
            await other.me()
    await live.token("olga", Role.OWNER)
    with pytest.raises(errors.Denied):
        await developer.issue_token("olga", "mine now")
    with pytest.raises(errors.Denied):
        await developer.tokens("olga")


async def test_the_trail_tells_what_was_done_and_tried(owner: Client, developer: Client) -> None:
    await owner.add_person("cy", "viewer")
    with pytest.raises(errors.Denied):
        await developer.remove_person("cy")
    trail = (await owner.audit()).items
    assert [(entry.who, entry.what, entry.target) for entry in trail] == [
        ("ana", "person.remove.refused", "cy"),
        ("ana", "person.remove", "cy"),
        ("olga", "person.add", "cy"),
    ]
    assert trail[-1].detail == {"name": "cy", "role": "viewer", "emails": "[]"}


async def test_the_trail_comes_in_pages(owner: Client) -> None:
    for number in range(5):
        await owner.add_person(f"p{number}", "viewer")
    first = await owner.audit(limit=2)
    second = await owner.audit(limit=2, after=first.next)
    third = await owner.audit(limit=2, after=second.next)
    names = [entry.target for page in (first, second, third) for entry in page.items]
    assert names == ["p4", "p3", "p2", "p1", "p0"]
    assert third.next == ""
    with pytest.raises(errors.Invalid, match="not a cursor"):
        await owner.audit(after="x")
