from __future__ import annotations

import json
import pathlib

import pytest
from inline_snapshot import snapshot

from shipway.edge.drivers.envoy import bootstrap, clusters, files, listeners, routes
from shipway.edge.model import Pool, Route, Share, Table

PLACES = listeners.Places(
    folder=pathlib.Path("/edge"), address="0.0.0.0", http_port=80, https_port=443
)
BLUE = Pool(name="aios.production.blue", endpoints=("127.0.0.1:20000",), health_path="/health")
INTAKE = Pool(name="shipway.intake", endpoints=("127.0.0.1:7701",))
API = Route(
    host="api.aios.example",
    shares=(Share(pool=BLUE.name, per_mille=1000),),
    hsts=True,
    minimum_tls="1.3",
)
WEB = Route(
    host="aios.example",
    shares=(
        Share(pool=INTAKE.name, per_mille=900, headers={"x-shipway-exports": "aa,bb"}),
        Share(pool=INTAKE.name, per_mille=100, headers={"x-shipway-exports": "100%"}),
    ),
    timeout_seconds=0,
)
PLAIN = Route(host="plain.example", shares=API.shares, tls=False, hsts=True)
TABLE = Table((API, WEB, PLAIN), (INTAKE, BLUE))
CERTIFICATES = {host: f"/keys/{host}.pem" for host in (API.host, WEB.host, listeners.UNKNOWN_HOST)}


def test_a_cluster() -> None:
    assert clusters.clusters([BLUE])[0] == snapshot(
        {
            "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            "name": "aios.production.blue",
            "type": "STATIC",
            "connect_timeout": "2s",
            "lb_policy": "LEAST_REQUEST",
            "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
            "ignore_health_on_host_removal": True,
            "per_connection_buffer_limit_bytes": 262144,
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
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    "common_http_protocol_options": {"idle_timeout": "4s"},
                    "explicit_http_config": {"http_protocol_options": {}},
                }
            },
            "load_assignment": {
                "cluster_name": "aios.production.blue",
                "endpoints": [
                    {
                        "lb_endpoints": [
                            {
                                "endpoint": {
                                    "address": {
                                        "socket_address": {
                                            "address": "127.0.0.1",
                                            "port_value": 20000,
                                        }
                                    }
                                }
                            }
                        ]
                    }
                ],
            },
            "health_checks": [
                {
                    "timeout": "2s",
                    "interval": "1s",
                    "no_traffic_interval": "1s",
                    "no_traffic_healthy_interval": "1s",
                    "unhealthy_threshold": 2,
                    "healthy_threshold": 1,
                    "http_health_check": {"path": "/health", "host": "localhost"},
                }
            ],
        }
    )


def test_a_pool_without_a_health_path_is_not_asked() -> None:
    assert "health_checks" not in clusters.clusters([INTAKE])[0]


def test_routes_stand_apart_by_their_tls() -> None:
    found = routes.route_configurations(TABLE, https_port=443, http_port=80)
    hosts = {
        name: [host["name"] for host in configuration["virtual_hosts"]]
        for name, configuration in found.items()
    }
    assert hosts == snapshot(
        {
            "plain": ["aios.example", "api.aios.example", "plain.example"],
            "tls-1.2": ["aios.example"],
            "tls-1.3": ["api.aios.example"],
        }
    )


