"""The repositories of the apps: bare git repositories that people push to."""

from __future__ import annotations

import datetime
import pathlib
import re
from collections.abc import Mapping, Sequence

from shipway.builds.model import MAIN, Commit
from shipway.kit import command, errors

LONGEST_PUSH = 512 * 1024 * 1024
"""Bytes that one push may bring."""

HIDDEN = "refs/shipway"
"""Where commits are kept that no branch has; clients of the git remote do not see them."""

_SHA = re.compile(r"[0-9a-f]{40}")
_BETWEEN = 500
"""Commits that a changelog is made of at most."""

# Whoever can push can write .gitattributes; what is built is what was committed, to the letter.
_ATTRIBUTES = "* -export-ignore -export-subst\n"


class Sources:
    """The repositories below ``folder``. The API owns them; its group may read and tag."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder

    def path(self, app: str) -> pathlib.Path:
        """Return the folder of an app's repository."""
        return self._folder / f"{app}.git"

    async def create(self, app: str) -> pathlib.Path:
        """Make the repository of an app, and return its folder. May be repeated."""
        path = self.path(app)
        path.parent.mkdir(parents=True, exist_ok=True)
        await _git(
            None, "init", "-q", "--bare", "--shared=group", f"--initial-branch={MAIN}", str(path)
        )
        for name, value in _CONFIGURATION.items():
            await self._run(app, "config", name, value)
        (path / "info").mkdir(exist_ok=True)
        (path / "info" / "attributes").write_text(_ATTRIBUTES)
        return path

    async def refs(self, app: str) -> dict[str, str]:
        """Return every branch with its commit."""
        listed = await self._run(
            app, "for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads"
        )
        pairs = (line.rsplit(" ", 1) for line in listed.splitlines())
        return {name: sha for name, sha in pairs}  # noqa: C416 -- dict() would not be typed

    async def has(self, app: str, commit: str) -> bool:
        """Whether the repository holds a commit."""
        return bool(_SHA.fullmatch(commit)) and await self._holds(
            app, "cat-file", "-e", f"{commit}^{{commit}}"
        )

    async def contains(self, app: str, ancestor: str, commit: str) -> bool:
        """Whether a commit is, or descends from, another one."""
        return await self._holds(app, "merge-base", "--is-ancestor", _sha(ancestor), _sha(commit))

    async def file_at(self, app: str, commit: str, path: str) -> str | None:
        """Return a text file of a commit, or None when it has no such file.

        Raises `errors.Invalid` when it is not UTF-8.
        """
        if not await self._holds(app, "cat-file", "-e", f"{_sha(commit)}:{path}"):
            return None
        text = await self._run(app, "cat-file", "blob", f"{commit}:{path}")
        if "\ufffd" in text:
            raise errors.Invalid(f"{path} of commit {commit[:10]} is not UTF-8 text.")
        return text

    async def tree(self, app: str, commit: str, folder: str = ".") -> str:
        """Return the hash of a folder's contents at a commit. Raises `errors.NotFound`."""
        path = "" if folder == "." else folder
        try:
            found = await self._run(app, "rev-parse", "--verify", "-q", f"{_sha(commit)}:{path}")
        except command.CommandFailed as error:
            raise errors.NotFound(
                f"Commit {commit[:10]} of {app} has no {folder}.",
                fix="Correct the folder in shipway.toml.",
            ) from error
        return found.strip()

    async def inputs(self, app: str, commit: str, patterns: Sequence[str]) -> dict[str, str]:
        """Return what patterns match at a commit: path to hash of its contents.

        ``*`` stands for any part of a name, ``**`` for any folders. What matches nothing is
        left out. A folder stands for all that is in it.
        """
        listed = await self._run(app, "ls-tree", "-r", "-t", "-z", _sha(commit))
        entries = _entries(listed)
        found: dict[str, str] = {}
        for pattern in patterns:
            if pattern == ".":
                return {".": await self.tree(app, commit)}
            matches = _matcher(pattern)
            found |= {path: sha for path, sha in entries.items() if matches.fullmatch(path)}
        return dict(sorted(found.items()))

    async def archive(self, app: str, commit: str, target: pathlib.Path) -> None:
        """Write a commit to a tar file, the same bytes each time."""
        await self._run(app, "archive", "--format=tar", f"--output={target}", _sha(commit))

    async def commits_between(self, app: str, after: str | None, commit: str) -> tuple[Commit, ...]:
        """Return the commits that a commit has and an earlier one (None: nothing) lacks,
        newest first, 500 at most."""
        span = _sha(commit) if after is None else f"{_sha(after)}..{_sha(commit)}"
        form = "--format=%H%x00%an%x00%ae%x00%cI%x00%s"
        listed = await self._run(app, "log", f"--max-count={_BETWEEN}", form, span)
        return tuple(_commit(line) for line in listed.splitlines())

    async def count_between(self, app: str, after: str | None, commit: str) -> int:
        """Return how many they are, however many."""
        span = _sha(commit) if after is None else f"{_sha(after)}..{_sha(commit)}"
        return int(await self._run(app, "rev-list", "--count", span))

    async def authors(self, app: str, after: str | None, commit: str) -> frozenset[str]:
        """Return the e-mail addresses of all who wrote the commits between, however many."""
        span = _sha(commit) if after is None else f"{_sha(after)}..{_sha(commit)}"
        listed = await self._run(app, "log", "--format=%ae", span)
        return frozenset(line.lower() for line in listed.splitlines())

    async def merge(
        self,
        app: str,
        into: str,
        commit: str,
        *,
        author: tuple[str, str],
        at: datetime.datetime,
        message: str,
        keep: str,
    ) -> str:
        """Return a commit that merges one into another. No branch moves: it is kept by a name that
        nobody sees, until `forget`. The same again gives the same commit.

        ``author`` is a name and an e-mail address. Raises `errors.Refused` naming the files that
        both have changed.
        """
        parents = _sha(into), _sha(commit)
        options = ("--write-tree", "--name-only", "--no-messages")
        merged = await _git(self.path(app), "merge-tree", *options, *parents, check=False)
        if merged.status not in {0, 1}:
            raise errors.Failed(f"{commit[:10]} cannot be merged: {merged.output.strip()[-300:]}")
        tree, *conflicts = merged.output.split("\n")
        if merged.status:
            files = ", ".join(sorted({path for path in conflicts if path}))
            raise errors.Refused(f"Both have changed {files}")
        name, email = author
        person = {
            "GIT_AUTHOR_NAME": name,
            "GIT_AUTHOR_EMAIL": email,
            "GIT_AUTHOR_DATE": at.isoformat(),
            "GIT_COMMITTER_DATE": at.isoformat(),
        }
        onto = [word for parent in parents for word in ("-p", parent)]
        made = await _git(
            self.path(app), "commit-tree", tree, *onto, "-m", message, environment=person
        )
        sha = made.output.strip()
        await self._run(app, "update-ref", _kept(keep), _sha(sha))
        return sha

    async def forget(self, app: str, keep: str) -> None:
        """Let go of a merge that was kept. May be repeated."""
        await self._run(app, "update-ref", "-d", _kept(keep))

    async def parent(self, app: str, commit: str) -> str:
        """Return the commit that a merge was made onto."""
        return (await self._run(app, "rev-parse", "--verify", f"{_sha(commit)}^1")).strip()

    async def advance(self, app: str, branch: str, commit: str, *, since: str) -> bool:
        """Move a branch on to a commit, if it is where it was. False when it has moved meanwhile.
        May be repeated, also after others have gone on from there."""
        now = (await self.refs(app)).get(branch, "")
        if now and await self.contains(app, commit, now):
            return True
        if now != since:
            return False
        moving = ("update-ref", "-m", "shipway", f"refs/heads/{branch}", _sha(commit), _sha(since))
        moved = await _git(self.path(app), *moving, check=False)
        if moved.status and (await self.refs(app)).get(branch) == since:
            raise errors.Failed(f"{branch} cannot be moved: {moved.output.strip()[-300:]}")
        return moved.status == 0

    async def tag(self, app: str, name: str, commit: str, message: str) -> None:
        """Tag a commit. The same again changes nothing; raises `errors.Conflict` when the name
        stands at another commit."""
        there = await self._tagged(app, name)
        if there is None:
            await self._run(app, "tag", "-a", "-m", message, name, _sha(commit))
            return
        if there != commit:
            raise errors.Conflict(f"Tag {name} of {app} is at {there[:10]}, not {commit[:10]}.")

    async def _tagged(self, app: str, name: str) -> str | None:
        ref = f"refs/tags/{name}^{{commit}}"
        if not await self._holds(app, "rev-parse", "--verify", "-q", ref):
            return None
        return (await self._run(app, "rev-parse", "--verify", "-q", ref)).strip()

    async def _run(self, app: str, *arguments: str) -> str:
        return (await _git(self.path(app), *arguments)).output

    async def _holds(self, app: str, *arguments: str) -> bool:
        return (await _git(self.path(app), *arguments, check=False)).status == 0


