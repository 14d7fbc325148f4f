"""Unpacks a web export. It was made by somebody's build: nothing in it is trusted.

Only folders and ordinary files are taken; no link, no device, no path that leads out, no
more than so many files and bytes, whatever their headers say.
"""

from __future__ import annotations

import gzip
import hashlib
import pathlib
import tarfile
from typing import IO

from shipway.intake.model import File
from shipway.kit import errors

MOST_FILES = 20_000
MOST_BYTES = 1024**3
LONGEST_PATH = 512
CHUNK = 1024 * 1024

COMPRESSED = (".html", ".js", ".mjs", ".css", ".json", ".svg", ".txt", ".xml", ".webmanifest")
WORTH_IT = 1024
"""Smaller files fit into a packet or two as they are."""


def unpack(archive: pathlib.Path, folder: pathlib.Path) -> dict[str, File]:
    """Unpack a tar file into an empty folder and return its files by path.

    Texts get a copy that is compressed already. Raises `errors.Refused`, and then leaves what it
    had unpacked to the caller to remove.
    """
    found: dict[str, File] = {}
    left = MOST_BYTES
    try:
        with tarfile.open(archive, "r|*") as tar:
            for member in tar:
                if member.isdir():
                    continue
                path = safe_path(member)
                if path in found or len(found) == MOST_FILES:
                    raise errors.Refused(f"The export has {path} twice, or too many files")
                source = tar.extractfile(member)
                assert source
                found[path] = _copy(source, folder / path, left)
                left -= found[path].size
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise errors.Refused(f"The export cannot be unpacked: {error}") from error
    if "index.html" not in found:
        raise errors.Refused("The artifact holds no index.html: it is no web export")
    return found | _compressed(found, folder)


def safe_path(member: tarfile.TarInfo) -> str:
    """Return a member's path, cleaned. Raises `errors.Refused` for what must not be unpacked."""
    if not member.isreg():
        raise errors.Refused(f"The export holds {member.name!r}, which is no ordinary file")
    name = member.name.removeprefix("./")
    parts = name.split("/")
    # No name with a backslash or a control character is one that a build makes.
    strange = any(not part.isprintable() or "\\" in part for part in parts)
    if strange or len(name) > LONGEST_PATH or {"", ".", ".."} & set(parts):
        raise errors.Refused(f"The export holds {member.name!r}, which leads out of it")
    return name


def _copy(source: IO[bytes], target: pathlib.Path, most: int) -> File:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with target.open("xb") as file:
        while chunk := source.read(CHUNK):
            size += len(chunk)
            if size > most:
                raise errors.Refused(f"The export is larger than {MOST_BYTES} bytes")
            digest.update(chunk)
            file.write(chunk)
    return File(size, digest.hexdigest())


def _compressed(files: dict[str, File], folder: pathlib.Path) -> dict[str, File]:
    """Compress each text once, here, rather than for each who asks for it."""
    made = {}
    for path, file in files.items():
        target = f"{path}.gz"
        if path.endswith(COMPRESSED) and file.size >= WORTH_IT and target not in files:
            data = gzip.compress((folder / path).read_bytes(), 6, mtime=0)
            if len(data) < file.size and not (folder / target).exists():
                (folder / target).write_bytes(data)
                made[target] = File(len(data), hashlib.sha256(data).hexdigest())
    return made
