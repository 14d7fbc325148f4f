"""The one door to HTTP as a client. A name may be given an address: `.localhost` names do not
resolve in every program, and a check of a new release must reach that machine and no other.
"""

from __future__ import annotations

import pathlib
import ssl
from collections.abc import Mapping

import httpx2

from shipway.kit import errors


def client(
    *,
    base_url: str = "",
    headers: Mapping[str, str] | None = None,
    ca_file: pathlib.Path | None = None,
    address: str = "",
    socket: pathlib.Path | None = None,
    timeout: float = 10.0,
) -> httpx2.AsyncClient:
    """Return a client that trusts the public authorities, and those of ``ca_file`` if given.

    With ``address`` (``host:port``) it connects there, while ``Host``, SNI and the certificate
    keep the name of the URL; names below ``.localhost`` lead to loopback anyhow (RFC 6761, §6.3).
    ``socket`` is a Unix socket to use instead. No proxy is taken from the environment.
    """
    transport = httpx2.AsyncHTTPTransport(
        verify=_trust(ca_file, plain=base_url.startswith("http://")),
        trust_env=False,
        uds=str(socket) if socket else None,
    )
    return httpx2.AsyncClient(
        base_url=base_url,
        headers=headers,
        transport=_Directed(transport, address),
        timeout=timeout,
        trust_env=False,
    )


def _trust(ca_file: pathlib.Path | None, *, plain: bool) -> ssl.SSLContext:
    """Return whom to trust: nobody at all on plain HTTP, as loading the public authorities takes
    tens of milliseconds."""
    if plain:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


class _Directed(httpx2.AsyncBaseTransport):
    """Connects to the given address, or to where a ``.localhost`` name must lead."""

    def __init__(self, transport: httpx2.AsyncBaseTransport, address: str) -> None:
        self._transport = transport
        self._address = address

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return await self._transport.handle_async_request(self._directed(request))

    def _directed(self, request: httpx2.Request) -> httpx2.Request:
        name = request.url.host
        if self._address:
            host, _, port = self._address.rpartition(":")
            url = request.url.copy_with(host=host, port=int(port))
        elif name.endswith(".localhost"):
            url = request.url.copy_with(host="127.0.0.1")
        else:
            return request
        return httpx2.Request(
            request.method,
            url,
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": name},
        )

    async def aclose(self) -> None:
        await self._transport.aclose()


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
    try:
        async with client(base_url=url, ca_file=ca_file, address=address, timeout=timeout) as http:
            return await http.get(url, headers=headers)
    except httpx2.HTTPError as error:
        raise errors.Unavailable(
            f"{url} does not answer: {str(error) or type(error).__name__}."
        ) from error
