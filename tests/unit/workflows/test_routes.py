from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shipway.environments import policy
from shipway.workflows import traffic
from shipway.workflows.traffic import Part, Site

SITE = Site(
    app="aios",
    environment="production",
    hosts=(("aios.test", "client"), ("api.aios.test", "server")),
    policy=policy.DEFAULTS["production"],
)


def part(name: str, per_mille: int, *, export: str = "", has_server: bool = True) -> Part:
    return Part(deployment=name, per_mille=per_mille, has_server=has_server, export=export)


def test_a_site_without_a_release_has_no_routes() -> None:
    assert traffic.routes(SITE, []) == ()


def test_the_server_answers_under_its_host_and_the_export_under_the_domain() -> None:
    web, api = traffic.routes(SITE, [part("dep_1", 1000, export="aa")])

    assert (web.host, web.shares[0].pool) == ("aios.test", "shipway.intake")
    assert web.shares[0].headers == {"x-shipway-exports": "aa"}
    assert (api.host, api.shares[0].pool) == ("api.aios.test", "aios.production.dep_1")
    assert (api.minimum_tls, api.hsts) == ("1.3", True)


def test_pages_of_the_release_before_still_find_their_assets() -> None:
    web, _ = traffic.routes(SITE, [part("new", 100, export="bb"), part("old", 900, export="aa")])

    assert [share.headers["x-shipway-exports"] for share in web.shares] == ["bb,aa", "aa,bb"]


def test_an_app_without_a_client_answers_under_its_domain_with_its_server() -> None:
    web, api = traffic.routes(SITE, [part("dep_1", 1000)])

    assert web.shares == api.shares


def test_an_app_without_a_server_has_no_route_for_it() -> None:
    (web,) = traffic.routes(SITE, [part("dep_1", 1000, export="aa", has_server=False)])

    assert web.host == "aios.test"


@given(
    per_mille=st.integers(0, 1000),
    new_export=st.booleans(),
    old_export=st.booleans(),
    old_server=st.booleans(),
)
def test_shares_always_add_up(
    per_mille: int, *, new_export: bool, old_export: bool, old_server: bool
) -> None:
    parts = [
        part("new", per_mille, export="bb" if new_export else ""),
        part("old", 1000 - per_mille, export="aa" if old_export else "", has_server=old_server),
    ]

    for route in traffic.routes(SITE, parts):
        assert sum(share.per_mille for share in route.shares) == 1000