def test_a_route_with_shares() -> None:
    found = routes.route_configurations(TABLE, https_port=443, http_port=80)
    host = found["tls-1.2"]["virtual_hosts"][0]
    del host["routes"][0]  # `test_what_changes_nothing_may_be_sent_twice`
    assert host == snapshot(
        {
            "name": "aios.example",
            "domains": ["aios.example", "aios.example:*"],
            "routes": [
                {
                    "match": {"prefix": "/"},
                    "route": {
                        "weighted_clusters": {
                            "clusters": [
                                {
                                    "name": "shipway.intake",
                                    "weight": 900,
                                    "request_headers_to_add": [
                                        {
                                            "header": {
                                                "key": "x-shipway-exports",
                                                "value": "aa,bb",
                                            },
                                            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                                        }
                                    ],
                                },
                                {
                                    "name": "shipway.intake",
                                    "weight": 100,
                                    "request_headers_to_add": [
                                        {
                                            "header": {
                                                "key": "x-shipway-exports",
                                                "value": "100%%",
                                            },
                                            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                                        }
                                    ],
                                },
                            ]
                        },
                        "timeout": "0s",
                        "idle_timeout": "0s",
                        "retry_policy": {
                            "retry_on": "connect-failure,refused-stream,reset-before-request",
                            "num_retries": 2,
                            "retry_host_predicate": [
                                {
                                    "name": "envoy.retry_host_predicates.previous_hosts",
                                    "typed_config": {
                                        "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
                                    },
                                }
                            ],
                            "host_selection_retry_max_attempts": 10,
                        },
                    },
                }
            ],
        }
    )


def test_what_changes_nothing_may_be_sent_twice() -> None:
    found = routes.route_configurations(TABLE, https_port=443, http_port=80)
    safe, other = found["tls-1.2"]["virtual_hosts"][0]["routes"]
    assert safe["match"] == snapshot(
        {
            "prefix": "/",
            "headers": [
                {
                    "name": ":method",
                    "string_match": {"safe_regex": {"regex": "GET|HEAD|OPTIONS"}},
                }
            ],
        }
    )
    assert safe["route"].pop("retry_policy")["retry_on"] == snapshot(
        "connect-failure,refused-stream,reset-before-request,reset"
    )
    del other["route"]["retry_policy"]
    assert safe["route"] == other["route"]


def test_a_strict_route() -> None:
    found = routes.route_configurations(TABLE, https_port=443, http_port=80)
    strict = found["tls-1.3"]["virtual_hosts"][0]
    assert strict["response_headers_to_add"] == snapshot(
        [
            {
                "header": {"key": "strict-transport-security", "value": "max-age=31536000"},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }
        ]
    )
    plain = found["plain"]["virtual_hosts"][-1]
    assert plain["name"] == PLAIN.host
    assert "response_headers_to_add" not in plain


@pytest.mark.parametrize(("http_port", "https_port", "told"), [(80, 443, None), (8080, 8443, 8443)])
def test_a_redirect_names_the_port_only_where_it_must(
    http_port: int, https_port: int, told: int | None
) -> None:
    found = routes.route_configurations(TABLE, https_port=https_port, http_port=http_port)
    redirect = found["plain"]["virtual_hosts"][0]["routes"][0]["redirect"]
    assert redirect.get("port_redirect") == told
    assert redirect["response_code"] == "PERMANENT_REDIRECT"


def test_each_tls_host_has_its_own_filter_chain() -> None:
    _, secure = listeners.listeners(TABLE, PLACES, CERTIFICATES)
    shown = [
        (
            chain["name"],
            chain["filter_chain_match"]["server_names"],
            chain["filters"][0]["typed_config"]["rds"]["route_config_name"],
            chain["transport_socket"]["typed_config"]["common_tls_context"],
        )
        for chain in secure["filter_chains"]
    ]
    assert shown == snapshot(
        [
            (
                "aios.example",
                ["aios.example"],
                "tls-1.2",
                {
                    "alpn_protocols": ["h2", "http/1.1"],
                    "tls_params": {
                        "tls_minimum_protocol_version": "TLSv1_2",
                        "tls_maximum_protocol_version": "TLSv1_3",
                    },
                    "tls_certificates": [
                        {
                            "certificate_chain": {"filename": "/keys/aios.example.pem"},
                            "private_key": {"filename": "/keys/aios.example.pem"},
                        }
                    ],
                },
            ),
            (
                "api.aios.example",
                ["api.aios.example"],
                "tls-1.3",
                {
                    "alpn_protocols": ["h2", "http/1.1"],
                    "tls_params": {
                        "tls_minimum_protocol_version": "TLSv1_3",
                        "tls_maximum_protocol_version": "TLSv1_3",
                    },
                    "tls_certificates": [
                        {
                            "certificate_chain": {"filename": "/keys/api.aios.example.pem"},
                            "private_key": {"filename": "/keys/api.aios.example.pem"},
                        }
                    ],
                },
            ),
        ]
    )


