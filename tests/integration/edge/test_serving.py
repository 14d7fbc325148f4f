"""What a client sees of the edge: TLS, redirects, headers, sentences."""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import shutil
import ssl

import pytest
from tests.integration.edge.running import (
    RunningEnvoy,
    Server,
    free_port,
    pool,
    started,
    table,
    to,
    until,
)

from shipway.edge.model import Pool, Route, Share
from shipway.kit import command

pytestmark = pytest.mark.anyio

HOST, STRICT, PLAIN = "api.aios.localhost", "api.strict.localhost", "plain.localhost"
USER, GROUP = 54321, 54322
"""Of nobody on this machine."""

Servers = tuple[Server, Server]


@pytest.fixture
async def served(envoy: RunningEnvoy, servers: Servers) -> RunningEnvoy:
    told = Share(pool="blue", per_mille=1000, headers={"x-shipway-exports": "50%,abc"})
    await envoy.edge.apply(
        table(
            (pool("blue", servers[0]),),
            Route(host=HOST, shares=(told,)),
            Route(host=STRICT, shares=to("blue"), minimum_tls="1.3", hsts=True),
            Route(host=PLAIN, shares=to("blue"), tls=False),
        )
    )
    return envoy


async def handshake(
    envoy: RunningEnvoy, host: str, *, highest: ssl.TLSVersion, ask: str = ""
) -> tuple[str, str | None, str]:
    """Return the TLS version, the application protocol and the answer's first line."""
    context = envoy.context()
    context.maximum_version = highest
    context.set_alpn_protocols(["h2"] if not ask else ["http/1.1"])
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", envoy.settings.https_port, ssl=context, server_hostname=host
    )
    line = b""
    if ask:
        writer.write(f"GET / HTTP/1.1\r\nhost: {ask}\r\n\r\n".encode())
        line = await reader.readline()
    connection: ssl.SSLObject = writer.get_extra_info("ssl_object")
    found = connection.version() or "", connection.selected_alpn_protocol()
    writer.close()
    return *found, line.decode().strip()


async def test_tls_versions_are_those_of_the_host(served: RunningEnvoy) -> None:
    new, old = ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2
    assert await handshake(served, HOST, highest=new) == ("TLSv1.3", "h2", "")
    assert await handshake(served, HOST, highest=old) == ("TLSv1.2", "h2", "")
    assert await handshake(served, STRICT, highest=new) == ("TLSv1.3", "h2", "")
    with pytest.raises(ssl.SSLError):
        await handshake(served, STRICT, highest=old)


async def test_nobody_gets_round_a_hosts_minimum(served: RunningEnvoy) -> None:
    old = ssl.TLSVersion.TLSv1_2
    line = (await handshake(served, HOST, highest=old, ask=STRICT))[2]
    assert line == "HTTP/1.1 404 Not Found"


async def test_plain_http_is_sent_to_https(served: RunningEnvoy) -> None:
    answer = await served.get(f"http://{HOST}/notes?page=2")
    assert answer.status_code == 308
    port = served.settings.https_port
    assert answer.headers["location"] == f"https://{HOST}:{port}/notes?page=2"


async def test_a_host_without_tls_is_served_plainly(served: RunningEnvoy) -> None:
    answer = await served.get(f"http://{PLAIN}/x")
    assert (answer.status_code, answer.json()["path"]) == (200, "/x")
    assert "strict-transport-security" not in answer.headers


async def test_hsts_is_told_only_where_asked(served: RunningEnvoy) -> None:
    strict, other = await served.get(f"https://{STRICT}/"), await served.get(f"https://{HOST}/")
    assert strict.headers["strict-transport-security"] == "max-age=31536000"
    assert "strict-transport-security" not in other.headers


async def test_a_port_in_the_host_header_does_not_matter(served: RunningEnvoy) -> None:
    answer = await served.get(f"https://{HOST}/", host=f"{HOST}:{served.settings.https_port}")
    assert answer.status_code == 200
    assert answer.json()["headers"]["host"].endswith(str(served.settings.https_port))


