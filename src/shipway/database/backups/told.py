"""What pgBackRest tells, understood: its catalogue, the files of a repository, a verification.

The shapes are those of pgBackRest 2.45 and later: ``info`` and ``repo-ls`` with ``--output=json``,
``verify`` with ``--output=text --verbose``.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from shipway.database.backups.model import Archived, Backup
from shipway.database.backups.wal import Segment
from shipway.kit import errors

_SEGMENT = re.compile(r"(?P<name>[0-9A-F]{24})-[0-9a-f]{40}(?:\.[a-z0-9]+)?")
_HISTORY = re.compile(r"(?P<timeline>[0-9A-F]{8})\.history")
_STATUS = re.compile(r"status: (?P<status>\w+)")


def backups(text: str, repository: int) -> tuple[Backup, ...]:
    """Return the backups of one repository from ``info``, the oldest first.

    Raises `errors.Failed` when it cannot be read, or the repository cannot be.
    """
    stanzas = _json(text, "info")
    found: list[Backup] = []
    for stanza in stanzas:
        _must_be_readable(stanza, repository)
        found += [
            _backup(one)
            for one in stanza["backup"]
            if one["database"]["repo-key"] == repository
        ]  # fmt: skip
    return tuple(sorted(found, key=lambda one: one.label))


def _must_be_readable(stanza: Any, repository: int) -> None:
    """Codes of a repository: 0 is well; 1 and 2 lack the stanza or its backups; 99 is trouble."""
    for one in stanza.get("repo", ()):
        status = one["status"]
        if one["key"] == repository and status["code"] == 99:
            raise errors.Failed(_readable(f"Repository {repository}: {status['message']}"))


def _backup(one: Any) -> Backup:
    info = one["info"]
    return Backup(
        label=one["label"],
        kind=one["type"],
        began=_moment(one["timestamp"]["start"]),
        ended=_moment(one["timestamp"]["stop"]),
        first=one["archive"]["start"],
        last=one["archive"]["stop"],
        size=info["size"],
        stored=info["repository"]["delta"],
        broken=bool(one.get("error")),
        prior=one["prior"] or "",
    )


def archive(text: str) -> tuple[tuple[Archived, ...], tuple[str, ...]]:
    """Return the segments of a listing, and the paths of the histories of timelines."""
    segments, histories = [], []
    for path, what in _json(text, "repo-ls").items():
        name = path.rpartition("/")[2]
        if found := _SEGMENT.fullmatch(name):
            segments.append(
                Archived(
                    segment=Segment.named(found["name"]),
                    at=_moment(what["time"]),
                    size=what["size"],
                )
            )
        elif _HISTORY.fullmatch(name):
            histories.append(path)
    return tuple(sorted(segments, key=lambda one: one.segment)), tuple(sorted(histories))


def complaints(lines: Sequence[str]) -> tuple[str, ...]:
    """Return what a verification complains of: nothing when all is well.

    The program ends with 0 whatever it finds, so each status is looked at. Raises `errors.Failed`
    when there is none at all.
    """
    statuses = [
        (line.strip(), found["status"]) for line in lines if (found := _STATUS.search(line))
    ]
    if not statuses:
        said = " ".join(line.strip() for line in lines if line.strip())[-500:]
        raise errors.Failed(f"The verification ended without a result. {said}".strip())
    wrong = [line for line, status in statuses if status not in {"ok", "valid"}]
    return tuple(wrong) and tuple(_with_details(lines))


def _with_details(lines: Iterable[str]) -> list[str]:
    """Return every line that is not about something valid."""
    told = []
    for line in (one.strip() for one in lines):
        found = _STATUS.search(line)
        counts = re.findall(r": (\d+)", line)
        is_clean = line.startswith("missing:") and not any(int(one) for one in counts)
        if line and not is_clean and not (found and found["status"] in {"ok", "valid"}):
            told.append(line)
    return told


def failure(lines: Sequence[str], repository: int) -> str:
    """Return the sentence of a command that failed: what pgBackRest called an error, shortened."""
    spoken = [line for line in lines if "ERROR:" in line] or list(lines[-3:])
    said = " ".join(one.partition("ERROR: ")[2] or one for one in spoken)
    return _readable(f"Repository {repository}: {said}")


def _readable(said: str) -> str:
    """What is told of a file opened with the wrong key quotes what came out of it."""
    if "FormatError" in said or "CryptoError" in said:
        which = said.partition(":")[0]
        return f"{which} cannot be opened with its key: it is another one's, or damaged."
    printable = "".join(char if char.isprintable() else " " for char in said)
    return " ".join(printable.split())[:600]


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text, strict=False)  # it may quote anything
    except ValueError as error:
        raise errors.Failed(
            f"What pgBackRest's {what} told cannot be read: {text[:200]!r}"
        ) from error


def _moment(seconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
