"""The policy of an environment by the shipway.toml in force."""

from __future__ import annotations

from shipway.appfile.model import Product
from shipway.environments import policy
from shipway.environments.policy import PolicyInForce


def in_force(product: Product | None, environment: str) -> PolicyInForce:
    """Return the policy; the default where the app says nothing of the environment."""
    file = product.environments.get(environment) if product else None
    return policy.in_force(environment, file.policy if file else None)