def test_the_connection_manager() -> None:
    plain, *_ = listeners.listeners(Table(), PLACES, {})
    assert plain["filter_chains"][0]["filters"][0]["typed_config"] == snapshot(
        {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "edge",
            "rds": {
                "route_config_name": "plain",
                "config_source": {
                    "path_config_source": {
                        "path": "/edge/rds/plain/routes.json",
                        "watched_directory": {"path": "/edge/rds/plain"},
                    },
                    "resource_api_version": "V3",
                },
            },
            "http_filters": [
                {
                    "name": "envoy.filters.http.router",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                        "suppress_envoy_headers": True,
                    },
                }
            ],
            "early_header_mutation_extensions": [
                {
                    "name": "distrust",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
                        "mutations": [
                            {"remove_on_match": {"key_matcher": {"prefix": "x-shipway-"}}},
                            {"remove": "x-forwarded-for"},
                            {"remove": "x-forwarded-host"},
                            {"remove": "x-forwarded-port"},
                            {"remove": "x-real-ip"},
                            {"remove": "forwarded"},
                        ],
                    },
                }
            ],
            "use_remote_address": True,
            "internal_address_config": {
                "cidr_ranges": [{"address_prefix": "255.255.255.255", "prefix_len": 32}]
            },
            "always_set_request_id_in_response": True,
            "server_name": "shipway",
            "normalize_path": True,
            "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
            "common_http_protocol_options": {
                "idle_timeout": "300s",
                "headers_with_underscores_action": "DROP_HEADER",
            },
            "http2_protocol_options": {
                "allow_connect": True,
                "max_concurrent_streams": 128,
                "initial_stream_window_size": 262144,
                "initial_connection_window_size": 1048576,
            },
            "upgrade_configs": [{"upgrade_type": "websocket"}],
            "request_headers_timeout": "15s",
            "local_reply_config": {
                "mappers": [
                    {
                        "filter": {"response_flag_filter": {"flags": ["NR"]}},
                        "body_format_override": {
                            "text_format_source": {
                                "inline_string": "Nothing is served at this address.\n"
                            },
                            "content_type": "text/plain; charset=utf-8",
                        },
                    },
                    {
                        "filter": {"response_flag_filter": {"flags": ["UT", "SI"]}},
                        "body_format_override": {
                            "text_format_source": {
                                "inline_string": "This address did not answer in time. Try again in a few seconds.\n"
                            },
                            "content_type": "text/plain; charset=utf-8",
                        },
                    },
                    {
                        "filter": {
                            "response_flag_filter": {
                                "flags": ["UH", "UF", "UC", "UO", "URX", "NC", "LR", "UR"]
                            }
                        },
                        "body_format_override": {
                            "text_format_source": {
                                "inline_string": "This address cannot answer at the moment. Try again in a few seconds.\n"
                            },
                            "content_type": "text/plain; charset=utf-8",
                        },
                    },
                ]
            },
            "access_log": [
                {
                    "name": "file",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                        "path": "/edge/run/access.log",
                        "log_format": {
                            "json_format": {
                                "time": "%START_TIME%",
                                "id": "%REQ(X-REQUEST-ID)%",
                                "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
                                "method": "%REQ(:METHOD)%",
                                "host": "%REQ(:AUTHORITY)%",
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
                        },
                    },
                }
            ],
        }
    )


def test_without_tls_there_is_no_tls_listener() -> None:
    assert len(listeners.listeners(Table((PLAIN,), (BLUE,)), PLACES, {})) == 1


