"""Asking for work, with the real record; only the workflow engine takes notes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from shipway.access.audit import Audit
from shipway.access.model import Caller, Role
from shipway.access.people import People
from shipway.builds.model import State
from shipway.builds.passes import Passes
from shipway.builds.records import Runs
from shipway.builds.sources import Sources
from shipway.environments.apps import Apps
from shipway.health.channels import Channels, Seal
from shipway.health.outbox import Outbox
from shipway.kit import clock, db, durable, errors
from shipway.releases.model import Release
from shipway.releases.records import Deployments, Releases
from shipway.workflows import names
from shipway.workflows.requests import Requests

pytestmark = pytest.mark.anyio

PRODUCT = """
name = "tiny"
[server]
kind = "python"
folder = "server"
entry = "tiny.server:main"
[environments.production]
domain = "tiny.example.org"
"""

DEV = Caller(person="dev", role=Role.DEVELOPER, token_id="tok_1")
VIEWER = Caller(person="eve", role=Role.VIEWER, token_id="tok_2")


class Remote:
    """Takes note of what is started and sent."""

    def __init__(self) -> None:
        self.started: list[durable.Start] = []

    async def start(self, start: durable.Start) -> None:
        self.started.append(start)

    async def send(self, *_: object, **__: object) -> None: ...


class Branches:
    """The refs of a repository that only this test pushes to."""

    def __init__(self) -> None:
        self.refs_now: Mapping[str, str] = {}

    async def refs(self, app: str) -> Mapping[str, str]:
        return self.refs_now

    async def forget(self, app: str, keep: str) -> None: ...


@pytest.fixture
def remote() -> Remote:
    return Remote()


@pytest.fixture
def branches() -> Branches:
    return Branches()


@pytest.fixture
async def requests(database: db.Database, remote: Remote, branches: Branches) -> Requests:
    await Apps(database).create("tiny", "dev")
    return Requests(database, cast("Sources", branches), cast("durable.Remote", remote))


def commit(number: int) -> str:
    return f"{number:040x}"


async def test_a_push_starts_one_run_however_often_it_is_reported(
    requests: Requests, remote: Remote, branches: Branches
) -> None:
    branches.refs_now = {"main": commit(1), "idea": commit(2)}

    first = await requests.pushes_arrived("tiny", "dev")
    again = await requests.pushes_arrived("tiny", "dev")

    assert {(run.branch, run.kind.value) for run in first} == {("main", "full"), ("idea", "fast")}
    assert again == []
    # What is on record and has not begun is started again: the same id joins it.
    assert {start.id for start in remote.started} == {run.id for run in first}


async def test_a_push_is_its_persons_whoever_reports_it(
    requests: Requests, branches: Branches, database: db.Database
) -> None:
    """Two push at once and the first report finds both; or nobody reported before a restart."""
    await Audit(database).record("eve", "push", "tiny", {"refs/heads/main": commit(1)})
    await Audit(database).record("dev", "push", "tiny", {"refs/heads/idea": commit(2)})
    branches.refs_now = {"main": commit(1), "idea": commit(2)}

    runs = await requests.pushes_arrived("tiny", "dev")

    assert {run.branch: run.pushed_by for run in runs} == {"main": "eve", "idea": "dev"}


async def test_a_newer_push_supersedes_a_run_that_has_no_release(
    requests: Requests, branches: Branches, database: db.Database
) -> None:
    branches.refs_now = {"main": commit(1), "idea": commit(1)}
    older = await requests.pushes_arrived("tiny", "dev")
    branches.refs_now = {"main": commit(2), "idea": commit(1)}

    (newer,) = await requests.pushes_arrived("tiny", "dev")

    states = {run.branch: await Runs(database).get(run.id) for run in older}
    assert states["main"].state is State.CANCELLED
    assert states["main"].sentence == f"Superseded by {newer.id}: main is at {commit(2)[:12]}."
    assert states["idea"].state is State.WAITING


async def test_a_run_that_has_made_its_release_is_left_alone(
    requests: Requests, branches: Branches, database: db.Database
) -> None:
    branches.refs_now = {"main": commit(1)}
    (older,) = await requests.pushes_arrived("tiny", "dev")
    await Runs(database).set_state(older.id, State.RUNNING)
    await Releases(database).add(**release_of(older.id))
    branches.refs_now = {"main": commit(2)}

    await requests.pushes_arrived("tiny", "dev")

    assert (await Runs(database).get(older.id)).state is State.RUNNING


async def test_a_run_is_cancelled_once_and_by_those_who_may(
    requests: Requests, branches: Branches
) -> None:
    branches.refs_now = {"main": commit(1)}
    (run,) = await requests.pushes_arrived("tiny", "dev")

    with pytest.raises(errors.Denied, match="eve is a viewer"):
        await requests.cancel(run.id, VIEWER)
    assert await requests.cancel(run.id, DEV) == "Cancelled by dev."
    with pytest.raises(errors.Conflict, match="has ended already: Cancelled by dev"):
        await requests.cancel(run.id, DEV)


async def test_a_run_that_failed_is_retried_while_its_branch_is_there(
    requests: Requests, branches: Branches, database: db.Database, remote: Remote
) -> None:
    branches.refs_now = {"main": commit(1)}
    (run,) = await requests.pushes_arrived("tiny", "dev")
    with pytest.raises(errors.Conflict, match="cannot be retried: it is waiting"):
        await requests.retry(run.id, DEV)
    await Runs(database).set_state(run.id, State.FAILED, "No.")
    with pytest.raises(errors.Denied, match="eve is a viewer"):
        await requests.retry(run.id, VIEWER)

    again = await requests.retry(run.id, DEV)

    assert (again.commit, again.branch) == (run.commit, "main")
    assert remote.started[-1].id == again.id
    assert await requests.pushes_arrived("tiny", "dev") == []
    branches.refs_now = {"main": commit(2)}
    await requests.pushes_arrived("tiny", "dev")
    with pytest.raises(errors.Refused, match="main is at"):
        await requests.retry(run.id, DEV)


async def test_what_was_given_up_is_ended_where_it_ran_and_once(
    requests: Requests, remote: Remote, branches: Branches, database: db.Database
) -> None:
    branches.refs_now = {"main": commit(1)}
    (run,) = await requests.pushes_arrived("tiny", "dev")
    made = await Releases(database).add(**release_of(run.id))
    given: dict[str, Any] = {
        "release": made,
        "environment": "production",
        "by": "dev",
        "reason": "",
        "plan": (1000,),
    }
    asked = await Deployments(database).ask(id="dep_1", kind="deploy", **given)
    remote.started.clear()

    passes, tidying = Passes(database), names.housekeeping("hk_1")
    await passes.begin("hk_1", by="", dry_run=False)
    for start in (names.delivery(run.id), names.deployment(asked), tidying):
        await requests.end(start)
    ending, withdrawing, untidy = remote.started

    assert ending.request == {"workflow": "deliver", "request": {"run": run.id}}
    assert withdrawing.request == {"workflow": "deploy", "request": {"deployment": "dep_1"}}
    assert (withdrawing.queue, withdrawing.lane) == ("environments", "tiny/production")
    assert (untidy.request["workflow"], untidy.queue) == ("housekeeping", "chores")
    remote.started.clear()
    await Runs(database).set_state(run.id, State.FAILED, "It was given up.")
    await Deployments(database).end("dep_1", "failed", "It was given up.")
    await passes.end("hk_1", "It was given up.", (), now=clock.now())
    gone = (names.delivery("run_gone"), names.housekeeping("hk_gone"))
    for start in (names.delivery(run.id), names.deployment(asked), tidying, *gone):
        await requests.end(start)
    await requests.end(ending)
    assert remote.started == []


async def test_housekeeping_that_was_asked_for_and_not_started_is_started(
    requests: Requests, remote: Remote, database: db.Database
) -> None:
    passes = Passes(database)
    await passes.begin("hk_1", by="ada", dry_run=True)
    await passes.begin("hk_2", by="ada", dry_run=False)
    await passes.end("hk_2", "Nothing had to go.", (), now=clock.now())

    await requests.resume()

    assert remote.started == [names.housekeeping("hk_1", by="ada", dry_run=True)]


async def test_only_a_ready_release_is_approved(requests: Requests, database: db.Database) -> None:
    made = await Releases(database).add(**release_of("run_1"))
    approver = Caller(person="ada", role=Role.APPROVER, token_id="tok_3")

    with pytest.raises(errors.Refused, match="v1 is not ready: it is candidate"):
        await requests.approve(made.id, "production", approver, "")


async def test_a_newer_hotfix_supersedes_one_that_waits_for_approval(
    requests: Requests, branches: Branches, database: db.Database
) -> None:
    branches.refs_now = {"hotfix/login": commit(1)}
    (older,) = await requests.pushes_arrived("tiny", "dev")
    made = await Releases(database).add(**release_of(older.id), branch="hotfix/login")
    await Releases(database).set_state(made.id, "ready")
    await Runs(database).set_state(older.id, State.SUCCEEDED, "v1 is ready.")
    branches.refs_now = {"hotfix/login": commit(2)}

    (newer,) = await requests.pushes_arrived("tiny", "dev")

    assert (older.kind.value, newer.kind.value) == ("hotfix", "hotfix")
    assert (await Releases(database).get(made.id)).state == "refused"
    (told,) = await Releases(database).events(made.id)
    assert told.sentence == (
        f"v1 goes no further. Superseded by {newer.id}: hotfix/login is at {commit(2)[:12]}."
    )


async def test_main_that_was_moved_on_to_a_hotfix_needs_no_run(
    requests: Requests, branches: Branches, database: db.Database
) -> None:
    await Releases(database).add(**release_of("run_1"), branch="hotfix/login")
    branches.refs_now = {"main": commit(1)}

    assert await requests.pushes_arrived("tiny", "dev") == []
    branches.refs_now = {"main": commit(2)}
    (run,) = await requests.pushes_arrived("tiny", "dev")
    assert run.kind.value == "full"


async def test_a_run_is_repeated_once(
    requests: Requests, branches: Branches, database: db.Database
) -> None:
    branches.refs_now = {"hotfix/login": commit(1)}
    (run,) = await requests.pushes_arrived("tiny", "dev")
    await Runs(database).set_state(run.id, State.SUCCEEDED, "v1 is ready.")

    again = await Runs(database).repeat(run.id)

    assert again.id != run.id
    assert (again.branch, again.commit, again.kind) == (run.branch, run.commit, run.kind)
    assert (await Runs(database).repeat(run.id)).id == again.id
    assert await requests.pushes_arrived("tiny", "dev") == []


OLGA = Caller(person="olga", role=Role.OWNER, token_id="tok_4")
ADA = Caller(person="ada", role=Role.APPROVER, token_id="tok_3")


async def ready(database: db.Database) -> Release:
    """A release of dev's that waits for approval; olga is an owner, ada an approver."""
    people = People(database)
    for person in (OLGA, ADA):
        await people.add(person.person, person.role)
    made = await Releases(database).add(**release_of("run_1"))
    await Releases(database).set_state(made.id, "ready")
    return await Releases(database).get(made.id)


