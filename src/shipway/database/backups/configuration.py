"""What pgBackRest and PostgreSQL are told about backups, as pure text."""

from __future__ import annotations

import pathlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from shipway.database.configuration import quoted
from shipway.database.node import SUPERUSER

STANZA = "main"
FOLDER = "backup"
"""Of the cluster's owner: configuration, locks, and what goes on just now."""

CONFIGURATION = f"{FOLDER}/pgbackrest.conf"
"""Of all repositories, for the server's archiving."""

ARCHIVING = f"{FOLDER}/archiving.conf"
"""Read by the server's own configuration where it is there."""


@dataclass(frozen=True, kw_only=True)
class Repository:
    """Where backups go, with all that is needed to get in. ``options`` say of which kind it is;
    ``key`` encrypts what goes there."""

    number: int
    shown: str
    options: Mapping[str, str] = field(repr=False)
    key: str = field(repr=False)
    keep_days: int


@dataclass(frozen=True, kw_only=True)
class Server:
    """The server that is backed up: ``folder`` is its owner's, ``data`` its data below that."""

    folder: pathlib.Path
    data: str
    sockets: str
    port: int


def pgbackrest(server: Server, repositories: tuple[Repository, ...]) -> str:
    """Return the ``pgbackrest.conf`` of a cluster: it holds keys, so only its owner may read it.

    Blocks are not taken incrementally: that was unsound before pgBackRest 2.52. Nothing is logged
    to files, since all is told to who runs it. Segments are archived in the background: otherwise
    a repository that fails would keep them from the other.
    """
    own = server.folder / FOLDER
    general = {
        "lock-path": str(own / "lock"),
        "spool-path": str(own / "spool"),
        "log-level-file": "off",
        "log-path": str(own),
        "compress-type": "zst",
        "compress-level": "1",
        "process-max": "2",
        "start-fast": "y",
        "archive-async": "y",
        "archive-timeout": "120",
        "io-timeout": "15",
        "db-timeout": "120",
        "protocol-timeout": "150",
    }
    for one in repositories:
        general |= {f"repo{one.number}-{name}": value for name, value in _options(one).items()}
    database = {
        "pg1-path": str(server.folder / server.data),
        "pg1-port": str(server.port),
        "pg1-socket-path": server.sockets,
        "pg1-user": SUPERUSER,
    }
    # A server that stops waits for its archiver, which tries three times.
    pushing = {"archive-timeout": "5", "io-timeout": "8"}
    return (
        _section("global", general)
        + _section("global:archive-push", pushing)
        + _section(STANZA, database)
    )


def _options(one: Repository) -> dict[str, str]:
    return {
        **one.options,
        "cipher-type": "aes-256-cbc",
        "cipher-pass": one.key,
        "bundle": "y",
        "retention-full-type": "time",
        "retention-full": str(one.keep_days),
    }


def _section(name: str, values: Mapping[str, str]) -> str:
    return f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in values.items()) + "\n"


def archiving(program: str, folder: pathlib.Path, seconds: int) -> str:
    """Return what makes a server archive its log, at the latest so many seconds after a change."""
    asked = command(program, folder / CONFIGURATION, "archive-push")
    return f"archive_command = {quoted(f'{asked} %p')}\narchive_timeout = '{seconds}s'\n"


def command(program: str, file: pathlib.Path, *words: str) -> str:
    """Return what a server's setting says to run pgBackRest: PostgreSQL gives it to a shell."""
    argv = (program, f"--config={file}", f"--stanza={STANZA}", *words)
    return shlex.join(argv).replace("%", "%%")


def of(number: int) -> str:
    """The configuration of one repository, for everything but archiving."""
    return f"{FOLDER}/pgbackrest.{number}.conf"


def s3(
    *, endpoint: str, bucket: str, path: str, region: str, key_id: str, secret: str, ca: str
) -> dict[str, str]:
    """Return the options of a bucket of the S3 protocol. ``ca`` is the path of a file, or empty."""
    host, _, port = endpoint.partition(":")
    options = {
        "type": "s3",
        "path": path,
        "s3-endpoint": host,
        "s3-bucket": bucket,
        "s3-region": region,
        "s3-key": key_id,
        "s3-key-secret": secret,
        "s3-uri-style": "path",
    }
    if port:
        options |= {"storage-host": host, "storage-port": port}
    return options | ({"storage-ca-file": ca} if ca else {})
