"""Artifacts into an owner's folder, read-only, and made files out of it."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import secrets
import shutil
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from shipway.kit import errors
from shipway.runtime.drivers import fence

_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOST_BYTES = 8 * 1024**3


@dataclass(frozen=True)
class Target:
    """A path in the folder of an owner with these ids."""

    root: pathlib.Path
    path: str
    owner: fence.Ids

    @property
    def ids(self) -> fence.Ids:
        """Who the result belongs to: us, readable by the owner's group."""
        return os.geteuid(), self.owner[1]


def copy(artifacts: pathlib.Path, artifact: str, to: Target) -> None:
    """Copy an artifact there. Raises `errors.Failed` when its bytes are not what it is named."""
    with _open(artifacts, artifact) as source:
        digest = fence.copy_in(to.root, to.path, source, parents=to.owner, ids=to.ids)
    named = artifact.rpartition("/")[2]
    if _DIGEST.fullmatch(named) and digest != named:
        fence.remove(to.root, to.path)
        raise errors.Failed(f"Artifact {named[:12]} has other bytes than its name says.")


def unpack(artifacts: pathlib.Path, artifact: str, to: Target) -> None:
    """Unpack a tar file to a folder there, whole or not at all. A folder there stays as it is.

    Raises `errors.Refused` for a member that lies outside, or is neither file, folder nor link.
    """
    *parents, name = fence.parts_of(to.path)
    with (
        _open(artifacts, artifact) as source,
        fence.opened(to.root, tuple(parents), make=to.owner) as at,
    ):
        if name in fence.names(at):
            return
        passing = f".{secrets.token_hex(8)}.new"
        os.mkdir(passing, 0o700, dir_fd=at)
        try:
            # Ours, and closed to the owner, until it is whole and sealed.
            inside = os.open(passing, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            try:
                _extract(source, pathlib.Path(f"/proc/self/fd/{inside}"))
            finally:
                os.close(inside)
            fence.seal(to.root, "/".join((*parents, passing)), ids=to.ids)
            os.rename(passing, name, src_dir_fd=at, dst_dir_fd=at)
        except BaseException:
            fence.remove(to.root, "/".join((*parents, passing)))
            raise


def _extract(source: int, folder: pathlib.Path) -> None:
    """Extract members that can only land inside: Debian 12's tarfile has no filters."""
    links: set[pathlib.PurePosixPath] = set()
    left = _MOST_BYTES
    with os.fdopen(os.dup(source), "rb") as stream, tarfile.open(fileobj=stream) as archive:
        for member in archive:
            left -= member.size
            if problem := _objection(member, links):
                raise errors.Refused(f"The archive holds {member.name!r}, {problem}.")
            if left < 0:
                raise errors.Refused(f"The archive unpacks to more than {_MOST_BYTES:,} bytes.")
            if member.issym():
                links.add(pathlib.PurePosixPath(member.name))
            member.uid, member.gid, member.uname, member.gname = os.geteuid(), os.getegid(), "", ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o111 else 0o644
            archive.extract(member, folder, set_attrs=member.isreg())


def _objection(member: tarfile.TarInfo, links: set[pathlib.PurePosixPath]) -> str:
    """Say why a member may not be extracted, given the links extracted before it; or nothing."""
    inside = pathlib.PurePosixPath(member.name)
    target = pathlib.PurePosixPath(member.linkname)
    if not _stays(inside) or _passes(inside, links):
        return "which lies outside"
    if member.issym():
        return "" if _stays(inside.parent / target) else "a link that leads outside"
    if member.islnk():
        kept = _stays(target) and not _passes(target, links)
        return "" if kept else "a link that leads outside"
    return "" if member.isreg() or member.isdir() else "which is no plain file"


def _stays(path: pathlib.PurePosixPath) -> bool:
    ends = os.path.normpath(path)
    return not (path.is_absolute() or ends == ".." or ends.startswith("../"))


def _passes(path: pathlib.PurePosixPath, links: set[pathlib.PurePosixPath]) -> bool:
    """Say whether a path goes through a link: where that ends cannot be told from its words."""
    return ".." in path.parts or not links.isdisjoint({path, *path.parents})


def drain(file: int, target: pathlib.Path) -> None:
    """Copy an open file to ``target``, whole or not at all, and close it."""
    passing = target.with_name(f".{secrets.token_hex(8)}.new")
    try:
        with os.fdopen(file, "rb") as source, passing.open("xb") as copy:
            shutil.copyfileobj(source, copy, fence.CHUNK)
        passing.replace(target)
    finally:
        passing.unlink(missing_ok=True)


@contextlib.contextmanager
def _open(artifacts: pathlib.Path, artifact: str) -> Iterator[int]:
    """Open an artifact without following a link that somebody put among them."""
    *folders, name = fence.parts_of(artifact)
    with fence.opened(artifacts, tuple(folders)) as at:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise errors.Refused(f"{name} is no artifact, which is a plain file.")
            yield file
        finally:
            os.close(file)