async def test_an_owner_goes_past_the_approvals_in_an_emergency(
    requests: Requests, database: db.Database
) -> None:
    made = await ready(database)
    await Channels(database, cast("Seal", None)).add("tiny", "email", "all@example.org")
    why = "sign-in is down"

    with pytest.raises(errors.Denied, match="ada is an approver and may not go past"):
        await requests.approve(made.id, "production", ADA, why, emergency=True)
    with pytest.raises(errors.Invalid, match="An emergency needs a written reason"):
        await requests.approve(made.id, "production", OLGA, " ", emergency=True)
    said = await requests.approve(made.id, "production", OLGA, why, emergency=True)

    assert said.endswith("olga lets it pass in an emergency, without approvals: sign-in is down.")
    (told,) = await Outbox(database).deliveries("tiny")
    assert told.sentence == (
        "olga lets v1 into production in an emergency, without the approvals that the policy asks"
        " for: sign-in is down"
    )
    again = await requests.deploy("tiny", "production", made.id, OLGA, "")
    assert again.watch == "it came in an emergency"


async def test_a_yes_after_a_failed_deployment_says_how_to_repeat_it(
    requests: Requests, database: db.Database
) -> None:
    made = await ready(database)
    assert "deploy --release" not in await requests.approve(made.id, "production", ADA, "")
    asked = await requests.deploy("tiny", "production", made.id, OLGA, "")
    await Deployments(database).end(asked.id, "failed", "It never became ready.")

    said = await requests.approve(made.id, "production", OLGA, "")

    assert said.endswith(
        "Its deployment has failed, and a yes does not repeat it: `shipway deploy --release v1"
        " --environment production` does. It never became ready."
    )


