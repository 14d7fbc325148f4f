"""The addresses of an environment, as a person opens them."""

from __future__ import annotations

from shipway.api import policies
from shipway.appfile.model import Product
from shipway.kit.settings import Settings


def of(product: Product | None, environment: str, settings: Settings) -> tuple[str, ...]:
    """Return ``https://host`` of each route, with the port unless it is the usual one."""
    if product is None:
        return ()
    tls = policies.in_force(product, environment).policy.tls
    scheme, port, usual = (
        ("https", settings.https_port, 443) if tls else ("http", settings.http_port, 80)
    )
    suffix = "" if port == usual else f":{port}"
    return tuple(f"{scheme}://{route.host}{suffix}" for route in product.routes(environment))
