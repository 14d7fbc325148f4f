"""The one door to HTTP as a client. A name may be given an address: `.localhost` names do not
resolve in every program, and a check of a new release must reach that machine and no other.
"""

from __future__ import annotations

import pathlib
import ssl
from collections.abc import Mapping

import httpx2

from shipway.kit import errors


def client(*, ca_file: pathlib.Path | None = None, timeout: float = 10.0) -> httpx2.AsyncClient:
    """Return a client that trusts the public authorities, and those of ``ca_file`` if given."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return httpx2.AsyncClient(verify=context, timeout=timeout, trust_env=False)


async def get(
    url: str,
    *,
    address: str = "",
    headers: Mapping[str, str] | None = None,
    ca_file: pathlib.Path | None = None,
    timeout: float = 10.0,
) -> httpx2.Response:
    """GET a URL, from ``address`` (``host:port``) if given, and return the answer with its body.

    Raises `errors.Unavailable` when nobody answers in time, whatever the cause.
    """
    target = httpx2.URL(url)
    named = dict(headers or {}) | {"host": target.netloc.decode()}
    if address:
        host, _, port = address.rpartition(":")
        extensions = {"sni_hostname": target.host}
        where = target.copy_with(host=host, port=int(port))
    else:
        extensions, where = {}, target
    try:
        async with client(ca_file=ca_file, timeout=timeout) as http:
            return await http.get(where, headers=named, extensions=extensions)
    except httpx2.HTTPError as error:
        raise errors.Unavailable(
            f"{url} does not answer: {error or type(error).__name__}."
        ) from error
