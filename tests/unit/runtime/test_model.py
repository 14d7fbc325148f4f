"""Owners, places and findings: decisions without a machine."""

from __future__ import annotations

import datetime

from hypothesis import given
from hypothesis import strategies as st

from shipway.runtime.model import (
    Address,
    Ailment,
    Instance,
    Kind,
    Observed,
    Owner,
    Place,
    findings,
)

NAMES = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,40}", fullmatch=True)


@given(kind=st.sampled_from(Kind), app=NAMES, environment=NAMES)
def test_a_user_has_a_name_that_the_system_takes(kind: Kind, app: str, environment: str) -> None:
    user = Owner(kind, app, environment).user("/var/lib/shipway")
    assert len(user) <= 32
    assert set(user) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


@given(one=NAMES, other=NAMES)
def test_users_differ_by_app_and_by_home(one: str, other: str) -> None:
    owner = Owner(Kind.SERVER, one, "staging")
    assert owner.user("/a") != owner.user("/b")
    if one != other:
        assert owner.user("/a") != Owner(Kind.SERVER, other, "staging").user("/a")


@given(app=NAMES, environment=NAMES)
def test_a_socket_fits_into_an_address(app: str, environment: str) -> None:
    folder = Owner(Kind.CLUSTER, app, environment).sockets("/var/lib/shipway")
    assert len(f"{folder}/.s.PGSQL.5432") <= 107


def instance(port: int) -> Instance:
    place = Place(app="tiny", environment="staging", release="r", deployment="d", index=0)
    return Instance(
        id=f"ins_{port}",
        place=place,
        service=place.service(port),
        address=Address("127.0.0.1", port),
    )


def observed(of: Instance, *orphans: int) -> Observed:
    return Observed(
        name=of.service,
        owner=of.place.owner,
        up=True,
        pid=5,
        since=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        restarts=0,
        wanted_up=True,
        orphans=orphans,
    )


def test_nothing_is_found_where_all_is_well() -> None:
    assert findings([instance(1)], [observed(instance(1)), observed(instance(2), 7)]) == ()


def test_what_is_not_kept_is_gone() -> None:
    (found,) = findings([instance(1), instance(2)], [observed(instance(2))])
    assert (found.instance, found.ailment) == (instance(1), Ailment.GONE)
    assert (
        found.sentence == "tiny in staging, r number 1 should run at 127.0.0.1:1 and is not kept."
    )


def test_what_lost_its_supervisor_is_an_orphan() -> None:
    (found,) = findings([instance(1)], [observed(instance(1), 77)])
    assert found.ailment is Ailment.ORPHANED
    assert found.sentence == (
        "tiny in staging, r number 1 serves at 127.0.0.1:1 as process 77,"
        " whose supervisor has died."
    )
