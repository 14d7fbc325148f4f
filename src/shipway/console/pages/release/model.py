"""How a release differs from the one before. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shipway.appfile.model import Product
from shipway.releases.model import Deployment, Release

PRODUCTION = "production"


def variables(before: Product | None, after: Product | None) -> Sequence[Mapping[str, str]]:
    """Return the variables whose declaration or given value is another one, by name.

    Values are not told: a reader of pages need not be a reader of shipway.toml.
    """
    left, right = _declared(before), _declared(after)
    found = []
    for name in sorted({*left, *right}):
        if left.get(name) != right.get(name):
            change = "added" if name not in left else "removed" if name not in right else "changed"
            found.append({"name": name, "change": change})
    return found


def _declared(product: Product | None) -> dict[str, Any]:
    """Return what a shipway.toml says of each variable, anywhere."""
    if product is None:
        return {}
    said: dict[str, list[Any]] = {}
    for name, variable in product.variables.items():
        said.setdefault(name, []).append(variable)
    for environment, file in sorted(product.environments.items()):
        for name, value in file.variables.items():
            said.setdefault(name, []).append((environment, value))
    return {name: tuple(parts) for name, parts in said.items()}


Tone = Literal["good", "busy", "warn", "bad", "quiet"]


@dataclass(frozen=True)
class Standing:
    """Where a release is, in one sentence. ``entering`` is the deployment that is under way."""

    tone: Tone
    sentence: str
    entering: Deployment | None = None


def standing(
    release: Release, deployments: Sequence[Deployment], *, waits: str = "", approved: str = ""
) -> Standing:
    """Return where a release is. ``waits`` is the environment that it waits for a yes to,
    ``approved`` the one whose gates are open."""
    entering = next((one for one in deployments if one.state in {"waiting", "running"}), None)
    live = [one.environment for one in deployments if one.state == "live"]
    if entering:
        return Standing("busy", f"{release.version} is entering {entering.environment}.", entering)
    if PRODUCTION in live:
        return Standing("good", f"{release.version} is live in production.")
    if release.state != "ready":
        is_refused = release.state == "refused"
        how = "did not become ready" if is_refused else "is being tried"
        return Standing("bad" if is_refused else "busy", f"{release.version} {how}.")
    if waits:
        return Standing("warn", f"{release.version} waits for a yes to {waits}.")
    if approved and approved not in {one.environment for one in deployments}:
        return Standing("busy", f"{release.version} may enter {approved}.")
    return Standing(*_past(release, [one for one in deployments if one.environment == PRODUCTION]))


def _past(release: Release, there: Sequence[Deployment]) -> tuple[Tone, str]:
    """Say what became of a release in production, the newest deployment first."""
    match there[0].state if there else "":
        case "failed":
            return "bad", f"{release.version} did not get into production."
        case "rolled_back":
            return "warn", f"{release.version} was taken back from production."
        case "":
            return "quiet", f"{release.version} is not in production."
        case _:
            return "quiet", f"{release.version} was in production."


def stages(plan: Sequence[int], stage: int, state: str) -> Sequence[Mapping[str, str]]:
    """Return the stages of a rollout, each with how it stands: done, now or to come."""
    over = state in {"live", "warm", "retired", "rolled_back"}
    found = []
    for index, per_mille in enumerate(plan):
        if over or index < stage:
            standing = "done"
        else:
            standing = "now" if index == stage and state == "running" else "to come"
        found.append({"share": f"{per_mille / 10:g} %", "standing": standing})
    return found
