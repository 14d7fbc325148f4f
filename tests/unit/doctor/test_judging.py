from __future__ import annotations

import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.doctor.findings import Finding, Report, Weight
from shipway.doctor.judging import home, machine, processes, records

GIB = 1024**3


def weights(found: list[Finding]) -> list[str]:
    return [one.weight.value for one in found]


def disk(free: float, size: float = 100, **given: int) -> list[Finding]:
    return machine.disk(
        machine.Disk(where="/var", free=int(free * GIB), size=int(size * GIB), **given)
    )


def test_whole_programs_are_one_sentence() -> None:
    seen = [
        machine.Program(name="git", package="git", found=True, version=(2, 39), oldest=(2, 30)),
        machine.Program(name="s6-log", package="s6", found=True),
    ]
    (found,) = machine.programs(seen)
    assert (found.weight, found.sentence) == (Weight.FINE, "All 2 are there: git 2.39.")


def test_each_program_that_is_missing_or_old_is_named_with_its_package() -> None:
    seen = [
        machine.Program(name="bwrap", package="bubblewrap", found=False),
        machine.Program(name="node", package="nodejs", found=True, version=(18, 1), oldest=(20,)),
    ]
    missing, old = machine.programs(seen)
    assert missing.mend == "As root: apt-get install bubblewrap"
    assert old.sentence == "node 18.1 is too old: 20 or newer is needed."


@pytest.mark.parametrize(
    ("free", "weight"),
    [(50, "fine"), (9, "doubtful"), (4.9, "doubtful"), (1.9, "wrong"), (0.5, "wrong")],
)
def test_a_full_disk_is_told_in_time(free: float, weight: str) -> None:
    assert weights(disk(free)) == [weight]


def test_room_without_inodes_is_no_room() -> None:
    assert weights(disk(50, inodes=1000, inodes_free=30)) == ["doubtful"]
    assert weights(disk(50, inodes=1000, inodes_free=5)) == ["wrong"]


def test_what_bounds_builds_is_said() -> None:
    (fine,) = machine.builds(1, free=9, reserve=5)
    assert fine.sentence.startswith("Control groups (version 1) bound the memory and processes")
    (given_up, short) = machine.builds(0, free=GIB, reserve=2 * GIB)
    assert weights([given_up, short]) == ["given up", "wrong"]
    assert short.sentence == "Builds wait: 1.0 GiB are free, 2.0 GiB are needed."


@given(st.integers(0, 10**15), st.integers(0, 10**15), st.integers(0), st.integers(0))
def test_every_disk_is_judged(free: int, size: int, inodes_free: int, inodes: int) -> None:
    seen = machine.Disk(where="/", free=free, size=size, inodes_free=inodes_free, inodes=inodes)
    assert machine.disk(seen)


@given(st.integers(0, 10**13), st.integers(0, 10**13))
def test_less_room_is_never_better(some: int, more: int) -> None:
    order = ["wrong", "doubtful", "fine"]
    low, high = sorted((some, more))
    judged = [
        machine.disk(machine.Disk(where="/", free=free, size=10**13))[0] for free in (low, high)
    ]
    assert order.index(judged[0].weight) <= order.index(judged[1].weight)


def clock(**given: float) -> list[str]:
    return weights(
        machine.clock(machine.Clock(**{"drift": 0.0, "measured": 0.3, "files": 0.0, **given}))
    )


def test_clocks_that_agree() -> None:
    assert clock() == ["fine"]
    assert clock(database=1.0, files=-1.0, drift=0.01, ahead=-40.0) == ["fine"]


def test_clocks_that_do_not() -> None:
    assert clock(database=-3.0) == ["wrong"]
    assert clock(files=60.0) == ["wrong"]
    assert clock(drift=-1.0) == ["wrong"]
    assert clock(ahead=3600.0) == ["doubtful"]