async def test_clients_cannot_say_what_only_the_edge_may(
    served: RunningEnvoy, servers: Servers
) -> None:
    forged = {
        "X-Shipway-Exports": "evil",
        "X_Shipway_Exports": "evil",
        "x-shipway-anything": "evil",
        "x-forwarded-for": "6.6.6.6",
        "x-forwarded-host": "evil",
        "x-forwarded-proto": "http",
        "forwarded": "for=6.6.6.6",
        "x-real-ip": "6.6.6.6",
        "x-request-id": "evil",
        "x-envoy-retry-on": "5xx",
        "x-envoy-upstream-rq-timeout-ms": "1",
        "x-envoy-internal": "true",
    }
    answer = await served.get(f"https://{HOST}/", **forged)
    seen = servers[0].seen[-1]
    assert "evil" not in json.dumps(seen)
    assert "6.6.6.6" not in json.dumps(seen)
    assert {name for name in seen if name.startswith("x-envoy")} <= {"x-envoy-external-address"}
    assert seen["x-shipway-exports"] == "50%,abc"
    assert seen["x-forwarded-proto"] == "https"
    assert answer.headers["x-request-id"] == seen["x-request-id"]


async def test_an_unknown_host_gets_a_sentence(served: RunningEnvoy) -> None:
    for url in ("http://nobody.localhost/", f"http://evil.{HOST}/"):
        answer = await served.get(url)
        assert (answer.status_code, answer.text) == (404, "Nothing is served at this address.\n")
    told = await command.run(
        command.Command(
            argv=(
                *("curl", "-sk", "--resolve"),
                f"nobody.localhost:{served.settings.https_port}:127.0.0.1",
                f"https://nobody.localhost:{served.settings.https_port}/",
            )
        )
    )
    assert told.output == "Nothing is served at this address.\n"


async def test_a_host_without_a_healthy_server_gets_a_sentence(envoy: RunningEnvoy) -> None:
    ill = Pool(name="ill", endpoints=(f"127.0.0.1:{free_port()}",), health_path="/health")
    gone = Pool(name="gone", endpoints=(f"127.0.0.1:{free_port()}",))
    await envoy.edge.apply(
        table(
            (ill, gone, Pool(name="empty", endpoints=())),
            *(
                Route(host=f"{name}.localhost", shares=to(name))
                for name in ("ill", "gone", "empty")
            ),
        )
    )
    for name in ("ill", "gone", "empty"):
        answer = await envoy.get(f"https://{name}.localhost/")
        assert answer.status_code == 503
        assert answer.text.startswith("This address cannot answer at the moment.")
    by_name = {health.name: health for health in await envoy.edge.pools()}
    assert by_name["ill"].unhealthy == ill.endpoints
    assert by_name["gone"].failed_requests > 0


async def test_a_silent_server_gets_a_sentence(envoy: RunningEnvoy, servers: Servers) -> None:
    quick = Route(host=HOST, shares=to("blue"), timeout_seconds=0.3)
    await envoy.edge.apply(table((pool("blue", servers[0]),), quick))
    answer = await envoy.get(f"https://{HOST}/slow")
    assert (answer.status_code, answer.text[:37]) == (504, "This address did not answer in time. ")


async def test_one_dead_server_of_two_is_not_noticed(envoy: RunningEnvoy, servers: Servers) -> None:
    dead = Pool(name="two", endpoints=(servers[0].endpoint, f"127.0.0.1:{free_port()}"))
    await envoy.edge.apply(table((dead,), Route(host=HOST, shares=to("two"))))
    answers = [await envoy.get(f"https://{HOST}/") for _ in range(20)]
    assert {answer.status_code for answer in answers} == {200}


