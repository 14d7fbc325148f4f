from __future__ import annotations

import asyncio
import contextlib
import os
import typing

import httpx2
import pytest
from tests.fakes.checkout import SOUND, Checkout, eventually
from tests.fakes.platform import Live

from shipway.access.model import Role
from shipway.api import git, pushes
from shipway.builds.model import Run, State
from shipway.kit import clock, command
from shipway.kit.mask import Mask

pytestmark = pytest.mark.anyio


async def run_of(live: Live) -> Run:
    (run,) = await live.platform.runs.list("tiny")
    return run


async def end_the_run(live: Live) -> None:
    """Do what a worker would: two steps, one of which fails."""
    await eventually(live.remote.came)
    run, runs, logs = await run_of(live), live.platform.runs, live.platform.logs
    await runs.set_state(run.id, State.RUNNING)
    await runs.announce(run.id, ["install", "test"])
    await runs.start_step(run.id, "install")
    await runs.end_step(run.id, "install", State.SUCCEEDED, "Done.", cached=True)
    await runs.start_step(run.id, "test")
    async with logs.writing(run.id, "test", Mask()) as write:
        write("1 failed: expected 2, found 3")
    await runs.end_step(run.id, "test", State.FAILED, "`npm test` exited with status 1.")
    await runs.set_state(run.id, State.FAILED, "test failed: `npm test` exited with status 1.")


async def test_a_push_starts_a_run_and_shows_how_it_goes(live: Live, checkout: Checkout) -> None:
    (status, seen), _ = await asyncio.gather(checkout.push(), end_the_run(live))
    run = await run_of(live)
    assert status == 0
    assert f"remote: main {run.commit[:7]}: full run {run.id}" in seen
    assert "remote: Ctrl-C leaves it running." in seen
    assert "remote:   install: unchanged" in seen
    assert "remote:   test: failed" in seen
    assert "remote:     | 1 failed: expected 2, found 3" in seen
    assert "remote: test failed: `npm test` exited with status 1." in seen
    assert (run.branch, run.pushed_by) == ("main", "ana")
    assert [start.id for start in live.remote.started] == [run.id]


async def test_what_is_kept_of_a_hotfix_is_seen_by_nobody(live: Live, checkout: Checkout) -> None:
    await asyncio.gather(checkout.push(), end_the_run(live))
    sources = live.platform.sources
    main = (await sources.refs("tiny"))["main"]
    ana = ("Ana", "ana@example.org")
    await sources.merge(
        "tiny", main, main, author=ana, at=clock.now(), message="Merge", keep="run_1"
    )

    listed = (await checkout.git("ls-remote")).output
    assert "refs/heads/main" in listed
    assert "run_1" not in listed
    assert (await checkout.push("origin", "HEAD:refs/shipway/run_1", check=False))[0] != 0


async def test_a_push_is_on_the_trail(live: Live, checkout: Checkout) -> None:
    commit = (await checkout.git("rev-parse", "HEAD")).output.strip()
    await asyncio.gather(checkout.push(), end_the_run(live))
    last = next(e for e in await live.platform.audit.list(limit=9) if e.what == "push")
    assert (last.who, last.target, last.detail) == ("ana", "tiny", {"refs/heads/main": commit})


async def test_a_branch_gets_its_own_kind_of_run(live: Live, checkout: Checkout) -> None:
    await asyncio.gather(checkout.push("origin", "HEAD:feature/x"), end_the_run(live))
    run = await run_of(live)
    assert (run.branch, run.kind) == ("feature/x", "fast")


async def test_who_leaves_leaves_the_run_running(live: Live, checkout: Checkout) -> None:
    """Ctrl-C at the person's end: the ref has landed, so the run has started."""
    told = asyncio.Event()

    def heard(line: str) -> None:
        if "Ctrl-C leaves it running" in line:
            told.set()

    push = checkout.command("push", "origin", "HEAD")
    with contextlib.suppress(KeyboardInterrupt):
        async with command.piped(push, on_error_line=heard):
            await eventually(told)
            raise KeyboardInterrupt
    run = await run_of(live)
    assert run.state is State.WAITING
    assert [start.id for start in live.remote.started] == [run.id]
    assert await live.platform.sources.refs("tiny") == {"main": run.commit}


async def test_two_branches_start_two_runs(live: Live, checkout: Checkout) -> None:
    await checkout.git("branch", "feature")
    status, seen = await checkout.push("origin", "main", "feature")
    assert status == 0
    assert "Follow any of them" in seen
    assert {run.branch for run in await live.platform.runs.list("tiny")} == {"main", "feature"}


