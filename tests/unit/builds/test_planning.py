"""What a run has to do."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shipway import appfile
from shipway.appfile.model import Client, DatabaseTool, Install, Product, Server, Test, Tests
from shipway.builds import planning
from shipway.builds.model import StepKind


def product(**changes: Any) -> Product:
    whole: dict[str, Any] = {
        "name": "notes",
        "install": (
            Install(name="api", folder="api", run=("uv", "sync"), inputs=("uv.lock",)),
            Install(name="client", folder="client", run=("npm", "ci"), inputs=("package*.json",)),
        ),
        "server": Server(kind="python", folder="api", entry="notes.main:main"),
        "client": Client(folder="client", platforms=("ios", "android", "web")),
        "database": DatabaseTool(
            folder="api", files=("migrations",), migrate=("alembic",), head=("alembic",)
        ),
        "tests": Tests(
            fast=(Test(name="api", folder="api", run=("pytest",), services=("postgres",)),),
            full=(Test(name="api", folder="api", run=("pytest", "-m", "slow")),),
            e2e=(Test(name="journey", folder="client", run=("npm", "test")),),
        ),
    }
    return Product(**(whole | changes))


TWO = {
    "staging": {"EXPO_PUBLIC_DOMAIN": "staging.notes.example"},
    "production": {"EXPO_PUBLIC_DOMAIN": "notes.example"},
}


def test_a_full_run_fetches_then_tests_and_builds_then_exports() -> None:
    layers = planning.plan(product(), full=True, publics=TWO).layers
    assert [[step.name for step in layer] for layer in layers] == [
        ["install api", "install client", "server dependencies"],
        ["test api", "full test api", "server", "migrations", "fingerprints"],
        [
            "export ios staging",
            "export android staging",
            "export web staging",
            "export ios production",
            "export android production",
            "export web production",
        ],
    ]


def test_a_fast_run_leaves_out_the_slow_tests_and_builds_the_same() -> None:
    full = planning.plan(product(), full=True, publics=TWO).steps
    fast = planning.plan(product(), full=False, publics=TWO).steps
    assert [step for step in full if step.name != "full test api"] == list(fast)


def test_only_steps_that_fetch_have_network() -> None:
    plan = planning.plan(product(), full=True, publics=TWO)
    fetching = {step.name for step in plan.steps if step.network}
    assert fetching == {"install api", "install client", "server dependencies"}


def test_environments_with_the_same_values_share_an_export() -> None:
    values = {"EXPO_PUBLIC_DOMAIN": "notes.example"}
    same = {"staging": values, "production": values}
    plan = planning.plan(product(), full=True, publics=same)
    exports = [step for step in plan.steps if step.kind is StepKind.EXPORT]
    assert [step.name for step in exports] == [
        "export ios staging+production",
        "export android staging+production",
        "export web staging+production",
    ]
    assert exports[0].produces == (
        "ios.staging",
        "ios.production",
        "ios.staging.maps",
        "ios.production.maps",
    )
    assert exports[2].produces == ("web.staging", "web.production")


def test_a_native_export_is_made_upon_the_one_before() -> None:
    before = {"ios.staging": "aa", "ios.production": "bb", "web.staging": "cc"}
    plan = planning.plan(product(), full=True, publics=TWO, bases=before)
    bases = {step.name: step.base for step in plan.steps if step.kind is StepKind.EXPORT}
    assert bases["export ios staging"] == "aa"
    assert bases["export ios production"] == "bb"
    assert bases["export android staging"] == bases["export web staging"] == ""


def test_nothing_is_exported_for_development() -> None:
    publics = {"development": {"EXPO_PUBLIC_DOMAIN": "localhost"}, **TWO}
    plan = planning.plan(product(), full=True, publics=publics)
    assert not [step.name for step in plan.steps if "development" in step.name]


def test_a_step_sees_its_folder_and_needs_what_was_installed_around_it() -> None:
    root = Install(name="root", run=("npm", "ci"), inputs=("package.json", "package-lock.json"))
    plan = planning.plan(product(install=(root,)), full=True, publics=TWO)
    export = next(step for step in plan.steps if step.kind is StepKind.EXPORT)
    assert export.inputs == ("client", "package.json", "package-lock.json")
    assert export.needs == ("install root",)


def test_installs_of_one_folder_come_one_after_another() -> None:
    installs = (
        Install(name="packages", folder="api", run=("npm", "ci")),
        Install(name="browsers", folder="api", run=("npx", "fetch")),
    )
    plan = planning.plan(product(install=installs, server=None, client=None), full=False)
    assert [[step.name for step in layer] for layer in plan.layers] == [
        ["install packages"],
        ["install browsers"],
        ["test api", "migrations"],
    ]
    assert plan.layers[1][0].needs == ("install packages",)


def test_steps_stand_on_installs_that_stand_on_others() -> None:
    installs = (
        Install(name="packages", folder=".", run=("npm", "ci")),
        Install(name="browsers", folder=".", run=("npx", "playwright", "install")),
    )
    app = product(install=installs)
    needed = planning.beneath(app, planning.end_to_end(app, env={}))
    assert [step.name for step in needed] == ["install packages", "install browsers"]
    assert planning.beneath(app, ()) == ()


def test_an_app_of_a_server_alone_has_few_steps() -> None:
    alone = Product(name="tiny", server=Server(kind="node", entry="main.ts"))
    assert [step.name for step in planning.plan(alone, full=True).steps] == ["server"]
    assert [step.name for step in planning.plan(alone, full=False).steps] == ["server"]


def test_end_to_end_tests_are_told_where_the_release_is_and_never_cached() -> None:
    (step,) = planning.end_to_end(
        product(), env={"E2E_BASE_URL": "https://x"}, files={"ca.pem": "PEM"}
    )
    assert (step.name, step.network, step.cacheable) == ("e2e journey", True, False)
    assert step.env == {"E2E_BASE_URL": "https://x"}
    assert step.files == {"ca.pem": "PEM"}
    assert step.needs == ("install client",)


@given(st.booleans(), st.sets(st.sampled_from(["staging", "production"])))
def test_names_are_unique_and_needs_come_in_earlier_layers(
    full: bool,  # noqa: FBT001 -- hypothesis gives it by position
    environments: set[str],
) -> None:
    plan = planning.plan(product(), full=full, publics={e: TWO[e] for e in sorted(environments)})
    names = [step.name for step in plan.steps]
    assert len(names) == len(set(names))
    assert len({step.slug for step in plan.steps}) == len(names)
    done: set[str] = set()
    for layer in plan.layers:
        assert all(set(step.needs) <= done for step in layer)
        done |= {step.name for step in layer}


def test_an_own_version_of_node_comes_before_all_that_runs_with_it() -> None:
    whole = planning.plan(product(node_version="22"), full=True, publics=TWO)
    assert [step.name for step in whole.layers[0]] == ["node", "server dependencies"]
    assert [step.name for step in whole.layers[1]] == ["install api", "install client"]
    needing = {step.name for step in whole.steps if "node" in step.needs}
    assert {"install client", "test api", "fingerprints", "export web staging"} <= needing


def test_a_node_server_is_told_what_is_another_part() -> None:
    file = """
name = "shop"
[server]
kind = "node"
entry = "dist/index.js"
bundle = false
run = ["npm", "run", "build"]
[client]
folder = "app"
"""
    (server,) = (
        s for s in planning.plan(appfile.parse(file), full=True).steps if s.name == "server"
    )
    assert server.argv == ("npm", "run", "build")
    assert server.details["main"] == "dist/index.js"
    assert (server.details["bundle"], server.details["without"]) == ("", "app")
