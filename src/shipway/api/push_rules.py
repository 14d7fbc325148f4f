"""Whether a push may land. Pure: every reason is a sentence for the person who pushed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pydantic

from shipway import appfile
from shipway.builds.model import MAIN
from shipway.kit import disk, errors

NOTHING = "0" * 40
BRANCH = "refs/heads/"
MOST_BRANCHES = 20
"""Each branch starts a run; a mirrored repository would start hundreds."""


MOST_FILES = 200_000
LARGEST_FILE = 256 * 1024**2
LARGEST_COMMIT = 2 * 1024**3
"""Bytes of one file, and of all files of a commit: each run lays them out on the server's disk."""


class Tree(pydantic.BaseModel):
    """What a commit holds. ``largest`` is a path with its bytes; of submodules and of Git LFS
    pointers the first ones are named."""

    files: int = 0
    size: int = 0
    largest: tuple[str, int] = ("", 0)
    submodules: tuple[str, ...] = ()
    pointers: tuple[str, ...] = ()


class Update(pydantic.BaseModel):
    """One ref of a push. The facts about the new commit are those that the hook found."""

    old: str
    new: str
    ref: str
    kind: str = ""
    forward: bool = True
    file: str | None = None
    """The text of shipway.toml."""
    tree: Tree = Tree()

    @property
    def branch(self) -> str:
        return self.ref.removeprefix(BRANCH) if self.ref.startswith(BRANCH) else ""

    @property
    def deletes(self) -> bool:
        return self.new == NOTHING


def refusals(app: str, updates: Sequence[Update]) -> tuple[str, ...]:
    """Return every reason against a push to an app; none lets it land."""
    reasons = [reason for update in updates for reason in _of_update(app, update)]
    if len(updates) > MOST_BRANCHES:
        reasons.append(
            f"This push has {len(updates)} refs, and each would start a run."
            f" Push at most {MOST_BRANCHES} at once."
        )
    return tuple(dict.fromkeys(reasons))


def _of_update(app: str, update: Update) -> Iterator[str]:
    if update.ref.startswith("refs/tags/"):
        yield "Shipway makes the tags, one for each release. Push branches only (--no-follow-tags)."
    elif not update.branch:
        yield f"{update.ref} is not a branch. Push branches only."
    elif update.deletes:
        if update.branch == MAIN:
            yield f"{MAIN} is what is delivered, and cannot be deleted."
    else:
        yield from _of_commit(app, update)


def _of_commit(app: str, update: Update) -> Iterator[str]:
    if update.kind != "commit":
        yield f"{update.branch} would point to a {update.kind or 'nothing'}, not to a commit."
        return
    if update.branch == MAIN and not update.forward:
        yield (
            f"{MAIN} only moves forward: this push would take commits away from it."
            f" Run `git pull --rebase` and push again, without --force."
        )
    yield from _of_file(app, update)
    yield from _of_tree(update.branch, update.tree)


def _of_tree(branch: str, tree: Tree) -> Iterator[str]:
    path, size = tree.largest
    if size > LARGEST_FILE:
        yield (
            f"{path} of {branch} has {disk.shown(size)}; a file may have {disk.shown(LARGEST_FILE)}."
            f" Keep it outside the repository: `git rm --cached {path}`, then"
            " `git commit --amend`, and push again."
        )
    elif tree.size > LARGEST_COMMIT:
        yield (
            f"{branch} unpacks to {disk.shown(tree.size)}; {disk.shown(LARGEST_COMMIT)} is the"
            f" most. The largest file is {path} with {disk.shown(size)}."
        )
    if tree.files > MOST_FILES:
        yield (
            f"{branch} has more than {MOST_FILES:,} files, the most that Shipway takes. Are"
            " dependencies or build results among them? Name those in .gitignore."
        )
    if tree.submodules:
        yield (
            f"{_listed(tree.submodules)} of {branch} is a submodule: its files are in another"
            " repository, and Shipway builds what is in this one. Add them as files (`git"
            " subtree add`) or as a package."
        )
    if tree.pointers:
        yield (
            f"{_listed(tree.pointers)} of {branch} is a Git LFS pointer: its content is elsewhere,"
            " and Shipway keeps no LFS files. Commit the content itself:"
            f" `git lfs migrate export --include={tree.pointers[0]}`."
        )


def _listed(paths: Sequence[str]) -> str:
    return f"{paths[0]} (and {len(paths) - 1} or more others)" if len(paths) > 1 else paths[0]


def _of_file(app: str, update: Update) -> Iterator[str]:
    where = f"shipway.toml of {update.branch} ({update.new[:7]})"
    if update.file is None:
        yield f"There is no {where}. `shipway init` writes one; commit it and push again."
        return
    try:
        product = appfile.parse(update.file)
    except errors.Invalid as error:
        yield "\n".join((f"{where} is not valid:", *(f"  - {one}" for one in error.problems)))
        return
    if product.name != app:
        yield f'{where} is of {product.name!r}. Write name = "{app}", or push to {product.name}.'
