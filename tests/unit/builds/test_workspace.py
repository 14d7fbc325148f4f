"""What the sandbox of a step holds, and what its key is made of."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from shipway.builds import kept, workspace
from shipway.builds.model import BuildStep, StepKind
from shipway.builds.workspace import Workspace
from shipway.runtime.model import Kind, Sandbox

STEP = BuildStep(name="test api", kind=StepKind.TEST, folder="api", argv=("pytest",))
INSTALLED = kept.Result(
    app="notes",
    key="k",
    trusted=True,
    step="install api",
    run="run_0",
    folder="installs/install-api-1",
    trees=("api/.venv",),
)


def place(step: BuildStep = STEP, **changes: Any) -> Workspace:
    whole: dict[str, Any] = {"run": "run_1", "step": step, "caches": "main"}
    return Workspace(**(whole | changes))


def sandbox(step: BuildStep = STEP, **changes: Any) -> Sandbox:
    made = place(step, **changes).task("notes").sandbox
    assert made
    return made


def test_a_step_runs_as_the_builds_of_its_app_at_constant_paths() -> None:
    task = place().task("notes")
    assert (task.owner.kind, task.owner.app) == (Kind.BUILD, "notes")
    assert task.key == "run_1.test-api"
    assert task.sandbox
    assert sorted(task.sandbox.mounted_as.values()) == ["commit", "out", "run", "scratch", "src"]


def test_the_sources_and_what_was_installed_are_read_only() -> None:
    made = sandbox(needs=(INSTALLED,))
    assert set(made.readable) == {
        "runs/run_1/commit",
        "runs/run_1/test-api/run",
        "installs/install-api-1/src/api/.venv",
    }
    assert made.mounted_as["installs/install-api-1/src/api/.venv"] == "src/api/.venv"
    assert all(path.startswith("runs/run_1/test-api/") for path in made.writable)


def test_the_apps_own_node_is_apart_and_first_on_the_path() -> None:
    node = dataclasses.replace(INSTALLED, step="node", folder="installs/node-1", trees=(".node",))
    assert sandbox(needs=(node,)).mounted_as["installs/node-1/src/.node"] == "node"
    install = BuildStep(name="install api", kind=StepKind.INSTALL, argv=("npm", "ci"))
    for step in (STEP, install):
        task = place(step, needs=(node,)).task("notes")
        assert task.env["PATH"].startswith("/box/node/bin:")
        assert json.loads(task.stdin)["brought"] == []


def test_a_step_gets_no_more_memory_than_the_machine_can_give() -> None:
    assert sandbox().memory_bytes == workspace.MEMORY[StepKind.TEST]
    assert sandbox(memory=1000).memory_bytes == 1000


def test_a_test_has_no_network_and_no_caches() -> None:
    made = sandbox()
    assert not made.network
    assert not [path for path in made.writable if path.startswith("caches")]


def test_branches_have_caches_of_their_own() -> None:
    install = BuildStep(name="install api", kind=StepKind.INSTALL, network=True)
    assert "caches/main/packages" in sandbox(install).writable
    assert "caches/branches/packages" in sandbox(install, caches="branches").writable
    assert "caches/main/packages" not in sandbox(install, caches="branches").writable
    assert not [path for path in sandbox(install, caches="").writable if "caches" in path]


def test_an_export_has_a_metro_cache_for_its_public_variables() -> None:
    export = BuildStep(name="export web a", kind=StepKind.EXPORT, env={"EXPO_PUBLIC_DOMAIN": "a"})
    other = dataclasses.replace(export, env={"EXPO_PUBLIC_DOMAIN": "b"})
    (one,) = (path for path in sandbox(export).writable if "metro" in path)
    (two,) = (path for path in sandbox(other).writable if "metro" in path)
    assert one != two
    assert sandbox(export).mounted_as[one] == "cache/metro"


def test_an_install_copies_what_it_goes_on_from() -> None:
    install = BuildStep(name="install more", kind=StepKind.INSTALL, folder="api", network=True)
    made = place(install, needs=(INSTALLED,)).task("notes")
    assert made.sandbox
    mounted = made.sandbox.mounted_as["installs/install-api-1/src/api/.venv"]
    assert mounted == "needs/api/.venv"
    assert json.loads(made.stdin)["brought"] == ["api/.venv"]


def test_no_environment_variable_of_ours_reaches_a_step_by_accident() -> None:
    step = dataclasses.replace(STEP, env={"PATH": "/evil"})
    task = place(step).task("notes")
    assert task.env["PATH"].startswith("/box/tools/bin:")
    assert not [name for name in task.env if "SECRET" in name or "SHIPWAY" in name]


def key(step: BuildStep = STEP, **changes: Any) -> str:
    whole: dict[str, Any] = {"inputs": {"api": "1"}, "needs": ["n"], "tools": {}, "recipe": "r"}
    return kept.key_of(step, **(whole | changes))


def test_the_name_and_the_patience_of_a_step_do_not_matter() -> None:
    assert key() == key(dataclasses.replace(STEP, name="full test api", timeout=1.0))


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": {"api": "2"}},
        {"inputs": {"api": "1", "package.json": "1"}},
        {"needs": ["m"]},
        {"tools": {"node": "v20"}},
        {"recipe": "s"},
        {"step": dataclasses.replace(STEP, argv=("pytest", "-q"))},
        {"step": dataclasses.replace(STEP, env={"EXPO_PUBLIC_DOMAIN": "a"})},
        {"step": dataclasses.replace(STEP, services=("postgres",))},
    ],
)
def test_everything_that_a_step_sees_matters(change: dict[str, Any]) -> None:
    assert key(**change) != key()


def test_the_owner_of_builds_is_one_for_each_app() -> None:
    assert workspace.owner("a") != workspace.owner("b")
