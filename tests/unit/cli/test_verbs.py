"""Each verb says to the API what was typed, and prints what the API answers."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from tests.fakes.api import Api
from tests.unit.cli.conftest import Terminal

from shipway.client import status_wire, wire
from shipway.kit import errors

NOW = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)


def a_run(**changes: Any) -> wire.Run:
    given: dict[str, Any] = {
        "id": "run_1", "app": "aios", "branch": "main", "commit": "c0ffee" * 6, "kind": "full",
        "state": "succeeded", "pushed_by": "ada", "started": NOW, "ended": NOW,
        "sentence": "v1 is ready for production.",
    }  # fmt: skip
    return wire.Run(**given | changes)


def a_step(**changes: Any) -> wire.Step:
    given: dict[str, Any] = {
        "name": "test api", "state": "succeeded", "cached": False, "started": NOW,
        "ended": NOW + datetime.timedelta(seconds=4), "sentence": "",
    }  # fmt: skip
    return wire.Step(**given | changes)


def a_deployment(**changes: Any) -> wire.Deployment:
    given: dict[str, Any] = {
        "id": "dep_1", "app": "aios", "environment": "production", "release": "rel_1",
        "version": "v1", "state": "live", "by": "ada", "started": NOW, "ended": NOW,
        "sentence": "production went back to v1.",
    }  # fmt: skip
    return wire.Deployment(**given | changes)


def test_runs_are_listed(terminal: Terminal, api: Api) -> None:
    api.on("GET /v1/apps/aios/runs", wire.Page[wire.Run](items=(a_run(),), next="abc"))
    found = terminal.type("runs", "--limit", "1")
    assert found.out.splitlines()[0].split() == [
        "RUN",
        "STATE",
        "BRANCH",
        "COMMIT",
        "BY",
        "STARTED",
    ]
    assert found.out.splitlines()[1].startswith("run_1  succeeded  main    c0ffeec0ff  ada")
    assert "--after abc" in found.err
    assert api.asked == [("GET /v1/apps/aios/runs", {"limit": "1", "after": ""})]


def test_json_is_what_the_api_said(terminal: Terminal, api: Api) -> None:
    page = wire.Page[wire.Run](items=(a_run(),))
    api.on("GET /v1/apps/aios/runs", page)
    assert json.loads(terminal.type("runs", "--json").out) == page.model_dump(mode="json")


def test_the_app_can_be_named(terminal: Terminal, api: Api) -> None:
    api.on("GET /v1/apps/other/runs", wire.Page[wire.Run](items=()))
    assert "no run yet" in terminal.type("runs", "--app", "other").err


def test_outside_a_checkout_the_app_must_be_named(terminal: Terminal) -> None:
    (terminal.folder / "shipway.toml").unlink()
    found = terminal.type("runs")
    assert (found.exit_code, "--app" in found.err) == (5, True)


@pytest.mark.parametrize("text", ["title = 'x'", "name = ", "name = 3"])
def test_a_file_without_a_name_is_named(terminal: Terminal, text: str) -> None:
    (terminal.folder / "shipway.toml").write_text(text)
    found = terminal.type("runs")
    assert (found.exit_code, "shipway.toml" in found.err) == (2, True)


def test_a_run_is_shown_with_its_steps(terminal: Terminal, api: Api) -> None:
    steps = (a_step(), a_step(name="server", cached=True))
    run = wire.RunWithSteps(**a_run().model_dump(), steps=steps)
    api.on("GET /v1/runs/run_1", run)
    out = terminal.type("runs", "show", "run_1").out
    assert "test api: succeeded in 4.0 s\n" in out
    assert "server: succeeded in 4.0 s, from the cache\n" in out
    assert out.endswith("v1 is ready for production.\n")


def test_followed_logs_end_with_the_run(terminal: Terminal, api: Api) -> None:
    api.on("GET /v1/apps/aios/runs", wire.Page[wire.Run](items=(a_run(state="running"),)))
    failed = a_run(state="failed", sentence="test api failed.")
    api.on(
        "GET /v1/runs/run_1/events",
        (
            wire.Event(kind="step", step=a_step(state="running", ended=None)),
            wire.Event(kind="beat"),
            wire.Event(kind="log", name="test api", line="2026-11-23T12:00:00.000Z 1 failed"),
            wire.Event(kind="step", step=a_step(state="failed", sentence="1 of 7 tests failed.")),
            wire.Event(kind="run", run=failed),
        ),
    )
    found = terminal.type("logs", "-f")
    assert found.out.splitlines() == [
        "test api: running",
        "test api | 1 failed",
        "test api: failed in 4.0 s. 1 of 7 tests failed.",
    ]
    assert (found.exit_code, "test api failed. `shipway logs run_1`" in found.err) == (8, True)


def test_followed_logs_are_events_for_programs(terminal: Terminal, api: Api) -> None:
    api.on("GET /v1/apps/aios/runs", wire.Page[wire.Run](items=(a_run(state="running"),)))
    api.on(
        "GET /v1/runs/run_1/events",
        (
            wire.Event(kind="beat"),
            wire.Event(kind="log", name="test api", line="2026-11-23T12:00:00.000Z 1 passed"),
            wire.Event(kind="run", run=a_run(state="succeeded")),
        ),
    )
    found = terminal.type("logs", "-f", "--json")
    events = [json.loads(line) for line in found.out.splitlines()]
    assert found.exit_code == 0
    assert events[0] == {
        "kind": "log", "name": "test api", "line": "2026-11-23T12:00:00.000Z 1 passed",
    }  # fmt: skip
    assert (len(events), events[1]["run"]["state"]) == (2, "succeeded")


def test_rollback_names_no_version_and_waits(terminal: Terminal, api: Api) -> None:
    prefix = "/v1/apps/aios/environments/production"
    api.on(
        f"POST {prefix}/rollback", a_deployment(state="running", sentence="Going back.", ended=None)
    )
    api.on(f"GET {prefix}/deployments/dep_1", a_deployment())
    found = terminal.type("rollback", "production", "--reason", "sign-in fails")
    assert api.asked[0][1] == {"to": "", "reason": "sign-in fails"}
    assert found.out.splitlines() == ["Going back.", "production went back to v1."]
    assert found.exit_code == 0


def test_a_release_is_deployed_again_without_a_checkout(terminal: Terminal, api: Api) -> None:
    prefix = "/v1/apps/aios/environments/production"
    going = a_deployment(state="running", sentence="Begun.", ended=None)
    api.on(f"POST {prefix}/deployments", going)
    api.on(f"GET {prefix}/deployments/dep_1", a_deployment())
    found = terminal.type("deploy", "--release", "v1", "--reason", "new key")
    assert api.asked[0][1] == {"release": "v1", "reason": "new key"}
    assert (found.exit_code, found.out.splitlines()[0]) == (0, "Begun.")


def test_a_rollback_that_withdraws_what_is_entering_is_good_news(
    terminal: Terminal, api: Api
) -> None:
    said = "production keeps v1: v2 was not deployed. ada took it back."
    gone = a_deployment(version="v2", state="failed", sentence=said, withdrawn="ada took it back.")
    api.on("POST /v1/apps/aios/environments/production/rollback", gone)
    found = terminal.type("rollback", "production")
    assert (found.exit_code, found.out) == (0, f"{said}\n")


def test_a_failed_rollback_leaves_with_its_exit_code(terminal: Terminal, api: Api) -> None:
    reply = a_deployment(state="failed", sentence="v1 never became ready.")
    api.on("POST /v1/apps/aios/environments/production/rollback", reply)
    found = terminal.type("rollback", "production")
    assert (found.exit_code, "v1 never became ready." in found.err) == (8, True)


def test_approval_prints_the_sentence(terminal: Terminal, api: Api) -> None:
    what = "POST /v1/apps/aios/environments/production/approvals"
    api.on(what, wire.Said(sentence="v2 has 1 of 1 approvals."))
    assert terminal.type("approve", "v2").out == "v2 has 1 of 1 approvals.\n"
    terminal.type("approve", "--emergency", "--reason", "sign-in is down")
    plain = {"release": "v2", "reason": "", "emergency": False}
    urgent = {"release": "", "reason": "sign-in is down", "emergency": True}
    assert api.asked == [(what, plain), (what, urgent)]


def test_every_reason_of_a_refusal_is_shown(terminal: Terminal, api: Api) -> None:
    what = "POST /v1/apps/aios/environments/production/approvals"
    api.on(what, errors.Refused("ada is the author", "QA is not recorded", fix="Ask another."))
    found = terminal.type("approve")
    assert found.exit_code == 3
    assert "ada is the author" in found.err
    assert "QA is not recorded" in found.err


def test_a_secret_is_read_from_standard_input(terminal: Terminal, api: Api) -> None:
    what = "PUT /v1/apps/aios/environments/staging/variables/KEY"
    api.on(what, wire.Said(sentence="KEY is set."))
    assert (
        terminal.type("env", "set", "staging", "KEY", "--secret", stdin="s3cret\n").exit_code == 0
    )
    assert api.asked == [(what, {"value": "s3cret", "kind": "secret"})]


@pytest.mark.parametrize("kind", [(), ("--secret",)])
def test_a_secret_on_the_command_line_is_refused(terminal: Terminal, kind: tuple[str, ...]) -> None:
    found = terminal.type("env", "set", "staging", "KEY", "s3cret", *kind)
    assert (found.exit_code, "history" in found.err) == (2, True)
    assert not terminal.api.asked


def test_secrets_are_marked_and_never_shown(terminal: Terminal, api: Api) -> None:
    shown = wire.Environment(
        app="aios", name="staging", addresses=("https://staging.aios.localhost",), live=None,
        instances=(), policy={"instances": 1, "tls": True}, weaker=(), database="One node answers.",
        missing=("SMTP_URL",),
        variables=(wire.Variable(name="KEY", kind="secret", value=None, source="set"),),
    )  # fmt: skip
    api.on("GET /v1/apps/aios/environments/staging", shown)
    out = terminal.type("env", "show", "staging").out
    assert "KEY   secret  (secret)  set" in out
    assert "tls: yes" in out
    assert "SMTP_URL is required and has no value" in out


def test_removing_an_app_asks_for_its_name(terminal: Terminal, api: Api) -> None:
    api.on("DELETE /v1/apps/aios", wire.Said(sentence="aios is gone."))
    assert terminal.type("app", "remove", "aios", stdin="oais\n").exit_code == 3
    assert not api.asked
    assert terminal.type("app", "remove", "aios", stdin="aios\n").out.endswith("aios is gone.\n")
    assert terminal.type("app", "remove", "aios", "--yes").out == "aios is gone.\n"


def test_a_token_is_printed_alone(terminal: Terminal, api: Api) -> None:
    issued = wire.IssuedToken(
        id="tok_1", name="ci", created=NOW, expires=None, last_used=None, plain="shp_new"
    )
    api.on("POST /v1/people/ci/tokens", issued)
    assert (
        terminal.type("people", "token", "ci", "--for", "ci", "--never-expires").out == "shp_new\n"
    )
    assert api.asked[0][1] == {"name": "ci", "expires_days": None}


def test_people_are_added_with_a_role(terminal: Terminal, api: Api) -> None:
    added = wire.Person(name="bob", role="approver", emails=("b@x.org",), created=NOW)
    api.on("POST /v1/people", added)
    found = terminal.type("people", "add", "bob", "--role", "approver", "--email", "b@x.org")
    assert found.out.startswith("bob is approver.")
    assert terminal.type("people", "add", "bob", "--role", "boss").exit_code == 2


def test_status_leaves_with_7_when_a_part_is_down(terminal: Terminal, api: Api) -> None:
    parts = (
        status_wire.Part(name="api", up=True, sentence="up"),
        status_wire.Part(name="edge", up=False, sentence="envoy is down since 3 s."),
    )
    api.on("GET /v1/status", status_wire.Status(version="0.1.0", parts=parts, apps=()))
    found = terminal.type("status")
    assert (found.exit_code, "Down: edge." in found.err) == (7, True)
    assert "edge: envoy is down since 3 s." in found.out


def test_login_keeps_a_token_that_the_server_knows(terminal: Terminal, api: Api) -> None:
    token = wire.Token(id="tok_1", name="laptop", created=NOW, expires=None, last_used=None)
    api.on("GET /v1/me", wire.Me(person="ada", role="owner", token=token))
    found = terminal.type("login", "https://new.example", "--token", "-", stdin="shp_new\n")
    assert found.out == "You are ada (owner) at new.example.\n"
    assert terminal.logins.find().token == "shp_new"
    assert "*  new.example" in terminal.type("server", "list").out
    assert terminal.type("--server", "box", "whoami").out.startswith("ada (owner) at box")
    assert api.tokens == ["shp_new", "shp_box"]


def test_login_keeps_nothing_that_the_server_does_not_know(terminal: Terminal, api: Api) -> None:
    api.on("GET /v1/me", errors.Unknown("Nobody is known by this token."))
    assert terminal.type("login", "https://new.example", stdin="shp_bad").exit_code == 4
    assert terminal.logins.find().name == "box"


def test_a_token_on_the_command_line_is_refused(terminal: Terminal) -> None:
    found = terminal.type("login", "https://new.example", "--token", "shp_new")
    assert (found.exit_code, "read by everybody" in found.err) == (2, True)


def test_programs_give_server_and_token_by_the_environment(
    terminal: Terminal, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHIPWAY_SERVER", "https://ci.example")
    monkeypatch.setenv("SHIPWAY_TOKEN", "shp_ci")
    api.on("GET /v1/people", wire.Page[wire.Person](items=()))
    terminal.type("people", "list")
    assert api.tokens == ["shp_ci"]
    assert terminal.type("git-credential", "get").out == "username=shipway\npassword=shp_ci\n"


def test_webhooks_and_addresses_are_told_apart(terminal: Terminal, api: Api) -> None:
    for target, kind in (("https://x.org/hook", "webhook"), ("team@x.org", "email")):
        added: dict[str, Any] = {"id": "ch_1", "app": "aios", "kind": kind, "target": target}
        reply = wire.AddedChannel(**added, created=NOW, secret="k3y" if kind == "webhook" else "")
        api.on("POST /v1/apps/aios/channels", reply)
        assert ("k3y" in terminal.type("notify", "add", target).out) == (kind == "webhook")
        assert api.asked[-1][1] == {"kind": kind, "target": target}


def test_a_release_shows_its_gates(terminal: Terminal, api: Api) -> None:
    gate = wire.Gate(
        name="approval", environment="production", open=False, evidence={}, at=NOW,
        sentence="0 of 1 approvals.",
    )  # fmt: skip
    found = wire.ReleaseInFull(
        id="rel_1", app="aios", version="v1", number=1, commit="c0ffee" * 6, schema_head="0002",
        state="ready", created=NOW, artifacts={}, changelog="- Add notes", gates=(gate,),
        approvals={}, deployments=(a_deployment(),),
    )  # fmt: skip
    api.on("GET /v1/apps/aios/releases/v1", found)
    out = terminal.type("releases", "show", "v1").out
    assert "production: 0 of 1 approvals." in out
    assert "- Add notes" in out


def test_the_trail_is_shown(terminal: Terminal, api: Api) -> None:
    entry = wire.AuditEntry(id=1, at=NOW, who="ada", what="app.create", target="aios", detail={})
    api.on("GET /v1/audit", wire.Page[wire.AuditEntry](items=(entry,)))
    assert "ada  app.create  aios" in terminal.type("audit").out


def test_init_writes_a_file_and_keeps_one_that_is_there(terminal: Terminal) -> None:
    file = terminal.folder / "shipway.toml"
    file.unlink()
    expo = {"name": "notes", "dependencies": {"expo": "57", "react-native-web": "0.21"}}
    (terminal.folder / "package.json").write_text(json.dumps(expo))
    (terminal.folder / "app.json").write_text('{"expo": {}}')
    assert "shipway.toml is written" in terminal.type("init").out
    written = file.read_text()
    assert terminal.type("init").exit_code == 6
    file.write_text("mine")
    assert terminal.type("init", "--stdout").out == written
    assert file.read_text() == "mine"
    assert terminal.type("init", "--yes").exit_code == 0
    assert file.read_text() == written


def test_without_the_parts_of_a_server_up_says_what_to_install(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    found = terminal.type("up")
    assert (found.exit_code, "pip install 'shipway[server]'" in found.err) == (7, True)


def test_every_verb_has_help_that_fits(terminal: Terminal) -> None:
    summary = terminal.type("--help").out
    assert "..." not in summary.partition("Options:")[2], "a first sentence is too long"
