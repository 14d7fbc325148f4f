"""Listeners (LDS): one for plain HTTP, one for TLS with a filter chain for each host.

A changed table changes filter chains only, so that Envoy updates the listener in place and no
connection of another host is touched.
Shapes: `envoy.config.listener.v3.Listener`, `HttpConnectionManager`, `DownstreamTlsContext`.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shipway.edge.drivers.envoy import routes
from shipway.edge.model import Route, Table

Json = dict[str, Any]

UNKNOWN_HOST = "unknown-host.invalid"
"""The name in the certificate that is shown to who asks for a host that is not served."""

NOBODY = {"address_prefix": "255.255.255.255", "prefix_len": 32}
"""Whose requests Envoy takes as internal, with the right to steer it by headers. An empty list
would stand for every private address."""

BUFFER_BYTES = 256 * 1024
"""What a connection may hold in memory for either side."""

ACCESS_LOG = {
    "time": "%START_TIME%",
    "id": "%REQ(X-REQUEST-ID)%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "method": "%REQ(:METHOD)%",
    "host": "%REQ(:AUTHORITY)%",
    # Without the query, which may hold tokens.
    "path": "%PATH(NQ)%",
    "protocol": "%PROTOCOL%",
    "tls": "%DOWNSTREAM_TLS_VERSION%",
    "status": "%RESPONSE_CODE%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "bytes_in": "%BYTES_RECEIVED%",
    "bytes_out": "%BYTES_SENT%",
    "milliseconds": "%DURATION%",
    "pool": "%UPSTREAM_CLUSTER_RAW%",
    "endpoint": "%UPSTREAM_HOST%",
}


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where Envoy listens, and the folder of its files."""

    folder: pathlib.Path
    address: str
    http_port: int
    https_port: int

    @property
    def access_log(self) -> pathlib.Path:
        """One JSON object for each request."""
        return self.folder / "run" / "access.log"


def listeners(table: Table, places: Places, certificates: Mapping[str, str]) -> list[Json]:
    """Return all listeners of a table. ``certificates`` has a PEM file (key, then chain) for each
    TLS host, and one for `UNKNOWN_HOST`."""
    found = [_plain(places)]
    secure = sorted((route for route in table.routes if route.tls), key=lambda route: route.host)
    if secure:
        found.append(_secure(secure, places, certificates))
    return found


def _plain(places: Places) -> Json:
    chain = {"filters": [_connection_manager(places, _from_file(places, routes.PLAIN))]}
    return {**_socket("http", places, places.http_port), "filter_chains": [chain]}


def _secure(secure: list[Route], places: Places, certificates: Mapping[str, str]) -> Json:
    unknown = {"route_config": {"name": "unknown", "virtual_hosts": []}}
    return {
        **_socket("https", places, places.https_port),
        "listener_filters": [
            {
                "name": "tls_inspector",
                "typed_config": _typed("extensions.filters.listener.tls_inspector.v3.TlsInspector"),
            }
        ],
        "filter_chains": [
            {
                "name": route.host,
                "filter_chain_match": {"server_names": [route.host]},
                "filters": [_connection_manager(places, _from_file(places, routes.of_tls(route)))],
                **_tls(certificates[route.host], route.minimum_tls),
            }
            for route in secure
        ],
        "default_filter_chain": {
            "name": "unknown",
            "filters": [_connection_manager(places, unknown)],
            **_tls(certificates[UNKNOWN_HOST], "1.2"),
        },
    }


def _socket(name: str, places: Places, port: int) -> Json:
    return {
        "name": name,
        "address": {
            "socket_address": {
                "address": places.address,
                "port_value": port,
                "ipv4_compat": places.address == "::",
            }
        },
        # An Envoy whose supervisor was killed has the port until it is ended; its successor, which
        # tries only once, serves beside it. No other user's program can share a port with ours.
        "enable_reuse_port": True,
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
    }


def _tls(pem: str, minimum: str) -> Json:
    context = _typed(
        "extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        common_tls_context={
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_params": {
                "tls_minimum_protocol_version": f"TLSv{minimum.replace('.', '_')}",
                "tls_maximum_protocol_version": "TLSv1_3",
            },
            "tls_certificates": [
                {
                    "certificate_chain": {"filename": pem},
                    "private_key": {"filename": pem},
                }
            ],
        },
    )
    return {
        "transport_socket": {"name": "tls", "typed_config": context},
        "transport_socket_connect_timeout": "10s",
    }


def _from_file(places: Places, name: str) -> Json:
    """Routes come from their own file, so that a switch touches no connection."""
    folder = places.folder / "rds" / name
    return {
        "rds": {"route_config_name": name, "config_source": watched(folder / "routes.json")},
    }


def watched(file: pathlib.Path) -> Json:
    """Return a source that Envoy reads again whenever a file is renamed into its folder."""
    return {
        "path_config_source": {
            "path": str(file),
            "watched_directory": {"path": str(file.parent)},
        },
        "resource_api_version": "V3",
    }


def _connection_manager(places: Places, routing: Json) -> Json:
    config = _typed(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="edge",
        **routing,
        http_filters=[_router()],
        early_header_mutation_extensions=[_distrust()],
        # The edge is what the client connects to: its address is the peer's.
        use_remote_address=True,
        internal_address_config={"cidr_ranges": [NOBODY]},
        always_set_request_id_in_response=True,
        server_name="shipway",
        normalize_path=True,
        path_with_escaped_slashes_action="KEEP_UNCHANGED",
        common_http_protocol_options={
            "idle_timeout": "300s",
            "headers_with_underscores_action": "DROP_HEADER",
        },
        http2_protocol_options={
            "allow_connect": True,
            "max_concurrent_streams": 128,
            "initial_stream_window_size": 256 * 1024,
            "initial_connection_window_size": 1024 * 1024,
        },
        upgrade_configs=[{"upgrade_type": "websocket"}],
        request_headers_timeout="15s",
        local_reply_config=routes.SENTENCES,
        access_log=[_access_log(places)],
    )
    return {"name": "http", "typed_config": config}


def _router() -> Json:
    router = _typed("extensions.filters.http.router.v3.Router", suppress_envoy_headers=True)
    return {"name": "envoy.filters.http.router", "typed_config": router}


def _distrust() -> Json:
    """Remove what only the edge may say, before anything else looks at the request."""
    prefix = {"remove_on_match": {"key_matcher": {"prefix": "x-shipway-"}}}
    names = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-real-ip", "forwarded")
    mutations = _typed(
        "extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        mutations=[prefix, *({"remove": name} for name in names)],
    )
    return {"name": "distrust", "typed_config": mutations}


def _access_log(places: Places) -> Json:
    log = _typed(
        "extensions.access_loggers.file.v3.FileAccessLog",
        path=str(places.access_log),
        log_format={"json_format": ACCESS_LOG},
    )
    return {"name": "file", "typed_config": log}


def _typed(message: str, **fields: Any) -> Json:
    return {"@type": f"type.googleapis.com/envoy.{message}", **fields}
