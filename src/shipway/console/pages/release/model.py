"""How a release differs from the one before. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shipway.appfile.model import Product


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