async def deployed(database: db.Database, run: str, name: str) -> Release:
    """A release of a run, which is live in production."""
    made = await Releases(database).add(**release_of(run))
    await Releases(database).set_state(made.id, "ready")
    deployments = Deployments(database)
    asked = await deployments.ask(
        id=name, release=made, environment="production", kind="deploy", by="ada", reason=""
    )
    live = await deployments.live("tiny", "production")
    await deployments.begin(asked.id, served_by=asked.id, before=live.id if live else None)
    await deployments.become_live(
        await deployments.get(asked.id), sentence="", warm_until=clock.now()
    )
    return await Releases(database).get(made.id)


async def test_a_rollback_withdraws_what_is_entering(
    requests: Requests, database: db.Database, remote: Remote
) -> None:
    await deployed(database, "run_1", "dep_1")
    await deployed(database, "run_2", "dep_2")
    new = await Releases(database).add(**release_of("run_3"))
    await Releases(database).set_state(new.id, "ready")
    entering = await requests.deploy("tiny", "production", new.id, ADA, "")
    remote.started.clear()

    taken = await requests.roll_back("tiny", "production", "", ADA, "errors")

    assert (taken.id, taken.withdrawn) == (entering.id, "ada took it back: errors.")
    assert remote.started == []  # v2 is live, and stays so
    assert await requests.cancelled([entering.id, "dep_2"]) == [entering.id]
    with pytest.raises(errors.Conflict, match="v3 in production was withdrawn"):
        await Deployments(database).become_live(taken, sentence="", warm_until=clock.now())
    live = await Deployments(database).live("tiny", "production")
    assert live
    assert live.id == "dep_2"


