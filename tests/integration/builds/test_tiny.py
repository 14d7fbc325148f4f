"""The tiny app from a commit to artifacts."""

from __future__ import annotations

import tarfile

import pytest
from tests.integration.builds.conftest import TINY, Site

from shipway.builds.model import State

pytestmark = pytest.mark.anyio


async def test_a_commit_becomes_a_server_and_migrations(site: Site, tiny: str) -> None:
    run = await site.begin("tiny", tiny)
    results = await site.perform_all("tiny", tiny, run)
    artifacts = await site.builder.release_artifacts(run)
    assert set(artifacts) == {"sources", "server", "migrations"}
    assert results["server"].facts["python"].startswith("3.")
    with tarfile.open(await site.store.path(artifacts["migrations"])) as archive:
        assert archive.getnames() == ["migrations", "migrations/0001_notes.sql"]
    steps = await site.runs.steps(run)
    assert {step.state for step in steps} == {State.SUCCEEDED}
    log = site.logs.read(run, "full test database").lines
    assert any(line.endswith("OK") for line in log)


async def test_what_has_not_changed_is_answered_from_the_cache(site: Site, tiny: str) -> None:
    first = await site.begin("tiny", tiny)
    made = await site.perform_all("tiny", tiny, first)
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


async def test_the_same_sources_give_the_same_bytes(site: Site, tiny: str) -> None:
    first = await site.begin("tiny", tiny)
    made = await site.perform_all("tiny", tiny, first)
    again = await site.app("second", TINY)
    run = await site.begin("second", again)
    repeated = await site.perform_all("second", again, run)
    assert not any(result.cached for result in repeated.values())
    assert repeated["server"].artifacts == made["server"].artifacts
    assert repeated["migrations"].artifacts == made["migrations"].artifacts


async def test_an_artifact_says_how_it_came_to_be(site: Site, tiny: str) -> None:
    run = await site.begin("tiny", tiny)
    await site.perform_all("tiny", tiny, run)
    artifacts = await site.builder.release_artifacts(run)
    server = await site.artifacts.get(artifacts["server"])
    assert server.commit == tiny
    assert server.size > 10_000
    assert server.provenance["step"] == "server"
    assert server.provenance["tools"]["shiv"] == "1.0.8"  # type: ignore[index]
    assert set(server.provenance["inputs"]) == {"server"}  # type: ignore[call-overload]
