"""Who listens, as the kernel tells it: asked of it, and read in its tables where it is not asked."""

from __future__ import annotations

import os
import socket
from typing import NoReturn

import pytest

from shipway.runtime import listening


@pytest.mark.parametrize("asks", [True, False], ids=["by asking", "by reading"])
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["IPv4", "IPv6"])
def test_a_socket_is_told_once_it_listens(
    family: socket.AddressFamily, monkeypatch: pytest.MonkeyPatch, *, asks: bool
) -> None:
    if not asks:
        monkeypatch.setattr(listening, "_asked", refuse)
    with socket.socket(family) as one:
        one.bind(("127.0.0.1" if family is socket.AF_INET else "::1", 0))
        port, number = one.getsockname()[1], os.fstat(one.fileno()).st_ino
        assert f"socket:[{number}]" not in listening.sockets_at(port)
        one.listen()
        assert os.geteuid() in listening.users()[port]
        assert f"socket:[{number}]" in listening.sockets_at(port)


def test_connections_are_no_listeners() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with socket.create_connection(address) as client, server.accept()[0]:
            assert client.getsockname()[1] not in listening.users()


def refuse(_: int) -> NoReturn:
    raise OSError
