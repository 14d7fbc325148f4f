from __future__ import annotations

import datetime

import psycopg
import pytest

from shipway.access import answers, approvals, audit, people
from shipway.access.model import Role
from shipway.kit import clock, db, errors

pytestmark = pytest.mark.anyio


async def test_a_token_leads_to_its_person(database: db.Database) -> None:
    them = people.People(database)
    await them.add("ana", Role.DEVELOPER, ["Ana@example.org"])
    token, plain = await them.issue_token("ana", "laptop")
    assert plain.startswith("shp_")
    assert len(plain) == 47
    caller = await them.by_token(plain)
    assert (caller.person, caller.role, caller.token_id) == ("ana", Role.DEVELOPER, token.id)
    assert (await them.tokens("ana"))[0].last_used is not None


async def test_the_token_itself_is_not_in_the_database(database: db.Database) -> None:
    them = people.People(database)
    await them.add("ana", Role.VIEWER)
    _, plain = await them.issue_token("ana", "laptop")
    row = await database.row("select row_to_json(t)::text as all from access.tokens t")
    assert row
    assert plain not in row["all"]


async def test_an_expired_token_says_so(database: db.Database) -> None:
    now = clock.now()
    them = people.People(database, now=lambda: now)
    await them.add("ana", Role.VIEWER)
    _, plain = await them.issue_token("ana", "ci", now + datetime.timedelta(seconds=1))
    await them.by_token(plain)
    now += datetime.timedelta(seconds=2)
    with pytest.raises(errors.Unknown, match="The token 'ci' expired on"):
        await them.by_token(plain)


async def test_a_revoked_token_is_unknown(database: db.Database) -> None:
    them = people.People(database)
    await them.add("ana", Role.VIEWER)
    token, plain = await them.issue_token("ana", "laptop")
    await them.revoke("ana", token.id)
    with pytest.raises(errors.Unknown):
        await them.by_token(plain)
    with pytest.raises(errors.NotFound):
        await them.revoke("ana", token.id)


async def test_the_first_owner_is_made_once(database: db.Database) -> None:
    them = people.People(database)
    plain = await them.first_owner()
    assert plain
    assert (await them.by_token(plain)).role is Role.OWNER
    assert await them.first_owner() is None


async def test_there_is_always_an_owner(database: db.Database) -> None:
    them = people.People(database)
    await them.add("ana", Role.OWNER)
    with pytest.raises(errors.Refused, match="ana is the only owner"):
        await them.remove("ana")
    with pytest.raises(errors.Refused, match="ana is the only owner"):
        await them.set_role("ana", Role.APPROVER)
    await them.add("bo", Role.OWNER)
    await them.remove("ana")
    assert [person.name for person in await them.list()] == ["bo"]


async def test_authors_are_found_by_their_addresses(database: db.Database) -> None:
    them = people.People(database)
    await them.add("ana", Role.APPROVER, ["Ana@Example.org", "a@b.c"])
    await them.add("bo", Role.OWNER, ["bo@example.org"])
    assert await them.by_emails(["ana@example.org", "who@else.org"]) == {"ana"}
    assert await them.having(Role.APPROVER) == {"ana", "bo"}
    assert await them.having(Role.OWNER) == {"bo"}


async def test_a_yes_is_bound_to_release_and_environment(database: db.Database) -> None:
    given = approvals.Approvals(database)
    await given.give("rel_1", "production", "bo")
    await given.give("rel_1", "production", "bo", "checked by hand")
    await given.give("rel_1", "production", "bo", "another reason")
    assert [(a.person, a.reason) for a in await given.of("rel_1", "production")] == [
        ("bo", "checked by hand")
    ]
    assert await given.of("rel_1", "staging") == ()
    await given.give("rel_1", "production", "bo", "it burns", emergency=True)
    await given.give("rel_1", "production", "bo", "")
    (yes,) = await given.of("rel_1", "production")
    assert (yes.reason, yes.emergency) == ("it burns", True)
    assert await given.of("rel_2", "production") == ()
    assert set(await given.of_release("rel_1")) == {"production"}


async def test_the_audit_trail_is_only_added_to(database: db.Database) -> None:
    trail = audit.Audit(database)
    for number in range(3):
        await trail.record("ana", "app.create", f"app{number}", {"number": number})
    newest = await trail.list(limit=2)
    assert [entry.target for entry in newest] == ["app2", "app1"]
    rest = await trail.list(limit=2, before=newest[-1].id)
    assert [entry.detail for entry in rest] == [{"number": 0}]
    for change in (
        "update access.audit set who = 'nobody'",
        "delete from access.audit",
        "truncate access.audit",
    ):
        with pytest.raises(psycopg.errors.RaiseException, match="only added to"):
            await database.run(change)


async def test_a_request_sent_twice_is_answered_once(database: db.Database) -> None:
    kept = answers.Answers(database)
    assert await kept.begin("ana", "k1", b"request") is None
    with pytest.raises(errors.Conflict):
        await kept.begin("ana", "k1", b"request")
    await kept.keep("ana", "k1", answers.Answer(201, b"{}"))
    assert await kept.begin("ana", "k1", b"request") == answers.Answer(201, b"{}")
    with pytest.raises(errors.Invalid):
        await kept.begin("ana", "k1", b"another")
    assert await kept.begin("bo", "k1", b"request") is None


async def test_a_request_that_failed_may_be_sent_again(database: db.Database) -> None:
    kept = answers.Answers(database)
    await kept.begin("ana", "k1", b"request")
    await kept.drop("ana", "k1")
    assert await kept.begin("ana", "k1", b"request") is None


async def test_a_claim_of_a_dead_process_is_taken_over(database: db.Database) -> None:
    kept = answers.Answers(database)
    await kept.begin("ana", "k1", b"request")
    await database.run("update access.answers set at = now() - interval '3 minutes'")
    assert await kept.begin("ana", "k1", b"request") is None