def test_the_bootstrap() -> None:
    found = bootstrap.bootstrap(pathlib.Path("/edge"), pathlib.Path("/edge/run/admin.sock"))
    assert found == snapshot(
        {
            "node": {"id": "shipway", "cluster": "shipway"},
            "admin": {"address": {"pipe": {"path": "/edge/run/admin.sock", "mode": 438}}},
            "dynamic_resources": {
                "lds_config": {
                    "path_config_source": {
                        "path": "/edge/lds/listeners.json",
                        "watched_directory": {"path": "/edge/lds"},
                    },
                    "resource_api_version": "V3",
                },
                "cds_config": {
                    "path_config_source": {
                        "path": "/edge/cds/clusters.json",
                        "watched_directory": {"path": "/edge/cds"},
                    },
                    "resource_api_version": "V3",
                },
            },
            "overload_manager": {
                "resource_monitors": [
                    {
                        "name": "envoy.resource_monitors.global_downstream_max_connections",
                        "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                            "max_active_downstream_connections": 10000,
                        },
                    }
                ]
            },
            "stats_config": {
                "histogram_bucket_settings": [
                    {
                        "match": {"suffix": "rq_time"},
                        "buckets": [
                            5,
                            10,
                            25,
                            50,
                            100,
                            200,
                            300,
                            500,
                            1000,
                            2500,
                            5000,
                            10000,
                            60000,
                        ],
                    }
                ]
            },
        }
    )


def test_the_same_table_is_the_same_files() -> None:
    turned = Table(TABLE.routes[::-1], TABLE.pools[::-1])
    one, two = (files.rendered(table, PLACES, CERTIFICATES) for table in (TABLE, turned))
    assert one == two
    assert list(one) == snapshot(
        [
            "cds/clusters.json",
            "rds/plain/routes.json",
            "rds/tls-1.2/routes.json",
            "rds/tls-1.3/routes.json",
            "lds/listeners.json",
        ]
    )


def test_a_switch_changes_one_file() -> None:
    green = Pool(name="green", endpoints=("127.0.0.1:20001",))
    pools = (*TABLE.pools, green)
    turned = Route(host=API.host, shares=(Share(pool="green", per_mille=1000),), minimum_tls="1.3")
    one = files.rendered(Table((API, WEB), pools), PLACES, CERTIFICATES)
    two = files.rendered(Table((turned, WEB), pools), PLACES, CERTIFICATES)
    assert [path for path in one if one[path] != two[path]] == ["rds/tls-1.3/routes.json"]


def test_what_a_file_says_can_be_read_again() -> None:
    found = files.rendered(TABLE, PLACES, CERTIFICATES)
    assert files.certificates(found[files.LDS]) == set(CERTIFICATES.values())
    assert files.watched("rds/tls-1.3/routes.json", found[files.LDS])
    only_plain = files.rendered(Table((PLAIN,), (BLUE,)), PLACES, {})[files.LDS]
    assert not files.watched("rds/tls-1.3/routes.json", only_plain)
    assert files.watched("rds/plain/routes.json", only_plain)
    strict = files.resources(found["rds/tls-1.3/routes.json"])
    assert routes.pools_by_host(strict) == {API.host: {BLUE.name}}
    assert files.version(found[files.CDS]) == json.loads(found[files.CDS])["version_info"]


def test_what_is_new_is_there_before_what_is_old_goes() -> None:
    moved = Pool(name=BLUE.name, endpoints=("127.0.0.1:20009", "[::1]:1"), health_path="/live")
    old, new = clusters.clusters([BLUE, INTAKE]), clusters.clusters([moved])
    joined = {cluster["name"]: cluster for cluster in clusters.union(old, new)}
    assert set(joined) == {BLUE.name, INTAKE.name}
    assert clusters.endpoints(joined[BLUE.name]) == {*BLUE.endpoints, *moved.endpoints}
    assert joined[BLUE.name]["health_checks"][0]["http_health_check"]["path"] == "/live"
    assert clusters.changed(old, new) == {BLUE.name}
    assert clusters.changed(old, old) == set()


def test_what_hosts_are_about_to_depend_on() -> None:
    old = {"a": {"blue"}, "b": {"blue"}}
    new = {"a": {"green", "blue"}, "b": {"blue"}, "c": {"blue"}}
    assert routes.turning(old, new, set()) == {"green": {"blue"}, "blue": set()}
    assert routes.turning(old, old, {"blue"}) == {"blue": {"blue"}}
    assert routes.turning(old, old, {"other"}) == {}
