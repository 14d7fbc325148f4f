"""What a release waits for in each environment, with the evidence, and the yes that is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shipway import appfile
from shipway.access.model import Action, Approval
from shipway.console.page import Asked, Deed, taken
from shipway.kit import errors
from shipway.releases.model import Gate, Release
from shipway.workflows import names


@dataclass(frozen=True, kw_only=True)
class Ward:
    """The gates of one environment. ``may_approve`` says whether the button is of use."""

    environment: str
    gates: Sequence[Gate]
    approvals: Sequence[Approval]
    may_approve: bool

    @property
    def is_open(self) -> bool:
        return all(gate.open for gate in self.gates)


APPROVE = Deed(
    name="approve",
    method="POST",
    path="/v1/apps/{app}/environments/{environment}/approvals",
    body=taken("release", "reason"),
)


async def of(asked: Asked, release: Release) -> tuple[Ward, ...]:
    """Return the gates by environment, in the order in which a release comes to them."""
    gates = await asked.on.releases.gates(release.id)
    given = await asked.on.approvals.of_release(release.id)
    known = _environments(release)
    return tuple(
        Ward(
            environment=name,
            gates=[gate for gate in gates if gate.environment == name],
            approvals=given.get(name, ()),
            may_approve=_may_approve(asked, release, name, known, gates),
        )
        for name in known
        if name in {gate.environment for gate in gates} or given.get(name)
    )


def _may_approve(
    asked: Asked,
    release: Release,
    environment: str,
    known: Sequence[str],
    gates: Sequence[Gate],
) -> bool:
    waits = any(g.environment == environment and g.name == "approved" and not g.open for g in gates)
    return (
        release.state == "ready"
        and waits
        and environment in known
        and asked.may(Action.APPROVE, environment)
    )


def _environments(release: Release) -> Sequence[str]:
    try:
        product = appfile.parse(release.product)
    except errors.Invalid:
        return names.DEPLOYED
    return [name for name in names.DEPLOYED if name in product.environments]


def rows(wards: Sequence[Ward]) -> Sequence[Mapping[str, Any]]:
    """Return the gates as a panel."""
    return [
        {
            "environment": gate.environment,
            "gate": gate.name,
            "open": gate.open,
            "sentence": gate.sentence,
            "evidence": dict(gate.evidence),
            "at": gate.at,
        }
        for ward in wards
        for gate in ward.gates
    ]
