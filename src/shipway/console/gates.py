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
    waits: bool
    """Whether a yes would bring the release nearer."""
    may_approve: bool
    may_rush: bool
    """Whether an owner looks at this, whose yes is enough in an emergency."""

    @property
    def is_approved(self) -> bool:
        return any(gate.name == "approved" and gate.open for gate in self.gates)


_APPROVALS = "/v1/apps/{app}/environments/{environment}/approvals"

DEEDS = (
    Deed(name="approve", method="POST", path=_APPROVALS, body=taken("release", "reason")),
    Deed(
        name="approve_in_emergency",
        method="POST",
        path=_APPROVALS,
        body=taken("release", "reason", emergency=True),
        sure="environment",
    ),
)


async def of(asked: Asked, release: Release) -> tuple[Ward, ...]:
    """Return the gates by environment, in the order in which a release comes to them."""
    gates = await asked.on.releases.gates(release.id)
    given = await asked.on.approvals.of_release(release.id)
    return tuple(
        Ward(
            environment=name,
            gates=[gate for gate in gates if gate.environment == name],
            approvals=given.get(name, ()),
            waits=(waits := _waits(release, name, gates)),
            may_approve=waits and asked.may(Action.APPROVE, name),
            may_rush=waits and asked.may(Action.EMERGENCY, name),
        )
        for name in _environments(release)
        if name in {gate.environment for gate in gates} or given.get(name)
    )


def _waits(release: Release, environment: str, gates: Sequence[Gate]) -> bool:
    """Say whether a yes would bring it nearer."""
    return release.state == "ready" and any(
        gate.environment == environment and gate.name == "approved" and not gate.open
        for gate in gates
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
