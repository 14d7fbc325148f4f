"""What git runs before and after a push lands: it asks the API, and prints what the API says.

Runs as a program of its own, on any Python from 3.9 on, with the standard library alone.
``pre-receive`` gives the API the facts that only git knows here, since what was pushed is still
in quarantine; ``post-receive`` prints the progress of the run until it is over or nobody looks.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess  # noqa: TID251 -- this program cannot import shipway
import sys
from collections.abc import Iterator
from typing import Any

NOTHING = "0" * 40
LARGEST_FILE = 256 * 1024
MOST_REFS = 21
"""More than may be pushed at once: the API need not hear of the rest to say no."""

MOST_FILES = 200_000
"""The API says no to more; nobody needs to count them."""

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
LFS_SIZES = 100, 400
"""Bytes of a pointer: version, hash and size."""
MOST_LOOKED_AT = 20_000
MOST_NAMED = 5

FILE = "shipway.toml"


class Connection(http.client.HTTPConnection):
    """HTTP over the API's Unix socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(os.environ["SHIPWAY_PUSH_SOCKET"])  # noqa: TID251 -- likewise


def main(moment: str) -> int:
    """Return the exit status: 1 refuses the push, before it lands."""
    updates = [line.split() for line in sys.stdin.read().splitlines()]
    if moment == "pre-receive":
        facts = [_facts(old, new, ref) for old, new, ref in updates[:MOST_REFS]]
        return _tell("/internal/pushes/check", facts, timeout=60)
    facts = [{"old": old, "new": new, "ref": ref} for old, new, ref in updates]
    # A run may be silent for long; the API ends the answer, and the person the wait.
    return _tell("/internal/pushes/arrived", facts, timeout=None)


def _facts(old: str, new: str, ref: str) -> dict[str, Any]:
    facts: dict[str, Any] = {"old": old, "new": new, "ref": ref}
    if new == NOTHING or not ref.startswith("refs/heads/"):
        return facts
    facts["kind"] = _git("cat-file", "-t", new).decode().strip()
    facts["forward"] = old == NOTHING or _says_yes("merge-base", "--is-ancestor", old, new)
    if facts["kind"] == "commit":
        facts["file"] = _file(new)
        facts["tree"] = _tree(new)
    return facts


def _tree(commit: str) -> dict[str, Any]:
    """What a commit holds, counted up to a bound: a few trees can name millions of files."""
    found: dict[str, Any] = {"files": 0, "size": 0, "largest": ["", 0], "submodules": []}
    small, attributes = [], []
    for mode, sha, size, path in _entries(commit):
        found["files"] += 1
        if mode == "160000":
            found["submodules"] = [*found["submodules"], path][:MOST_NAMED]
            continue
        found["size"] += size
        found["largest"] = max(found["largest"], [path, size], key=lambda one: one[1])
        if LFS_SIZES[0] <= size <= LFS_SIZES[1]:
            small.append((sha, path))
        if path.rpartition("/")[2] == ".gitattributes" and size < LARGEST_FILE:
            attributes.append(sha)
        if found["files"] > MOST_FILES:
            break
    uses_lfs = any(b"filter=lfs" in _git("cat-file", "blob", sha) for sha in attributes[:MOST_REFS])
    found["pointers"] = _pointers(small) if uses_lfs else []
    return found


def _entries(commit: str) -> Iterator[tuple[str, str, int, str]]:
    """Tell mode, hash, size and path of each file, as they come."""
    words = ["git", "ls-tree", "-r", "-l", "-z", commit]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout
        rest = b""
        while chunk := os.read(process.stdout.fileno(), 65536):
            *entries, rest = (rest + chunk).split(b"\0")
            for entry in entries:
                facts, _, path = entry.decode(errors="replace").partition("\t")
                mode, _, sha, size = facts.split()
                yield mode, sha, int(size) if size.isdigit() else 0, path
        process.kill()


def _pointers(small: list[tuple[str, str]]) -> list[str]:
    """The paths of files that are Git LFS pointers."""
    asked = "".join(f"{sha}\n" for sha, _ in small[:MOST_LOOKED_AT])
    command = ["git", "cat-file", "--batch"]
    done = subprocess.run(
        command, input=asked.encode(), capture_output=True, check=False, timeout=60
    )
    rest, found = done.stdout, []
    for _, path in small[:MOST_LOOKED_AT]:
        head, _, rest = rest.partition(b"\n")
        size = int(head.split()[-1])
        if rest.startswith(LFS_POINTER):
            found.append(path)
        rest = rest[size + 1 :]
    return found[:MOST_NAMED]


def _file(commit: str) -> str | None:
    """The text of shipway.toml, or None. One that is too large is cut, which makes it invalid."""
    name = f"{commit}:{FILE}"
    if not _says_yes("cat-file", "-e", name):
        return None
    if int(_git("cat-file", "-s", name) or b"0") > LARGEST_FILE:
        return f"This file is larger than {LARGEST_FILE} bytes."
    return _git("cat-file", "blob", name).decode(errors="replace")


def _git(*arguments: str) -> bytes:
    command = ["git", *arguments]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    return done.stdout


def _says_yes(*arguments: str) -> bool:
    command = ["git", *arguments]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    return done.returncode == 0


def _tell(path: str, updates: list[dict[str, Any]], timeout: float | None) -> int:
    """Send facts to the API, print its lines, and return 0 if it says yes."""
    headers = {
        "content-type": "application/json",
        "x-shipway-push": os.environ["SHIPWAY_PUSH_SECRET"],  # noqa: TID251 -- likewise
    }
    connection = Connection("shipway", timeout=timeout)
    try:
        connection.request("POST", path, json.dumps({"updates": updates}), headers)
        response = connection.getresponse()
        if response.getheader("content-type", "").startswith("application/problem"):
            sys.stdout.write(json.load(response)["detail"] + "\n")
        for line in iter(response.readline, b""):
            sys.stdout.buffer.write(line)
            sys.stdout.flush()
    except (OSError, ValueError, http.client.HTTPException) as error:
        sys.stdout.write(f"Shipway's API does not answer: {error!r}. See `shipway status`.\n")
        return 1
    return 0 if response.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
