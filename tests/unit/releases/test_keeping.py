"""Which releases keep their artifacts."""

from __future__ import annotations

import datetime
from typing import Any

from shipway.releases import keeping
from shipway.releases.model import Deployment, Release

NOW = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)


def release(number: int) -> Release:
    return Release(
        id=f"rel_{number}", app="tiny", number=number, version=f"v{number}", commit="c" * 40,
        run=f"run_{number}", schema_head="", artifacts={}, product="", changelog="", authors=(),
        state="ready", created=NOW,
    )  # fmt: skip


def deployment(number: int, state: str, before: int | None = None, **changes: Any) -> Deployment:
    known: dict[str, Any] = {
        "id": f"dep_{number}", "app": "tiny", "environment": "production",
        "release": f"rel_{number}", "version": f"v{number}", "kind": "deploy", "state": state,
        "asked_by": "ana", "reason": "", "served_by": f"dep_{number}",
        "before": f"dep_{before}" if before else None, "plan": (1000,), "stage": 1,
        "started": NOW, "ended": NOW, "warm_until": None, "sentence": "",
    }  # fmt: skip
    return Deployment(**(known | changes))


RELEASES = [release(number) for number in range(100, 0, -1)]


def kept(*deployments: Deployment, **given: Any) -> dict[str, str]:
    facts: dict[str, Any] = {"approved": (), "active_runs": (), "most": 2}
    return dict(keeping.kept(RELEASES, deployments, **(facts | given)))


def test_the_newest_stay() -> None:
    assert set(kept()) == {"rel_100", "rel_99"}


def test_what_is_live_warm_or_on_its_way_stays() -> None:
    found = kept(
        deployment(1, "live"),
        deployment(2, "warm"),
        deployment(3, "rolled_back"),
        deployment(4, "running", environment="staging"),
        deployment(5, "waiting"),
        deployment(6, "failed"),
        deployment(7, "retired"),
    )
    assert set(found) == {"rel_100", "rel_99", *(f"rel_{number}" for number in range(1, 6))}
    assert found["rel_1"] == "it is live in production"


def test_where_rollbacks_lead_stays() -> None:
    chain = [deployment(50, "live", 40)] + [
        deployment(number, "retired", number - 10 or None) for number in (40, 30, 20, 10)
    ]
    found = kept(*chain)
    assert set(found) == {"rel_100", "rel_99", "rel_50", "rel_40", "rel_30", "rel_20"}
    assert found["rel_20"] == "a rollback of production goes back to it"


def test_an_approved_release_waits_until_a_newer_one_is_live() -> None:
    live = deployment(50, "live")
    found = kept(live, approved={"rel_60", "rel_40"}, active_runs={"run_30"})
    assert found["rel_60"] == "it is approved and waits"
    assert "rel_40" not in found
    assert found["rel_30"] == "its run goes on"
