"""File work inside one folder, which its owner may be changing under our hands.

Every step opens the next folder relative to the one before and refuses links, so that nothing
planted there leads out of it: the steward does this as root. Blocking; call it in a thread.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import secrets
import shutil
import stat
from collections.abc import Iterator

from shipway.kit import errors

Ids = tuple[int, int]
"""User and group; ``KEEP`` leaves what is there."""

KEEP: Ids = (-1, -1)

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
CHUNK = 1024 * 1024


def parts_of(path: str) -> tuple[str, ...]:
    """Split a relative path. Raises `errors.Invalid` for one that could lead elsewhere."""
    parts = tuple(part for part in path.split("/") if part not in {"", "."})
    if path.startswith("/") or ".." in parts or "\0" in path or len(path) > 1000:
        raise errors.Invalid(f"{path!r} is not a path inside an owner's folder.")
    return parts


@contextlib.contextmanager
def opened(root: pathlib.Path, parts: tuple[str, ...], *, make: Ids | None = None) -> Iterator[int]:
    """Open a folder below ``root`` without following a link; missing ones are made for ``make``."""
    with contextlib.ExitStack() as undo:
        try:
            at = os.open(root, _FOLDER)
            undo.callback(lambda: os.close(at))
            for part in parts:
                at = _step(at, part, make)
            yield at
        except OSError as error:
            raise _told(error, "/".join((root.name, *parts))) from error


def _step(at: int, part: str, make: Ids | None) -> int:
    try:
        next_ = os.open(part, _FOLDER, dir_fd=at)
    except FileNotFoundError:
        if make is None:
            raise
        os.mkdir(part, 0o750, dir_fd=at)
        next_ = os.open(part, _FOLDER, dir_fd=at)
        os.fchown(next_, *make)
    os.close(at)
    return next_


def _told(error: OSError, path: str) -> Exception:
    if isinstance(error, FileNotFoundError):
        return errors.NotFound(f"{path} is not in the owner's folder.")
    return errors.Failed(f"{path} in an owner's folder cannot be used: {error.strerror}.")


def names(at: int) -> list[str]:
    """List an open folder."""
    with os.scandir(at) as entries:
        return sorted(entry.name for entry in entries)


def write(root: pathlib.Path, path: str, data: bytes, *, mode: int, ids: Ids) -> None:
    """Put a file there, whole or not at all."""
    *folders, name = _named(path)
    with opened(root, tuple(folders), make=ids) as at, _fresh(at, name, ids) as file:
        os.fchmod(file, mode & 0o777)
        with os.fdopen(file, "wb", closefd=False) as stream:
            stream.write(data)


def copy_in(root: pathlib.Path, path: str, source: int, *, parents: Ids, ids: Ids) -> str:
    """Copy the open file ``source`` there, read-only, and return the SHA-256 of its bytes."""
    *folders, name = _named(path)
    digest = hashlib.sha256()
    with opened(root, tuple(folders), make=parents) as at, _fresh(at, name, ids) as file:
        os.fchmod(file, 0o444)
        with os.fdopen(file, "wb", closefd=False) as stream:
            while chunk := os.read(source, CHUNK):
                digest.update(chunk)
                stream.write(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def _fresh(at: int, name: str, ids: Ids) -> Iterator[int]:
    """Open a new file that takes ``name`` when all went well."""
    passing = f".{secrets.token_hex(8)}.new"
    file = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=at)
    try:
        os.fchown(file, *ids)
        yield file
        os.rename(passing, name, src_dir_fd=at, dst_dir_fd=at)
    except BaseException:
        os.unlink(passing, dir_fd=at)
        raise
    finally:
        os.close(file)


def file_at(root: pathlib.Path, path: str, *, owners: frozenset[int]) -> int:
    """Open a regular file that belongs to one of ``owners``, and return its descriptor."""
    *folders, name = _named(path)
    with opened(root, tuple(folders)) as at:
        file = os.open(name, _FILE, dir_fd=at)
    found = os.fstat(file)
    if not stat.S_ISREG(found.st_mode) or found.st_uid not in owners:
        os.close(file)
        raise errors.Refused(f"{path} is not a plain file of its owner's.")
    return file


def handle(root: pathlib.Path, path: str, *, make: Ids | None = None) -> int:
    """Return a descriptor that names a file or folder; with ``make`` a missing folder is made."""
    parts = parts_of(path)
    if make is not None:
        with contextlib.suppress(errors.Failed), opened(root, parts, make=make) as at:
            return os.dup(at)
    if not parts:
        return os.open(root, os.O_PATH | os.O_NOFOLLOW)
    with opened(root, parts[:-1]) as at:
        file = os.open(parts[-1], os.O_PATH | os.O_NOFOLLOW, dir_fd=at)
    if stat.S_ISLNK(os.fstat(file).st_mode):
        os.close(file)
        raise errors.Refused(f"{path} in an owner's folder is a link.")
    return file


def seal(root: pathlib.Path, path: str, *, ids: Ids) -> None:
    """Give a folder and all in it to ``ids``, without write permission for anybody."""
    with opened(root, parts_of(path)) as top:
        for _, _, files, at in os.fwalk(dir_fd=top, follow_symlinks=False):
            for name in files:
                _seal_file(name, at, ids)
            os.fchmod(at, 0o555)
            os.fchown(at, *ids)


def _seal_file(name: str, at: int, ids: Ids) -> None:
    mode = os.stat(name, dir_fd=at, follow_symlinks=False).st_mode
    if stat.S_ISREG(mode):
        file = os.open(name, _FILE, dir_fd=at)
        try:
            os.fchmod(file, 0o555 if os.fstat(file).st_mode & 0o111 else 0o444)
            os.fchown(file, *ids)
        finally:
            os.close(file)
    elif stat.S_ISLNK(mode):
        os.chown(name, *ids, dir_fd=at, follow_symlinks=False)
    else:  # a socket, a pipe or a device has no place in a release
        os.unlink(name, dir_fd=at)


def remove(root: pathlib.Path, path: str) -> None:
    """Remove a file or folder, sealed or not. It may be gone already."""
    *folders, name = _named(path)
    with contextlib.suppress(errors.NotFound), opened(root, tuple(folders)) as at:
        try:
            os.unlink(name, dir_fd=at)
        except IsADirectoryError:
            _unseal(at, name)
            shutil.rmtree(name, dir_fd=at)


def remove_tree(folder: pathlib.Path) -> None:
    """Remove a folder of ours whose insides are not ours."""
    if folder.is_symlink() or folder.exists():
        remove(folder.parent, folder.name)


def _unseal(at: int, name: str) -> None:
    """Without root, even a folder of one's own must be writable to be emptied."""
    if os.geteuid() == 0:
        return
    for _, _, _, inside in os.fwalk(name, dir_fd=at, follow_symlinks=False):
        os.fchmod(inside, 0o700)


def _named(path: str) -> tuple[str, ...]:
    parts = parts_of(path)
    if not parts:
        raise errors.Invalid("A path inside an owner's folder is needed, not the folder itself.")
    return parts
