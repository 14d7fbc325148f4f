"""Pushes of what no build could be made of: refused in words, before they land."""

from __future__ import annotations

import asyncio
import os
import pathlib
from collections.abc import Iterator

import httpx2
import pytest
from tests.fakes.checkout import SOUND, Checkout, eventually
from tests.fakes.platform import Live

from shipway.api import push_rules
from shipway.builds.model import State
from shipway.kit import command

pytestmark = pytest.mark.anyio

MANY_FILES = int(os.environ.get("SHIPWAY_MANY_FILES", "2000"))
"""`./dev soak` tries 50,000."""

HUGE = int(os.environ.get("SHIPWAY_HUGE_FILE", "2000000"))
"""Bytes of a file that is too large; `./dev soak` tries 2 GB."""

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 12345\n"


async def refused(live: Live, checkout: Checkout) -> str:
    status, seen = await checkout.push(check=False)
    assert status != 0
    assert await live.platform.sources.refs("tiny") == {}
    assert await live.platform.runs.list("tiny") == []
    return " ".join(seen.replace("remote: ", "").split())


async def end_the_run(live: Live) -> None:
    await eventually(live.remote.came)
    (run,) = await live.platform.runs.list("tiny")
    await live.platform.runs.set_state(run.id, State.SUCCEEDED, "Done.")


async def test_a_push_without_anything_new_starts_nothing(live: Live, checkout: Checkout) -> None:
    await asyncio.gather(checkout.push(), end_the_run(live))
    status, seen = await checkout.push()
    assert (status, "Everything up-to-date" in seen) == (0, True)
    assert len(await live.platform.runs.list("tiny")) == 1


async def test_a_repository_without_a_commit_has_nothing_to_push(
    live: Live, checkout: Checkout, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "empty").mkdir()
    empty = Checkout(tmp_path / "empty", checkout.url, checkout.token)
    await empty.git("init", "-q", "-b", "main")
    await empty.git("remote", "add", "origin", empty.url)
    assert await refused(live, empty)


async def test_a_submodule_is_named(live: Live, checkout: Checkout) -> None:
    words = ("--add", "--cacheinfo", f"160000,{'1' * 40},lib/shared")
    await checkout.git("update-index", *words)
    await checkout.git("commit", "-q", "-m", "Add a submodule")
    seen = await refused(live, checkout)
    assert "lib/shared of main is a submodule" in seen
    assert "git subtree add" in seen


async def test_an_lfs_pointer_is_named_and_other_small_files_are_not(
    live: Live, checkout: Checkout
) -> None:
    await checkout.commit(
        "Add a picture",
        {
            ".gitattributes": "*.png filter=lfs diff=lfs merge=lfs -text\n",
            "logo.png": POINTER.format("0" * 64),
            "words.txt": "x" * 130,
        },
    )
    seen = await refused(live, checkout)
    assert "logo.png of main is a Git LFS pointer" in seen
    assert "git lfs migrate export --include=logo.png" in seen
    assert "words.txt" not in seen


async def test_the_lfs_client_is_told_too(live: Live) -> None:
    async with httpx2.AsyncClient(base_url=live.url, trust_env=False) as http:
        answer = await http.post("/git/tiny.git/info/lfs/objects/batch", json={})
    assert answer.status_code == 501
    assert "keeps no Git LFS files" in answer.json()["message"]


async def test_a_file_that_is_too_large_is_named_however_small_its_pack(
    live: Live, checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    if HUGE <= push_rules.LARGEST_FILE:
        monkeypatch.setattr(push_rules, "LARGEST_FILE", HUGE - 1)
    with (checkout.folder / "film.mp4").open("wb") as file:
        file.truncate(HUGE)
    await checkout.git("add", "film.mp4")
    await checkout.git("commit", "-q", "-m", "Add a film")
    seen = await refused(live, checkout)
    assert "film.mp4 of main has " in seen
    assert "`git rm --cached film.mp4`" in seen


async def test_a_few_trees_that_name_a_million_files_are_not_unpacked(
    live: Live, checkout: Checkout
) -> None:
    blob = (await checkout.git("hash-object", "-w", "shipway.toml")).output.strip()
    entry = f"100644 blob {blob}"
    for _ in range(6):
        tree = "".join(f"{entry}\t{number}\n" for number in range(10))
        entry = f"040000 tree {await made(checkout, tree)}"
    root = await made(checkout, f"{entry}\tmany\n100644 blob {blob}\tshipway.toml\n")
    commit = (await checkout.git("commit-tree", "-m", "Bomb", root)).output.strip()
    await checkout.git("reset", "-q", "--soft", commit)
    assert "main has more than 200,000 files" in await refused(live, checkout)


async def made(checkout: Checkout, listed: str) -> str:
    """Make a tree and return its hash."""
    wanted = checkout.command("mktree")
    told = command.Command(argv=wanted.argv, env=wanted.env, cwd=wanted.cwd, stdin=listed.encode())
    return (await command.run(told)).output.strip()


def stream(count: int) -> Iterator[str]:
    """Tell `git fast-import` of a commit with many files."""
    yield "commit refs/heads/main\ncommitter A <a@example.org> 1700000000 +0000\ndata 4\nMany\n"
    yield f"M 100644 inline shipway.toml\ndata {len(SOUND)}\n{SOUND}\n"
    for number in range(count):
        text = f"{number}\n"
        path = f"many/{number % 100}/{number}"
        yield f"M 100644 inline {path}\ndata {len(text)}\n{text}\n"


async def test_many_files_land(live: Live, checkout: Checkout) -> None:
    wanted = checkout.command("fast-import", "--quiet", "--force")
    told = command.Command(
        argv=wanted.argv,
        env=wanted.env,
        cwd=wanted.cwd,
        stdin="".join(stream(MANY_FILES)).encode(),
    )
    await command.run(told)
    (status, _), _ = await asyncio.gather(checkout.push(), end_the_run(live))
    assert status == 0
    assert len(await live.platform.sources.refs("tiny")) == 1
