"""What Shipway itself tells an app: its addresses, and which release it is."""

from __future__ import annotations

from shipway.appfile.model import Product
from shipway.environments.model import Provided
from shipway.kit.settings import Settings


def facts(
    settings: Settings,
    product: Product,
    environment: str,
    *,
    release: str = "",
    db_url: str = "",
) -> Provided:
    """Return the facts from which the variables of an environment are made."""
    file = product.environments[environment]
    return Provided(
        domain=address(settings, file.domain),
        api_url=f"https://{address(settings, file.api_domain)}",
        release=release,
        db_url=db_url,
    )


def address(settings: Settings, host: str) -> str:
    """Return the host as clients write it: with the port, unless that is the usual one."""
    return host if settings.https_port == 443 else f"{host}:{settings.https_port}"
