from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.appfile.model import PolicyOverrides
from shipway.environments import policy
from shipway.kit import errors


def test_production_is_the_strictest_by_default() -> None:
    assert policy.DEFAULTS["production"] == policy.Policy(
        instances=2,
        tls=True,
        minimum_tls="1.3",
        hsts=True,
        approvals=1,
        approve_own=False,
        rollout=(100,),
        backups="continuous",
        rehearse=True,
        migration_lock_ms=500,
    )


@pytest.mark.parametrize("environment", policy.ENVIRONMENTS)
def test_without_departures_the_default_is_in_force(environment: str) -> None:
    force = policy.in_force(environment)
    assert force == policy.PolicyInForce(policy=policy.DEFAULTS[environment])


def test_a_weaker_production_needs_a_reason_and_shows_it() -> None:
    weaker = PolicyOverrides(instances=1, minimum_tls="1.2")
    with pytest.raises(errors.Invalid) as caught:
        policy.in_force("production", weaker)
    assert caught.value.problems == (
        "production has instances = 1, weaker than the default 2",
        'production has minimum_tls = "1.2", weaker than the default "1.3"',
    )
    force = policy.in_force("production", dataclasses.replace(weaker, reason="One small machine."))
    assert force.policy.instances == 1
    assert force.weaker[0] == (
        "production has instances = 1, weaker than the default 2, because: One small machine."
    )


def test_a_reason_of_spaces_is_none() -> None:
    with pytest.raises(errors.Invalid):
        policy.in_force("production", PolicyOverrides(approvals=0, reason="  "))


def test_staging_may_be_weaker_without_a_reason() -> None:
    assert policy.in_force("staging", PolicyOverrides(tls=False)).weaker == (
        "staging has tls = false, weaker than the default true",
    )


def test_stronger_than_the_default_needs_no_reason() -> None:
    strong = PolicyOverrides(instances=4, approvals=2, rollout=(1, 10, 50, 100))
    force = policy.in_force("production", strong)
    assert force.weaker == ()
    assert force.policy.rollout == (1, 10, 50, 100)


def test_what_no_part_enforces_is_not_displayed() -> None:
    lines = policy.display("production", policy.in_force("production"))
    names = {line.name for line in lines}
    assert names == {field.name for field in dataclasses.fields(policy.Policy)}
    assert not names & {row.name for row in policy.TABLE if not row.enforced}


def test_a_weaker_value_is_displayed_with_its_reason() -> None:
    force = policy.in_force("production", PolicyOverrides(hsts=False), "Not yet registered.")
    (line,) = (x for x in policy.display("production", force) if x.name == "hsts")
    assert (line.value, line.default) == (False, True)
    assert line.weaker.endswith("because: Not yet registered.")


def test_an_unknown_environment_is_not_found() -> None:
    with pytest.raises(errors.NotFound, match="development, staging, production"):
        policy.in_force("prod")


@given(
    st.sampled_from(policy.ENVIRONMENTS),
    st.builds(
        PolicyOverrides,
        instances=st.none() | st.integers(1, 64),
        tls=st.none() | st.booleans(),
        minimum_tls=st.sampled_from([None, "1.2", "1.3"]),
        approvals=st.none() | st.integers(0, 10),
        approve_own=st.none() | st.booleans(),
        reason=st.sampled_from(["", "why"]),
    ),
)
def test_production_is_weaker_with_a_reason_or_not_at_all(
    environment: str, overrides: PolicyOverrides
) -> None:
    try:
        force = policy.in_force(environment, overrides)
    except errors.Invalid:
        assert environment == "production"
        assert not overrides.reason
        return
    if environment == "production" and not overrides.reason:
        assert not force.weaker
    for name in ("instances", "tls", "approvals"):
        given_value = getattr(overrides, name)
        default = getattr(policy.DEFAULTS[environment], name)
        assert getattr(force.policy, name) == (default if given_value is None else given_value)
