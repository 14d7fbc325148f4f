"""Decisions about updates: who gets what, when it was made, what may go over the air."""

from __future__ import annotations

import datetime
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.updates import adoption, model, native
from shipway.updates.adoption import Adopted
from shipway.updates.model import Asked, Entry, Line, Signed
from shipway.updates.native import Native, StoreBuild

UUIDS = st.uuids().map(str)
SALTS = st.integers(min_value=0, max_value=2**64 - 1)
NOW = datetime.datetime(2026, 11, 23, 0, 5, 1, 123_456, tzinfo=datetime.UTC)


def entry(
    name: int, *, per_mille: int = 1000, kind: model.EntryKind = "update", salt: int = 7
) -> Entry:
    return Entry(
        id=str(uuid.UUID(int=name)),
        kind=kind,
        created=name,
        signed=Signed(body="{}"),
        per_mille=per_mille,
        salt=salt,
    )


def line(*entries: Entry) -> Line:
    known = {one.id: one.created for one in entries if one.kind == "update"}
    return Line(platform="ios", runtime="1", entries=entries, known=known)


def asked(**given: object) -> Asked:
    return Asked(platform="ios", runtime="1", **given)  # type: ignore[arg-type]


@given(client=UUIDS, salt=SALTS, shares=st.lists(st.integers(0, 1000), min_size=2))
def test_a_share_that_grows_never_loses_anybody(client: str, salt: int, shares: list[int]) -> None:
    reached = [
        model.reaches(entry(1, per_mille=share, salt=salt), client) for share in sorted(shares)
    ]
    assert reached == sorted(reached)


@given(client=UUIDS, salt=SALTS)
def test_a_place_is_the_same_each_time_and_for_both_platforms(client: str, salt: int) -> None:
    place = model.place(model.normal_id(client.upper()), salt)
    assert place == model.place(client, salt)
    assert 0 <= place < 1000


def test_places_are_spread_evenly() -> None:
    first = sum(model.place(str(uuid.UUID(int=n << 64 | n)), 42) < 100 for n in range(20_000))
    assert 1800 < first < 2200


@given(share=st.integers(0, 999))
def test_who_has_no_id_comes_last(share: int) -> None:
    assert not model.reaches(entry(1, per_mille=share), "")
    assert model.reaches(entry(1, per_mille=1000), "")


def test_nobody_is_offered_what_failed_or_what_is_older() -> None:
    new, old = entry(2), entry(1)
    assert model.choose(line(new, old), asked()).entry == new
    assert model.choose(line(new, old), asked(failed=(new.id,))).entry == old
    assert model.choose(line(new, old), asked(current=new.id)) == model.NOTHING
    running_failed = asked(failed=(new.id,), current=old.id)
    assert model.choose(line(new, old), running_failed) == model.NOTHING
    assert model.choose(line(new, old), asked(), failed={new.id}).entry == old
    assert model.choose(line(entry(1)), asked(current=entry(2).id)).entry == entry(1)


def test_the_way_back_is_not_offered_to_who_is_there() -> None:
    back = line(entry(3, kind="embedded"), entry(2))
    at_home = asked(current="e", embedded="e")
    assert model.choose(back, at_home) == model.NOTHING
    assert model.choose(back, asked(current="x", embedded="e")).kind == "embedded"
    assert model.choose(back, asked()).kind == "embedded"


def test_version_0_of_the_protocol_is_told_what_it_runs() -> None:
    one = line(entry(1))
    assert model.choose(one, asked(protocol=0, current=entry(1).id)).entry == entry(1)


@pytest.mark.parametrize("line_", [None, line()])
def test_without_a_line_there_is_nothing(line_: Line | None) -> None:
    assert model.choose(line_, asked()) == model.NOTHING


def test_a_time_has_three_digits_and_a_z() -> None:
    assert model.timestamp(model.milliseconds(NOW)) == "2026-11-23T00:05:01.123Z"
    assert model.timestamp(1_000) == "1970-01-01T00:00:01.000Z"


