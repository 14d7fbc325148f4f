"""The tiny app from commits to artifacts."""

from __future__ import annotations

import tarfile

import pytest
from tests.integration.builds.conftest import TINY, Site

from shipway.builds.model import State
from shipway.kit.mask import Mask

pytestmark = pytest.mark.anyio


async def test_commits_become_servers_and_only_what_has_changed_is_built(site: Site) -> None:
    commit = await site.app("tiny", TINY)
    first = await site.begin("tiny", commit)
    made = await site.perform_all("tiny", commit, first)
    await says_what_it_is(site, first, commit)
    await site.builder.clean_up(first, "tiny")

    commit = await site.push("tiny", {"README.md": "Other words.\n"})
    second = await site.begin("tiny", commit, push=2)
    found = await site.perform_all("tiny", commit, second)
    assert all(result.cached for result in found.values())
    assert {n: r.artifacts for n, r in found.items()} == {n: r.artifacts for n, r in made.items()}
    steps = {step.name: step.sentence for step in await site.runs.steps(second)}
    assert steps["server"] == f"server is unchanged since {first}."

    commit = await site.push("tiny", {"server/tiny/__init__.py": 'VERSION = "2"\nFAULT = ""\n'})
    third = await site.begin("tiny", commit, push=3)
    changed = await site.perform_all("tiny", commit, third)
    assert changed["install server"].cached
    assert not changed["server"].cached
    assert changed["server"].artifacts != made["server"].artifacts
    assert changed["migrations"].artifacts == made["migrations"].artifacts


async def says_what_it_is(site: Site, run: str, commit: str) -> None:
    artifacts = await site.builder.release_artifacts(run)
    assert set(artifacts) == {"sources", "server", "migrations"}
    with tarfile.open(await site.store.path(artifacts["migrations"])) as archive:
        assert archive.getnames() == ["migrations", "migrations/0001_notes.sql"]
    (server,) = (found for found in await site.artifacts.of(run) if found.name == "server")
    assert (await site.artifacts.get(server.digest)).digest == artifacts["server"]
    assert (server.commit, server.provenance["step"]) == (commit, "server")
    assert server.size > 10_000
    assert server.provenance["tools"]["shiv"] == "1.0.8"  # type: ignore[index]
    assert set(server.provenance["inputs"]) == {"server"}  # type: ignore[call-overload]
    assert {step.state for step in await site.runs.steps(run)} == {State.SUCCEEDED}
    assert any(line.endswith("OK") for line in site.logs.read(run, "full test database").lines)


async def test_the_same_sources_give_the_same_bytes(site: Site) -> None:
    made = []
    for app in ("one", "two"):
        commit = await site.app(app, TINY)
        run = await site.begin(app, commit)
        plan = await site.plan(app, commit)
        wanted = ("server dependencies", "server", "migrations")
        results = [
            await site.builder.perform(run, app, commit, step, Mask())
            for step in plan.steps
            if step.name in wanted or step.name.startswith("install")
        ]
        assert not any(result.cached for result in results)
        made.append({k: v for result in results for k, v in result.artifacts.items()})
    assert made[0] == made[1]
    assert set(made[0]) == {"server", "migrations"}
