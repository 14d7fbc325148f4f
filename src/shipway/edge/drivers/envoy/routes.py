"""Route configurations (RDS): plain HTTP, and TLS apart by the lowest version that a host takes.

Hosts of different minimum stand in different configurations, so that nobody gets round a
host's minimum by naming another host in the TLS handshake.
Shapes: `envoy.config.route.v3.RouteConfiguration`, `LocalReplyConfig`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shipway.edge.model import Route, Share, Table

Json = dict[str, Any]

PLAIN = "plain"
"""The name of the configuration of plain HTTP."""

HSTS = "max-age=31536000"
"""One year; subdomains may be somebody else's."""

UNSENT = "connect-failure,refused-stream,reset-before-request"
"""Failures after which a request is sent again whatever it asks: it has certainly not reached the
server (`retry_on` of Envoy's router)."""
LOST = f"{UNSENT},reset"
"""The same, and a connection that ended before an answer began, as when the server closes an idle
one at that moment. Sent again are only requests that change nothing (RFC 9110, 9.2.2)."""
SAFE = "GET|HEAD|OPTIONS"

NOT_SERVED = "Nothing is served at this address.\n"
NOT_READY = "This address cannot answer at the moment. Try again in a few seconds.\n"
TOO_SLOW = "This address did not answer in time. Try again in a few seconds.\n"


def _sentence(flags: tuple[str, ...], text: str) -> Json:
    return {
        "filter": {"response_flag_filter": {"flags": list(flags)}},
        "body_format_override": {
            "text_format_source": {"inline_string": text},
            "content_type": "text/plain; charset=utf-8",
        },
    }


SENTENCES: Json = {
    "mappers": [
        _sentence(("NR",), NOT_SERVED),
        _sentence(("UT", "SI"), TOO_SLOW),
        _sentence(("UH", "UF", "UC", "UO", "URX", "NC", "LR", "UR"), NOT_READY),
    ]
}
"""What a person reads when the edge itself answers, by Envoy's response flags."""


def of_tls(route: Route) -> str:
    """Return the name of the configuration in which a TLS host stands."""
    return f"tls-{route.minimum_tls}"


def route_configurations(table: Table, *, https_port: int, http_port: int) -> dict[str, Json]:
    """Return all route configurations by name; those without hosts are there, and empty."""
    by_name: dict[str, list[Json]] = {PLAIN: [], "tls-1.2": [], "tls-1.3": []}
    for route in sorted(table.routes, key=lambda route: route.host):
        if route.tls:
            by_name[PLAIN].append(_redirect(route, https_port, http_port))
            by_name[of_tls(route)].append(_virtual_host(route))
        else:
            by_name[PLAIN].append(_virtual_host(route))
    return {
        name: {
            "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
            "name": name,
            "virtual_hosts": hosts,
        }
        for name, hosts in by_name.items()
    }


def pools_by_host(configurations: Sequence[Json]) -> dict[str, set[str]]:
    """Return, for each host of some configurations, the pools that get some of its traffic."""
    return {
        host["name"]: {cluster["name"] for cluster in clusters["clusters"]}
        for configuration in configurations
        for host in configuration["virtual_hosts"]
        if (clusters := host["routes"][0].get("route", {}).get("weighted_clusters"))
    }


def turning(
    old: Mapping[str, set[str]], new: Mapping[str, set[str]], changed: set[str]
) -> dict[str, set[str]]:
    """Return the pools that a host is about to depend on, each with the pools that serve in its
    place now: where a host turns to a pool, or where the endpoints of its pool ``changed``."""
    found: dict[str, set[str]] = {}
    for host, pools in new.items():
        for pool in pools:
            if pool in changed or pool not in old.get(host, set()):
                found.setdefault(pool, set()).update(old.get(host, set()))
    return found


def _redirect(route: Route, https_port: int, http_port: int) -> Json:
    to: Json = {"https_redirect": True, "response_code": "PERMANENT_REDIRECT"}
    if (http_port, https_port) != (80, 443):
        to["port_redirect"] = https_port
    return {
        "name": route.host,
        "domains": _domains(route),
        "routes": [{"match": {"prefix": "/"}, "redirect": to}],
    }


def _virtual_host(route: Route) -> Json:
    host: Json = {
        "name": route.host,
        "domains": _domains(route),
        "routes": [
            {"match": {"prefix": "/", "headers": [_SAFE_ONLY]}, "route": _action(route, LOST)},
            {"match": {"prefix": "/"}, "route": _action(route, UNSENT)},
        ],
    }
    if route.hsts and route.tls:
        host["response_headers_to_add"] = _set({"strict-transport-security": HSTS})
    return host


def _domains(route: Route) -> list[str]:
    return [route.host, f"{route.host}:*"]


_SAFE_ONLY: Json = {"name": ":method", "string_match": {"safe_regex": {"regex": SAFE}}}


def _action(route: Route, retry_on: str) -> Json:
    return {
        "weighted_clusters": {"clusters": _clusters(route.shares)},
        # A long answer may take as long as it flows: what is bounded is silence.
        "timeout": "0s",
        "idle_timeout": f"{route.timeout_seconds:g}s",
        "retry_policy": {
            "retry_on": retry_on,
            "num_retries": 2,
            "retry_host_predicate": [
                {
                    "name": "envoy.retry_host_predicates.previous_hosts",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.retry.host."
                        "previous_hosts.v3.PreviousHostsPredicate"
                    },
                }
            ],
            "host_selection_retry_max_attempts": 10,
        },
    }


def _clusters(shares: Sequence[Share]) -> list[Json]:
    return [
        {
            "name": share.pool,
            "weight": share.per_mille,
            **({"request_headers_to_add": _set(share.headers)} if share.headers else {}),
        }
        for share in shares
        if share.per_mille
    ]


def _set(headers: Any) -> list[Json]:
    return [
        {
            "header": {"key": name, "value": value.replace("%", "%%")},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }
        for name, value in sorted(headers.items())
    ]