@given(now=st.integers(0, 2**41), latest=st.lists(st.integers(0, 2**41)))
def test_what_is_made_later_is_newer_whatever_the_clock_says(now: int, latest: list[int]) -> None:
    created = model.next_created(now, latest=latest)
    assert created >= now
    assert all(created > moment for moment in latest)


BUILD = StoreBuild(
    id="nat_1",
    app="tiny",
    platform="ios",
    version="1.4.0",
    runtime="aaa",
    fingerprint="aaa",
    embedded="",
    committed=0,
    launch="",
    by="ada",
    created=NOW,
)
OLD = [{"type": "dir", "filePath": "node_modules/expo-camera/ios", "hash": "1"}]


def problems(runtime: str, fingerprint: str, *builds: StoreBuild) -> list[str]:
    new = [
        {"type": "dir", "filePath": "node_modules/expo-camera/ios", "hash": "2"},
        {"type": "dir", "filePath": "node_modules/@a/b/ios", "hash": "3"},
        {"type": "dir", "filePath": "node_modules/expo/ios", "hash": "4"},
        {"type": "file", "filePath": "assets/icon.png", "hash": "5"},
        {"type": "contents", "id": "expoConfig", "hash": "6"},
    ]
    found = Native(platform="ios", runtime=runtime, fingerprint=fingerprint, sources=new)
    return list(native.problems(found, builds, {"aaa": OLD}))


def test_what_no_build_can_receive_is_refused_with_what_changed() -> None:
    (sentence,) = problems("bbb", "bbb", BUILD)
    assert sentence.startswith("No ios build in users' hands runs bbb: 1.4.0 has aaa.")
    told = sentence.partition("Changed: ")[2]
    assert told.index("the SDK (expo added)") < told.index("native dependency @a/b added")
    assert "native dependency expo-camera changed" in told
    assert "assets/icon.png added" in told
    assert "configuration expoConfig added" in told


def test_a_runtime_version_must_stand_for_one_native_side() -> None:
    (sentence,) = problems("aaa", "bbb", BUILD)
    assert "is not what ios 1.4.0 stands for" in sentence
    assert problems("aaa", "aaa", BUILD) == []
    assert problems("bbb", "bbb") == []


@pytest.mark.parametrize(
    ("config", "runtime"),
    [
        ({}, "hash"),
        ({"runtimeVersion": {"policy": "fingerprint"}}, "hash"),
        ({"runtimeVersion": "3"}, "3"),
        ({"runtimeVersion": "3", "ios": {"runtimeVersion": "4"}}, "4"),
        ({"runtimeVersion": {"policy": "appVersion"}, "version": "1.2.0"}, "1.2.0"),
        (
            {"runtimeVersion": {"policy": "nativeVersion"}, "version": "1.2.0",
             "ios": {"buildNumber": "7"}},
            "1.2.0(7)",
        ),
        ({"runtimeVersion": {"policy": "sdkVersion"}, "sdkVersion": "57.0.0"}, "exposdk:57.0.0"),
    ],
)  # fmt: skip
def test_a_runtime_version_is_resolved_as_expo_does(
    config: dict[str, object], runtime: str
) -> None:
    assert native.runtime_of(config, "ios", "hash") == runtime


def test_a_runtime_version_is_a_fingerprint_only_where_it_looks_like_one() -> None:
    assert native.fingerprint_in("ab796f41" * 5) == "ab796f41" * 5
    assert native.fingerprint_in("1.4.0") == native.fingerprint_in("20261123") == ""


def adopted(launched: int, failed: int) -> list[Adopted]:
    return [
        Adopted(
            id="u", platform="ios", runtime="1", offered=0, downloaded=0, launched=launched,
            failed=failed, silent=0, running=0,
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("launched", "failed", "halts"),
    [(0, 0, False), (0, 2, False), (0, 3, True), (97, 3, False), (1000, 10, False),
     (1000, 60, True)],
)  # fmt: skip
def test_a_rollout_halts_when_more_fails_than_chance_explains(
    launched: int, failed: int, *, halts: bool
) -> None:
    assert bool(adoption.must_halt(adopted(launched, failed))) is halts