def test_memory() -> None:
    assert machine.memory(GIB, 4 * GIB).weight is Weight.FINE
    assert machine.memory(GIB // 4, 4 * GIB).weight is Weight.DOUBTFUL


def test_an_open_folder_of_secrets_is_wrong_and_can_be_mended() -> None:
    seen = [
        home.Place(path="/h/secrets", wanted=(7, 8, 0o700), found=(7, 8, 0o755)),
        home.Place(path="/h/ca", wanted=(7, 8, 0o755), found=(0, 8, 0o755)),
        home.Place(path="/h/git", wanted=(7, 8, 0o700), found=None),
        home.Place(path="/h/run", wanted=(7, 8, 0o755), found=(7, 8, 0o755)),
    ]
    mode, owner, missing = home.places(seen)
    assert mode.sentence == "/h/secrets has mode 0755, not 0700."
    assert mode.mend == "chmod 0700 /h/secrets"
    assert mode.remedy
    assert (mode.remedy.kind, mode.remedy.mode) == ("mode", 0o700)
    assert owner.mend == "chown 7:8 /h/ca"
    assert missing.remedy is None


def test_whose_user_is_missing_is_not_given_away() -> None:
    place = home.Place(path="/h/ca", wanted=(-1, 8, 0o755), found=(0, 8, 0o700))
    (found,) = home.places([place])
    assert (found.weight, found.remedy) == (Weight.WRONG, None)


def test_a_home_that_nobody_can_walk_to() -> None:
    (found,) = home.closed_way(pathlib.PurePath("/root/shipway"), ["/root"])
    assert "cannot walk through /root" in found.sentence
    assert home.closed_way(pathlib.PurePath("/var/lib/shipway"), []) == []


def account(
    name: str, *, ours: bool = True, exists: bool = False, processes: int = 0
) -> home.Account:
    return home.Account(
        name=name, folder=f"/h/{name}", ours=ours, folder_exists=exists, processes=processes
    )


def test_only_an_idle_user_of_ours_is_removed() -> None:
    idle, busy, others = home.accounts(
        [
            account("sw-idle"),
            account("sw-busy", processes=2),
            account("sw-kept", exists=True),
            account("sw-theirs", ours=False),
        ],
        [],
    )
    assert idle.remedy
    assert idle.remedy.target == "sw-idle"
    assert (busy.weight, busy.remedy) == (Weight.WRONG, None)
    assert (others.weight, others.remedy) == (Weight.DOUBTFUL, None)


def test_an_owner_without_a_user() -> None:
    (found,) = home.accounts([], ["server.shop.staging"])
    assert found.sentence == "server.shop.staging has a folder and no OS user."


def test_one_user_gives_things_up_and_nothing_is_wrong() -> None:
    found = home.single_user("ana")
    assert {one.weight for one in found} == {Weight.GIVEN_UP}
    assert not Report(findings=tuple(found)).wrong


def test_certificates_end() -> None:
    seen = [
        home.Certificate(hosts=(), days=80),
        home.Certificate(hosts=("a.example",), days=-2),
        home.Certificate(hosts=("b.example", "c.example"), days=3),
        home.Certificate(hosts=("d.example",), days=300),
    ]
    authority, ended, soon = home.certificates(seen)
    assert authority.sentence == "The authority ends in 80 days."
    assert ended.sentence == "The certificate of a.example ended 2 days ago."
    assert (ended.weight, soon.weight) == (Weight.WRONG, Weight.DOUBTFUL)
    assert weights(home.certificates(seen[3:])) == ["fine"]
    assert weights(home.certificates([])) == ["fine"]


def test_data_is_never_removed() -> None:
    build, cluster, group = home.leftovers(
        [
            home.Leftover(path="/h/owners/build.gone", why="gone", safe=True),
            home.Leftover(path="/h/owners/cluster.gone.staging", why="gone", safe=False),
            home.Leftover(path="/g/task-1", why="ended", safe=True, kind="group"),
        ]
    )
    assert build.remedy
    assert cluster.remedy is None
    assert cluster.mend.startswith("It holds data: look before")
    assert group.mend == "rmdir /g/task-1"


def part(name: str, **given: object) -> processes.Part:
    usual = {"up": True, "wanted_up": True, "restarts": 0}
    return processes.Part(name=name, **{**usual, **given})  # type: ignore[arg-type]


def test_services() -> None:
    seen = [
        part("api"),
        part("worker", restarts=7),
        part("store", up=False),
        part("intake", up=False, wanted_up=False),
        part("server.shop.staging.r.20000", orphans=(71,)),
    ]
    found = processes.parts(seen, ["api", "store", "edge"])
    assert [one.sentence for one in found] == [
        "edge is not kept.",
        "worker has died 7 times.",
        "store is down.",
        "intake was stopped.",
        "server.shop.staging.r.20000 runs as 71, which no supervisor looks after.",
    ]
    assert weights(found) == ["wrong", "doubtful", "wrong", "wrong", "wrong"]
    assert weights(processes.parts(seen[:1], ["api"])) == ["fine"]


def test_ports() -> None:
    seen = [
        processes.Port(number=80, service="edge", up=True, holder="envoy (process 3)", ours=True),
        processes.Port(number=443, service="edge", up=True, holder="nginx (process 9)"),
        processes.Port(number=7700, service="api", up=True),
        processes.Port(number=7701, service="intake", up=False),
    ]
    taken, silent, overlap = processes.ports(seen, "20000 to 60999")
    assert taken.sentence == "Port 443, which edge needs, is held by nginx (process 9)."
    assert silent.sentence == "api is up and does not listen on port 7700."
    assert overlap.weight is Weight.DOUBTFUL
    assert weights(processes.ports([seen[0], seen[3]])) == ["fine"]


def test_strays_are_named_and_left_alone() -> None:
    (found,) = processes.strays([processes.Stray(pid=7, user="sw-x", line="node x.js")])
    assert "kill 7" in found.mend
    assert found.remedy is None
    assert weights(processes.strays([])) == ["fine"]


def run(**given: object) -> records.Unfinished:
    usual = {
        "kind": "run", "id": "run_1", "app": "shop", "state": "running", "hours": 0.1,
        "workflow": "PENDING", "version": "1",
    }  # fmt: skip
    return records.Unfinished(**{**usual, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        (run(workflow=""), "is running on record, and its workflow is not there."),
        (run(workflow="ERROR"), "is running on record, and its workflow ended as ERROR."),
        (run(version="0"), "was begun by workflows of version 0; these are 1."),
        (run(hours=9.0), "has been running for 9 hours."),
    ],
)
def test_a_stuck_run(seen: records.Unfinished, sentence: str) -> None:
    (found,) = records.unfinished([seen], "1")
    assert found.sentence == f"The run run_1 of shop {sentence}"
    assert bool(found.remedy) == (seen.workflow in {"", "ERROR"})


def test_what_waits_for_its_turn_is_not_stuck() -> None:
    waiting = run(state="waiting", workflow="ENQUEUED", version="", hours=200.0)
    assert weights(records.unfinished([waiting, run()], "1")) == ["fine"]
    assert weights(records.unfinished([], "1")) == ["fine"]


def test_a_stuck_deployment_is_left_to_people() -> None:
    (found,) = records.unfinished([run(kind="deployment", workflow="")], "1")
    assert found.remedy is None


def test_the_database() -> None:
    assert records.migrations([]).weight is Weight.FINE
    assert records.migrations(["0009_updates"]).mend == "Run `shipway up`, which migrates."
    assert records.migrations([], "0001 was edited").sentence == "0001 was edited"
    lost = [("deliver", "run_1"), ("promote", "promote:r:production")]
    (found,) = records.stranded(lost, told=["run_1"])
    assert found.sentence.endswith("worker: promote promote:r:production.")
    assert records.stranded(lost[:1], told=["run_1"]) == []
    assert weights(records.silent(["cluster.shop.staging"])) == ["wrong"]


def test_notifications() -> None:
    assert records.deliveries(0, "") == []
    (found,) = records.deliveries(3, "404")
    assert "3 notifications" in found.sentence