async def test_a_rollback_to_an_older_one_goes_there_after_withdrawing(
    requests: Requests, database: db.Database, remote: Remote
) -> None:
    first = await deployed(database, "run_1", "dep_1")
    await deployed(database, "run_2", "dep_2")
    new = await Releases(database).add(**release_of("run_3"))
    await Releases(database).set_state(new.id, "ready")
    entering = await requests.deploy("tiny", "production", new.id, ADA, "")

    asked = await requests.roll_back("tiny", "production", "v1", ADA, "")

    assert (asked.kind, asked.release) == ("rollback", first.id)
    assert (await Deployments(database).get(entering.id)).withdrawn == "ada took it back."


async def test_what_went_live_in_the_meantime_is_taken_back(
    requests: Requests, database: db.Database
) -> None:
    first = await deployed(database, "run_1", "dep_1")
    await deployed(database, "run_2", "dep_2")
    assert not await Deployments(database).withdraw("dep_2", "too late")

    asked = await requests.roll_back("tiny", "production", "", ADA, "")

    assert (asked.kind, asked.release) == ("rollback", first.id)


async def test_a_cancelled_run_takes_its_release_and_deployment_along(
    requests: Requests, branches: Branches, database: db.Database
) -> None:
    branches.refs_now = {"main": commit(1)}
    (run,) = await requests.pushes_arrived("tiny", "dev")
    made = await Releases(database).add(**release_of(run.id))
    staging = await Deployments(database).ask(
        id="dep_1", release=made, environment="staging", kind="deploy", by="dev", reason=""
    )

    await requests.cancel(run.id, DEV)

    assert (await Releases(database).get(made.id)).state == "refused"
    assert (await Deployments(database).get(staging.id)).withdrawn == "Cancelled by dev."


async def test_a_release_that_waits_for_approval_is_cancelled_by_its_run(
    requests: Requests, branches: Branches, database: db.Database, remote: Remote
) -> None:
    branches.refs_now = {"main": commit(1)}
    (run,) = await requests.pushes_arrived("tiny", "dev")
    made = await Releases(database).add(**release_of(run.id))
    await Releases(database).set_state(made.id, "ready")
    await Runs(database).set_state(run.id, State.SUCCEEDED, "v1 is ready for production.")

    said = await requests.cancel(run.id, DEV)

    assert said == "v1 waits for approval no more. Cancelled by dev."
    assert (await Releases(database).get(made.id)).state == "refused"
    assert remote.started[-1].id == f"promote:{made.id}:production"
    with pytest.raises(errors.Conflict, match="has ended already: v1 is ready"):
        await requests.cancel(run.id, DEV)


@pytest.mark.parametrize("environment", ["staging", "development"])
async def test_a_release_goes_only_where_its_file_sends_it(
    requests: Requests, database: db.Database, remote: Remote, environment: str
) -> None:
    made = await Releases(database).add(**release_of("run_1"))
    await Releases(database).set_state(made.id, "ready")
    approver = Caller(person="ada", role=Role.APPROVER, token_id="tok_3")
    cannot = f"v1 cannot go to {environment}: its shipway.toml has production"

    with pytest.raises(errors.Refused, match=cannot):
        await requests.approve(made.id, environment, approver, "")
    with pytest.raises(errors.Refused, match=cannot):
        await requests.deploy("tiny", environment, made.id, approver, "")
    assert remote.started == []


async def test_an_app_of_a_removed_apps_name_begins_anew(
    requests: Requests, branches: Branches, database: db.Database
) -> None:
    branches.refs_now = {"main": commit(1)}
    (before,) = await requests.pushes_arrived("tiny", "dev")
    await requests.end_runs("tiny", "olga removed tiny.")
    branches.refs_now = {}
    assert await requests.pushes_arrived("tiny", "dev") == []
    branches.refs_now = {"main": commit(1)}

    (again,) = await requests.pushes_arrived("tiny", "dev")

    assert (await Runs(database).get(before.id)).sentence == "olga removed tiny."
    assert again.id != before.id


def release_of(run: str) -> dict[str, Any]:
    return {
        "app": "tiny",
        "run": run,
        "commit": commit(1),
        "schema_head": "",
        "artifacts": {},
        "product": PRODUCT,
        "changelog": "",
        "authors": ["dev"],
    }