async def test_what_changes_nothing_is_sent_again_when_the_server_hangs_up(
    envoy: RunningEnvoy, servers: Servers
) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b" ")).decode().strip())
        writer.close()

    asked: list[str] = []
    rude = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    address = "{}:{}".format(*rude.sockets[0].getsockname())
    async with rude:
        one = Pool(name="one", endpoints=(address, servers[0].endpoint), health_path="")
        await envoy.edge.apply(table((one,), Route(host=HOST, shares=to("one"))))
        while asked.count("GET") < 3:
            assert (await envoy.get(f"https://{HOST}/")).status_code == 200
        answers = {(await envoy.ask("POST", f"https://{HOST}/")).status_code for _ in range(20)}
    # Of what may change something each that it hung up on is answered with a failure, once.
    assert "POST" in asked
    assert 503 in answers


async def test_websockets_pass(served: RunningEnvoy) -> None:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", served.settings.https_port, ssl=served.context(), server_hostname=HOST
    )
    writer.write(
        f"GET /ws HTTP/1.1\r\nhost: {HOST}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
        "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    writer.write(b"\x81\x05hello")
    assert await reader.readexactly(7) == b"\x81\x05hello"
    writer.close()


async def test_each_request_leaves_a_line_without_its_query(served: RunningEnvoy) -> None:
    await served.get(f"https://{HOST}/notes?token=secret")
    log = served.edge.folder / "run" / "access.log"
    await until(lambda: "/notes" in log.read_text())
    line = json.loads(log.read_text().splitlines()[-1])
    assert "secret" not in json.dumps(line)
    assert line["path"] == "/notes"
    assert (line["method"], line["status"], line["pool"]) == ("GET", 200, "blue")


async def test_the_access_log_is_set_aside_when_it_is_long(served: RunningEnvoy) -> None:
    log = served.edge.folder / "run" / "access.log"
    await served.get(f"https://{HOST}/first")
    await until(lambda: log.stat().st_size > 0)
    await served.edge.rotate_access_log(keep_bytes=1024**2)
    assert not log.with_name("access.log.1").exists()
    await served.edge.rotate_access_log(keep_bytes=1)
    assert "/first" in log.with_name("access.log.1").read_text()
    await served.get(f"https://{HOST}/second")
    await until(lambda: log.exists() and "/second" in log.read_text())


async def test_keys_and_admin_are_kept_from_strangers(served: RunningEnvoy) -> None:
    folder = await served.private.folder()
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert served.edge.socket.parent.stat().st_mode & 0o007 == 0


async def test_curl_trusts_the_bundle(served: RunningEnvoy) -> None:
    port = served.settings.https_port
    told = await command.run(
        command.Command(
            argv=(
                *("curl", "-sS", "--cacert", str(served.authority.bundle), "--http2"),
                *("-w", "%{http_version} %{ssl_verify_result}", "-o", "/dev/null"),
                *("--resolve", f"{STRICT}:{port}:127.0.0.1", f"https://{STRICT}:{port}/"),
            )
        )
    )
    assert told.output == "2 0"


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed here")
async def test_node_trusts_the_bundle(served: RunningEnvoy) -> None:
    script = f"""
        require("https").get({{
          host: "127.0.0.1", port: {served.settings.https_port}, path: "/",
          servername: "{STRICT}", headers: {{ host: "{STRICT}" }}, agent: false,
        }}, (answer) => {{ console.log(answer.statusCode); answer.resume(); }})
    """
    env = {
        **command.base_environment(),
        "NODE_EXTRA_CA_CERTS": str(served.authority.bundle),
    }
    told = await command.run(command.Command(argv=("node", "-e", script), env=env))
    assert told.output == "200\n"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start Envoy as another user")
async def test_envoy_serves_as_another_user(home: pathlib.Path, servers: Servers) -> None:
    (home / "edge").mkdir(mode=0o750)
    os.chown(home / "edge", -1, GROUP)
    (home / "owners").mkdir()
    async with started(home, user=USER) as envoy:
        await envoy.edge.apply(
            table((pool("blue", servers[0]),), Route(host=HOST, shares=to("blue")))
        )
        assert (await envoy.get(f"https://{HOST}/")).status_code == 200
        assert envoy.edge.socket.stat().st_uid == USER
        await envoy.edge.rotate_access_log(keep_bytes=-1)
        assert envoy.edge.socket.with_name("access.log.1").exists()