async def test_a_push_that_nobody_reported_is_found(
    live: Live, checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the API is killed between the landing of the ref and the hook."""
    sources = live.platform.sources
    await checkout.git("push", "-q", str(sources.path("tiny")), "main")
    commit = (await checkout.git("rev-parse", "HEAD")).output.strip()
    await live.platform.audit.record("ana", "push", "tiny", {"refs/heads/main": commit})
    looking = asyncio.ensure_future(pushing(live)._look_for_pushes())
    await eventually(live.remote.came)
    looking.cancel()
    run = await run_of(live)
    assert (run.branch, run.pushed_by) == ("main", "ana")


def pushing(live: Live) -> pushes.Pushing:
    return typing.cast("pushes.Pushing", live.server._application.state.pushing)


async def refused(checkout: Checkout, *arguments: str) -> str:
    status, seen = await checkout.push(*arguments, check=False)
    assert status != 0
    return seen


async def nothing_landed(live: Live) -> None:
    assert await live.platform.sources.refs("tiny") == {}
    assert await live.platform.runs.list("tiny") == []


async def test_a_broken_file_is_refused_with_every_problem(live: Live, checkout: Checkout) -> None:
    await checkout.commit(
        "Break", {"shipway.toml": 'name = "tiny"\nnonsense = 1\n[server]\nkind = "cobol"\n'}
    )
    seen = await refused(checkout)
    assert "remote: Shipway refuses this push:" in seen
    assert "nonsense" in seen
    assert "cobol" in seen
    assert "pre-receive hook declined" in seen
    await nothing_landed(live)


async def test_a_commit_without_the_file_is_refused(live: Live, checkout: Checkout) -> None:
    await checkout.git("rm", "-q", "shipway.toml")
    await checkout.git("commit", "-q", "-m", "Remove")
    assert "`shipway init` writes one; commit it and push again." in await refused(checkout)
    await nothing_landed(live)


async def test_another_app_is_refused(live: Live, checkout: Checkout) -> None:
    await checkout.commit("Rename", {"shipway.toml": SOUND.replace("tiny", "other")})
    assert 'Write name = "tiny", or push to other.' in await refused(checkout)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a" * 300_000, b"\x00", b"[" * 50_000])
async def test_a_hostile_file_is_refused(live: Live, checkout: Checkout, content: bytes) -> None:
    await checkout.commit("Harm", {"shipway.toml": content})
    assert "is not valid:" in await refused(checkout)
    await nothing_landed(live)


async def test_tags_and_hidden_refs_are_refused(live: Live, checkout: Checkout) -> None:
    await checkout.git("tag", "v1")
    assert "Shipway makes the tags" in await refused(checkout, "origin", "v1")
    assert "refs/shipway/x is not a branch" in await refused(
        checkout, "origin", "HEAD:refs/shipway/x"
    )
    await nothing_landed(live)


async def test_main_moves_forward_only(live: Live, checkout: Checkout) -> None:
    await asyncio.gather(checkout.push(), end_the_run(live))
    await checkout.git("commit", "-q", "--amend", "-m", "Another")
    assert "main only moves forward" in await refused(checkout, "--force", "origin", "main")
    assert "main is what is delivered" in await refused(checkout, "--delete", "origin", "main")
    assert await live.platform.sources.refs("tiny") == {"main": (await run_of(live)).commit}


async def test_another_branch_may_be_forced_and_deleted(live: Live, checkout: Checkout) -> None:
    await asyncio.gather(checkout.push("origin", "HEAD:x"), end_the_run(live))
    await checkout.git("commit", "-q", "--amend", "-m", "Another")
    # Two refs are not followed to their end.
    status, _ = await checkout.push("--force", "origin", "HEAD:x", "HEAD:y")
    assert status == 0
    assert (await checkout.push("--delete", "origin", "x"))[0] == 0
    assert set(await live.platform.sources.refs("tiny")) == {"y"}


async def test_a_mirror_of_everything_is_refused(live: Live, checkout: Checkout) -> None:
    for number in range(21):
        await checkout.git("branch", f"b{number}")
    assert "Push at most 20 at once" in await refused(checkout, "origin", "--all")
    await nothing_landed(live)


@pytest.mark.parametrize(("most", "size"), [(20_000, 60_000), (2_000_000, 4_000_000)])
async def test_a_push_that_is_too_large_says_so(
    live: Live, checkout: Checkout, most: int, size: int
) -> None:
    """Small packs come with their length, large ones in chunks."""
    small_remote = git.Remote(live.platform, pushing(live), largest=most)
    application = live.server._application
    route = next(r for r in application.routes if getattr(r, "path", "") == "/git")
    route.app = small_remote  # type: ignore[attr-defined]
    await checkout.commit("Grow", {"large.bin": os.urandom(size)})
    seen = await refused(checkout)
    assert "which is the most that this Shipway takes" in seen
    await nothing_landed(live)


async def test_a_viewer_may_fetch_but_not_push(live: Live, checkout: Checkout) -> None:
    await asyncio.gather(checkout.push(), end_the_run(live))
    checkout.token = await live.token("vera", Role.VIEWER)
    await checkout.git("fetch", "-q", "origin")
    await checkout.commit("More", {"more": "x"})
    seen = await refused(checkout)
    assert "remote: vera is a viewer and may not push. Ask a developer." in seen


async def test_a_push_that_is_large_enough_to_come_in_chunks_lands(
    live: Live, checkout: Checkout
) -> None:
    await checkout.commit("Grow", {"large.bin": os.urandom(5_000_000)})
    await asyncio.gather(checkout.push(), end_the_run(live))
    run = await run_of(live)
    assert await live.platform.sources.has("tiny", run.commit)


@pytest.mark.parametrize("token", ["", "shp_wrong"])
async def test_strangers_are_sent_away(live: Live, checkout: Checkout, token: str) -> None:
    checkout.token = token
    await refused(checkout)
    await nothing_landed(live)


async def test_an_unknown_app_is_said(live: Live, checkout: Checkout) -> None:
    await checkout.git("remote", "set-url", "origin", f"{live.url}/git/nobody.git")
    assert "remote: There is no app 'nobody'" in await refused(checkout)


async def test_a_clone_has_what_was_pushed(live: Live, checkout: Checkout) -> None:
    await asyncio.gather(checkout.push(), end_the_run(live))
    await checkout.git("clone", "-q", checkout.url, "copy")
    assert (checkout.folder / "copy" / "shipway.toml").read_text() == SOUND


async def test_hooks_of_nobody_are_refused(live: Live) -> None:
    async with httpx2.AsyncClient(base_url=live.url, trust_env=False) as http:
        for path in ("check", "arrived"):
            answer = await http.post(
                f"/internal/pushes/{path}",
                headers={"x-shipway-push": "guess"},
                json={"updates": []},
            )
            assert answer.status_code == 401
