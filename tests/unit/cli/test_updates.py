"""The commands of updates say to the API what was typed, and print what it answers."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from tests.fakes.api import Api
from tests.unit.cli.conftest import Terminal

from shipway.client import updates_wire, wire
from shipway.client.updates_wire import Change, UpdateKey

NOW = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)
CHANGES = "POST /v1/apps/aios/update-changes"


def an_update(**changes: Any) -> updates_wire.UpdateInFull:
    manifest = updates_wire.Manifest(
        id="3ba5a7a7", platform="ios", runtime="1", kind="update",
        created="2026-11-23T12:00:00.000Z", fingerprint="", size=1000, offered=9, downloaded=8,
        launched=7, failed=1, silent=1, running=6,
    )  # fmt: skip
    patch = updates_wire.Patch(
        base="b" * 64, target="c" * 64, offered=True, size=10, full_size=900, hits=3, saved=2670,
        sentence="10 bytes instead of 900.",
    )  # fmt: skip
    given: dict[str, Any] = {
        "id": "upd_1", "number": 1, "environment": "production", "kind": "publish",
        "state": "rolling", "per_mille": 50, "release": "rel_1", "version": "v1",
        "commit": "c0ffee", "message": "Add haptics", "author": "ada", "size": 1000,
        "sentence": "Published for ios.", "created": NOW, "manifests": (manifest,),
        "failures": (updates_wire.Failure(error="TypeError", devices=1),), "patches": (patch,),
    }  # fmt: skip
    return updates_wire.UpdateInFull(**given | changes)


def a_change(**changes: Any) -> Change:
    given: dict[str, Any] = {
        "id": "uch_1", "action": "share", "state": "done", "sentence": "It is done.",
        "about": "upd_1", "by": "ada", "created": NOW,
    }  # fmt: skip
    return Change(**given | changes)


def test_updates_are_listed(terminal: Terminal, api: Api) -> None:
    found = an_update().model_dump(include=set(updates_wire.Update.model_fields))
    page = wire.Page[updates_wire.Update](items=(updates_wire.Update(**found),))
    api.on("GET /v1/apps/aios/updates", page)
    [_, line] = terminal.type("updates").out.splitlines()
    assert line.split()[:5] == ["upd_1", "production", "v1", "5", "%"]
    assert json.loads(terminal.type("updates", "--json").out) == page.model_dump(mode="json")


def test_an_update_is_shown_with_all_that_is_known_of_it(terminal: Terminal, api: Api) -> None:
    api.on("GET /v1/apps/aios/updates/upd_1", an_update())
    said = terminal.type("update", "show", "upd_1").out
    assert "v1 (c0ffee), 1000 bytes, by ada: Add haptics" in said
    assert "9        8           7         1       1       6" in said
    assert "1 devices: TypeError" in said
    assert "10 bytes instead of 900. 3 sent." in said
    found = json.loads(terminal.type("update", "show", "upd_1", "--json").out)
    assert found["manifests"][0]["silent"] == 1


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("publish v1 --share 50", {"action": "publish", "release": "v1", "per_mille": 50}),
        ("rollback staging --to embedded", {"action": "roll_back", "environment": "staging"}),
        ("share upd_1 500", {"action": "share", "update": "upd_1", "per_mille": 500}),
        ("pause upd_1", {"action": "pause", "update": "upd_1"}),
        ("resume upd_1", {"action": "resume", "update": "upd_1"}),
        ("revert upd_1", {"action": "revert", "update": "upd_1"}),
        ("channel staging --branch production", {"name": "staging", "branch": "production"}),
        ("channel staging --pause", {"paused": True, "pinned": None, "headers": None}),
        ("channel staging --pin upd_1", {"paused": None, "pinned": "upd_1"}),
        ("channel staging --header a=1 --header b=2", {"headers": {"a": "1", "b": "2"}}),
        ("channel staging --asset-header=", {"asset_headers": {}, "headers": None}),
        ("garbage --remove", {"action": "remove_garbage"}),
        ("keys create ci", {"action": "create_key", "key": "ci"}),
        ("keys rotate", {"action": "rotate_key"}),
        ("keys retire main", {"action": "retire_key", "key": "main"}),
    ],
)
def test_a_change_is_asked_for(
    terminal: Terminal, api: Api, typed: str, asked: dict[str, Any]
) -> None:
    api.on(CHANGES, a_change())
    found = terminal.type("update", *typed.split(" "))
    assert found.exit_code == 0, found.err
    assert "It is done." in found.out + found.err
    told = api.asked[-1][1]
    assert {name: told[name] for name in asked} == asked


def test_a_change_that_was_refused_says_why_and_fails(terminal: Terminal, api: Api) -> None:
    api.on(CHANGES, a_change(state="refused", sentence="A native build is needed."))
    found = terminal.type("update", "publish", "v1")
    assert found.exit_code != 0
    assert "A native build is needed." in found.err


def test_a_certificate_is_exported(terminal: Terminal, api: Api) -> None:
    names = (("main", None), ("main-2", None), ("main-3", NOW))
    keys = tuple(
        UpdateKey(id=name, certificate=f"of {name}\n", external=False, created=NOW, retired=retired)
        for name, retired in names
    )
    api.on("GET /v1/apps/aios/update-keys", wire.Page[UpdateKey](items=keys))
    export = ("update", "keys", "export-certificate")
    assert terminal.type(*export).out == "of main-2\n", "the newest one in use"
    assert terminal.type(*export, "main").out == "of main\n"
    target = terminal.folder / "certificate.pem"
    assert terminal.type(*export, "main", "--output", str(target)).exit_code == 0
    assert target.read_text() == "of main\n"
    assert "has no key nobody" in terminal.type(*export, "nobody").err
