"""Repositories of apps."""

from __future__ import annotations

import datetime
import pathlib
import tarfile

import pytest

from shipway.builds.sources import Sources
from shipway.kit import command, errors

pytestmark = pytest.mark.anyio

PERSON = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "Ada@Example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}


class Checkout:
    """A clone that somebody works in."""

    def __init__(self, folder: pathlib.Path, remote: pathlib.Path) -> None:
        self.folder = folder
        self._remote = remote

    async def git(self, *arguments: str) -> str:
        wanted = command.Command(
            argv=("git", *arguments), cwd=self.folder, env=command.base_environment() | PERSON
        )
        return (await command.run(wanted)).output.strip()

    async def commit(self, message: str, files: dict[str, str]) -> str:
        for path, text in files.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text)
        await self.git("add", "-A", ".")
        await self.git("commit", "-q", "-m", message)
        await self.git("push", "-q", str(self._remote), "HEAD")
        return await self.git("rev-parse", "HEAD")


@pytest.fixture
def sources(tmp_path: pathlib.Path) -> Sources:
    return Sources(tmp_path / "git")


@pytest.fixture
async def checkout(sources: Sources, tmp_path: pathlib.Path) -> Checkout:
    remote = await sources.create("notes")
    made = Checkout(tmp_path / "checkout", remote)
    made.folder.mkdir()
    await made.git("init", "-q", "-b", "main")
    return made


async def test_a_repository_is_made_once(sources: Sources, checkout: Checkout) -> None:
    commit = await checkout.commit("one", {"a": "1"})
    await sources.create("notes")
    assert await sources.refs("notes") == {"main": commit}


async def test_what_a_commit_holds(sources: Sources, checkout: Checkout) -> None:
    commit = await checkout.commit("one", {"api/main.py": "x = 1\n"})
    assert await sources.file_at("notes", commit, "api/main.py") == "x = 1\n"
    assert await sources.file_at("notes", commit, "api/other.py") is None
    assert await sources.has("notes", commit)
    assert not await sources.has("notes", "0" * 40)
    with pytest.raises(errors.NotFound, match="has no client"):
        await sources.tree("notes", commit, "client")


async def test_which_commits_came_since(sources: Sources, checkout: Checkout) -> None:
    one = await checkout.commit("Add notes", {"a": "1"})
    two = await checkout.commit("Add tasks", {"a": "2"})
    found = await sources.commits_between("notes", one, two)
    assert [(c.sha, c.subject, c.author) for c in found] == [(two, "Add tasks", "Ada")]
    assert len(await sources.commits_between("notes", None, two)) == 2
    assert await sources.contains("notes", one, two)
    assert not await sources.contains("notes", two, one)
    assert await sources.authors("notes", one, two) == {"ada@example.com"}


async def test_everybody_who_wrote_a_long_history_is_an_author(sources: Sources) -> None:
    await sources.create("notes")
    writers = ("first", *("second" for _ in range(600)))
    imported = "".join(
        f"commit refs/heads/main\ncommitter {who} <{who}@Example.org> 1700000000 +0000\ndata 0\n"
        for who in writers
    )
    await command.run(
        command.Command(
            argv=("git", "fast-import", "--quiet"),
            env=command.base_environment(),
            cwd=sources.path("notes"),
            stdin=imported.encode(),
        )
    )
    newest = (await sources.refs("notes"))["main"]

    assert len(await sources.commits_between("notes", None, newest)) == 500
    assert await sources.authors("notes", None, newest) == {
        "first@example.org",
        "second@example.org",
    }


async def test_inputs_are_what_patterns_match(sources: Sources, checkout: Checkout) -> None:
    commit = await checkout.commit(
        "one",
        {
            "package.json": "{}",
            "package-lock.json": "{}",
            "client/app/index.tsx": "x",
            "client/app/deep/er.tsx": "y",
            "client/readme.md": "z",
        },
    )

    async def names(*patterns: str) -> list[str]:
        return list(await sources.inputs("notes", commit, patterns))

    assert await names("package*.json") == ["package-lock.json", "package.json"]
    assert await names("client") == ["client"]
    assert await names("client/*.md", "nothing") == ["client/readme.md"]
    assert await names("client/**/*.tsx") == ["client/app/deep/er.tsx", "client/app/index.tsx"]
    assert await names(".") == ["."]


