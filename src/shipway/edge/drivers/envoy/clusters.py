"""Clusters (CDS): one for each pool, its endpoints within.

Shape: `envoy.config.cluster.v3.Cluster`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from shipway.edge.model import Pool

Json = dict[str, Any]

_HTTP = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

KEEP_ALIVE_SECONDS = 4
"""Shorter than the five seconds after which uvicorn and Node close an idle connection: a request
must not set out on a connection that the server is closing."""


def clusters(pools: Iterable[Pool]) -> list[Json]:
    """Return the clusters of these pools, by name."""
    return [_cluster(pool) for pool in sorted(pools, key=lambda pool: pool.name)]


def union(old: Sequence[Json], new: Sequence[Json]) -> list[Json]:
    """Return clusters with everything of both: what is new is there before what is old goes."""
    by_name = {cluster["name"]: cluster for cluster in old}
    for cluster in new:
        before = by_name.get(cluster["name"])
        by_name[cluster["name"]] = _with_endpoints_of(before, cluster) if before else cluster
    return [by_name[name] for name in sorted(by_name)]


def changed(old: Sequence[Json], new: Sequence[Json]) -> set[str]:
    """Return the names of the clusters that are in both with other endpoints."""
    before = {cluster["name"]: endpoints(cluster) for cluster in old}
    return {
        cluster["name"]
        for cluster in new
        if before.get(cluster["name"], endpoints(cluster)) != endpoints(cluster)
    }


def endpoints(cluster: Json) -> set[str]:
    """Return the endpoints of a cluster, as ``host:port``."""
    return {address_of(entry["endpoint"]["address"]) for entry in _endpoints(cluster)}


def address_of(address: Json) -> str:
    """Return Envoy's ``core.v3.Address`` as ``host:port``."""
    socket = address["socket_address"]
    host = socket["address"]
    return f"[{host}]:{socket['port_value']}" if ":" in host else f"{host}:{socket['port_value']}"


def _endpoints(cluster: Json) -> list[Json]:
    found: list[Json] = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    return found


def _with_endpoints_of(old: Json, new: Json) -> Json:
    kept = [entry for entry in _endpoints(old) if entry not in _endpoints(new)]
    joined = {"lb_endpoints": [*_endpoints(new), *kept]}
    return {**new, "load_assignment": {**new["load_assignment"], "endpoints": [joined]}}


def _cluster(pool: Pool) -> Json:
    cluster: Json = {
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": pool.name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "lb_policy": "LEAST_REQUEST",
        # Without a healthy endpoint the edge says so; it does not try those known to be ill.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "ignore_health_on_host_removal": True,
        "per_connection_buffer_limit_bytes": 256 * 1024,
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": 4096,
                    "max_pending_requests": 4096,
                    "max_requests": 8192,
                    "max_retries": 16,
                }
            ]
        },
        "typed_extension_protocol_options": {_HTTP: _protocol()},
        "load_assignment": {
            "cluster_name": pool.name,
            "endpoints": [{"lb_endpoints": [_endpoint(text) for text in pool.endpoints]}],
        },
    }
    if pool.health_path:
        cluster["health_checks"] = [_health_check(pool.health_path)]
    return cluster


def _protocol() -> Json:
    return {
        "@type": f"type.googleapis.com/{_HTTP}",
        "common_http_protocol_options": {"idle_timeout": f"{KEEP_ALIVE_SECONDS}s"},
        "explicit_http_config": {"http_protocol_options": {}},
    }


def _endpoint(text: str) -> Json:
    host, _, port = text.rpartition(":")
    address = {"address": host.strip("[]"), "port_value": int(port)}
    return {"endpoint": {"address": {"socket_address": address}}}


def _health_check(path: str) -> Json:
    return {
        "timeout": "2s",
        "interval": "1s",
        # Without these two a pool that has no traffic yet is looked at once a minute only.
        "no_traffic_interval": "1s",
        "no_traffic_healthy_interval": "1s",
        "unhealthy_threshold": 2,
        "healthy_threshold": 1,
        "http_health_check": {"path": path, "host": "localhost"},
    }