_CONFIGURATION: Mapping[str, str] = {
    "receive.fsckObjects": "true",
    "receive.maxInputSize": str(LONGEST_PUSH),
    "receive.autogc": "false",
    "receive.advertisePushOptions": "false",
    "core.logAllRefUpdates": "true",
    "http.receivepack": "true",
}


def _kept(name: str) -> str:
    return f"{HIDDEN}/{name}"


async def _git(
    repository: pathlib.Path | None,
    *arguments: str,
    check: bool = True,
    environment: Mapping[str, str] | None = None,
) -> command.Outcome:
    where = () if repository is None else ("-c", f"safe.directory={repository}", "-C", repository)
    if repository is not None and not repository.is_dir():
        raise errors.NotFound(f"There is no repository {repository.name}.")
    return await command.run(
        command.Command(
            argv=("git", *map(str, where), *arguments),
            env=_environment() | dict(environment or {}),
            timeout=120,
        ),
        check=check,
    )


def _environment() -> dict[str, str]:
    """No configuration of the machine or of a person changes what git does here."""
    return {
        **command.base_environment(),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_AUTHOR_NAME": "Shipway",
        "GIT_AUTHOR_EMAIL": "shipway@localhost",
        "GIT_COMMITTER_NAME": "Shipway",
        "GIT_COMMITTER_EMAIL": "shipway@localhost",
        "GIT_TERMINAL_PROMPT": "0",
    }


def _sha(commit: str) -> str:
    """Refuse whatever git might take for an option or a name."""
    if not _SHA.fullmatch(commit):
        raise errors.Invalid(f"{commit!r} is not the hash of a commit.")
    return commit


def _entries(listed: str) -> dict[str, str]:
    entries = (entry.partition("\t") for entry in listed.split("\0") if entry)
    return {path: facts.split(" ")[2] + " " + facts.split(" ")[0] for facts, _, path in entries}


def _matcher(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/?|\*)", pattern)
    words = {"*": "[^/]*", "**": ".*", "**/": "(?:.*/)?"}
    return re.compile("".join(words.get(part, re.escape(part)) for part in parts))


def _commit(line: str) -> Commit:
    sha, author, email, at, subject = line.split("\0")
    return Commit(
        sha=sha,
        author=author,
        email=email,
        at=datetime.datetime.fromisoformat(at),
        subject=subject,
    )