async def test_inputs_change_with_contents_and_modes(sources: Sources, checkout: Checkout) -> None:
    one = await checkout.commit("one", {"run.sh": "true\n", "other": "1"})
    two = await checkout.commit("two", {"other": "2"})
    (checkout.folder / "run.sh").chmod(0o755)
    three = await checkout.commit("three", {})
    found = [await sources.inputs("notes", c, ["run.sh"]) for c in (one, two, three)]
    assert found[0] == found[1]
    assert found[1] != found[2]


async def test_an_archive_is_what_was_committed_to_the_letter(
    sources: Sources, checkout: Checkout, tmp_path: pathlib.Path
) -> None:
    hidden = {".gitattributes": "secret export-ignore\nversion export-subst\n"}
    commit = await checkout.commit("one", {**hidden, "secret": "s", "version": "$Format:%H$"})
    for name in ("one.tar", "two.tar"):
        await sources.archive("notes", commit, tmp_path / name)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(tmp_path / "one.tar") as archive:
        assert {"secret", "version"} <= set(archive.getnames())
        version = archive.extractfile("version")
        assert version
        assert version.read() == b"$Format:%H$"


ADA = ("Ada", "ada@example.com")
NOON = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)


async def merged(sources: Sources, into: str, commit: str) -> str:
    return await sources.merge(
        "notes", into, commit, author=ADA, at=NOON, message="Merge hotfix/x", keep="run_1"
    )


async def test_a_merge_moves_no_branch_until_it_is_brought_there(
    sources: Sources, checkout: Checkout
) -> None:
    base = await checkout.commit("base", {"a": "1"})
    await checkout.git("checkout", "-q", "-b", "hotfix/x")
    fix = await checkout.commit("fix", {"b": "1"})
    await checkout.git("checkout", "-q", "main")
    main = await checkout.commit("more", {"c": "1"})

    made = await merged(sources, main, fix)

    assert await merged(sources, main, fix) == made
    assert (await sources.refs("notes"))["main"] == main
    assert await sources.parent("notes", made) == main
    assert await sources.inputs("notes", made, ["*"]) == {
        **await sources.inputs("notes", main, ["*"]),
        **await sources.inputs("notes", fix, ["b"]),
    }
    (newest, *_) = await sources.commits_between("notes", main, made)
    assert (newest.author, newest.email, newest.subject) == (*ADA, "Merge hotfix/x")
    assert not await sources.advance("notes", "main", made, since=base)
    for _ in range(2):
        assert await sources.advance("notes", "main", made, since=main)
    for _ in range(2):
        await sources.forget("notes", "run_1")
    assert (await sources.refs("notes"))["main"] == made


async def test_a_conflict_names_the_files_and_changes_nothing(
    sources: Sources, checkout: Checkout
) -> None:
    await checkout.commit("base", {"a": "1", "b": "1"})
    await checkout.git("checkout", "-q", "-b", "hotfix/x")
    fix = await checkout.commit("fix", {"a": "2", "b": "2"})
    await checkout.git("checkout", "-q", "main")
    main = await checkout.commit("more", {"a": "3", "b": "3"})

    with pytest.raises(errors.Refused, match="Both have changed a, b"):
        await merged(sources, main, fix)
    assert await sources.refs("notes") == {"main": main, "hotfix/x": fix}


async def test_a_tag_is_made_once_and_stays(sources: Sources, checkout: Checkout) -> None:
    one = await checkout.commit("one", {"a": "1"})
    two = await checkout.commit("two", {"a": "2"})
    for _ in range(2):
        await sources.tag("notes", "v1.0.0", one, "Ready")
    with pytest.raises(errors.Conflict, match=r"Tag v1\.0\.0"):
        await sources.tag("notes", "v1.0.0", two, "Ready")


@pytest.mark.parametrize("commit", ["main", "--help", "HEAD", "", "0" * 39, "../x"])
async def test_only_a_hash_names_a_commit(sources: Sources, commit: str) -> None:
    await sources.create("notes")
    assert not await sources.has("notes", commit)
    with pytest.raises(errors.Invalid):
        await sources.tree("notes", commit)


async def test_a_missing_repository_is_said_to_be_missing(sources: Sources) -> None:
    with pytest.raises(errors.NotFound, match=r"notes\.git"):
        await sources.refs("notes")
