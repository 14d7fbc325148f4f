"""The checkout's git, with real repositories and no network."""

from __future__ import annotations

import pathlib

import pytest

from shipway.cli import git, servers
from shipway.kit import command, errors

pytestmark = pytest.mark.anyio

SERVER = servers.Server(
    name="box", url="https://box.example", token="shp_box", ca_file="/etc/box.pem"
)


async def run(folder: pathlib.Path, *argv: str) -> str:
    name = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    environment = command.base_environment()
    found = await command.run(
        command.Command(argv=("git", *name, *argv), cwd=folder, env=environment)
    )
    return found.output


@pytest.fixture
async def checkout(tmp_path: pathlib.Path) -> pathlib.Path:
    await run(tmp_path, "init", "--quiet", "--initial-branch=main", "checkout")
    folder = tmp_path / "checkout"
    await run(folder, "commit", "--quiet", "--allow-empty", "-m", "Begin")
    return folder


async def test_outside_a_repository_there_is_none(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.NotFound, match="in no git repository"):
        await git.Repository.around(tmp_path)


async def test_the_remote_and_its_helper_are_set_once(checkout: pathlib.Path) -> None:
    repository = await git.Repository.around(checkout)
    for url in ("https://box.example/git/old.git", "https://box.example/git/aios.git"):
        await repository.point_at(url, SERVER)
    assert (await run(checkout, "remote", "get-url", "shipway")).strip().endswith("/aios.git")
    helpers = await run(checkout, "config", "--get-all", "credential.https://box.example.helper")
    assert helpers.count("shipway.cli.credential") == 1
    assert helpers.startswith("\n"), "the first, empty entry drops the person's other helpers"
    assert "shp_box" not in (checkout / ".git" / "config").read_text()
    authority = await run(checkout, "config", "http.https://box.example.sslCAInfo")
    assert authority.strip() == "/etc/box.pem"


async def test_branch_head_and_changes_are_seen(checkout: pathlib.Path) -> None:
    repository = await git.Repository.around(checkout)
    assert await repository.branch() == "main"
    assert len(await repository.head()) == 40
    assert not await repository.dirty()
    (checkout / "new").touch()
    assert await repository.dirty()
    await run(checkout, "checkout", "--quiet", "--detach")
    with pytest.raises(errors.Conflict, match="No branch"):
        await repository.branch()


async def bare(checkout: pathlib.Path, hook: str, text: str) -> git.Repository:
    await run(checkout.parent, "init", "--quiet", "--bare", "bare")
    file = checkout.parent / "bare" / "hooks" / hook
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    repository = await git.Repository.around(checkout)
    await repository.point_at(f"file://{checkout.parent}/bare", SERVER)
    return repository


async def test_a_push_tells_what_the_server_says(checkout: pathlib.Path) -> None:
    repository = await bare(
        checkout, "post-receive", "echo run_1 started; echo test api: succeeded"
    )
    heard: list[str] = []
    await repository.push("main", SERVER, heard.append)
    assert heard == ["run_1 started", "test api: succeeded"]


async def test_a_declined_push_is_refused_in_the_words_of_the_server(
    checkout: pathlib.Path,
) -> None:
    repository = await bare(checkout, "pre-receive", "echo viewers may not push; exit 1")
    heard: list[str] = []
    with pytest.raises(errors.Refused, match="did not take the push"):
        await repository.push("main", SERVER, heard.append)
    assert heard == ["viewers may not push"]


async def test_a_branch_that_is_behind_is_a_conflict(checkout: pathlib.Path) -> None:
    repository = await bare(checkout, "post-receive", "true")
    await repository.push("main", SERVER, print)
    await run(checkout, "commit", "--quiet", "--allow-empty", "--amend", "-m", "Begin anew")
    with pytest.raises(errors.Conflict, match="commits that are not here"):
        await repository.push("main", SERVER, print)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("remote: run_1 started        ", "run_1 started"),
        ("remote: \x1b[32mready\x1b[0m\x1b[K", "ready"),
        ("remote:", ""),
        ("To https://box.example/git/aios.git", None),
    ],
)
async def test_the_words_of_the_server_are_told_from_those_of_git(
    line: str, words: str | None
) -> None:
    assert git.remote_words(line) == words
