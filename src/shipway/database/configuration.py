"""The configuration files of PostgreSQL, as pure text. What they do not say stays the default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

PASSWORD = "scram-sha-256"  # noqa: S105 -- the name of a method
"""The only way in for who is not an OS user that a rule names."""

LOCAL_ONLY: Mapping[str, str] = {
    "listen_addresses": "",
    "max_connections": "100",
    "max_wal_size": "512MB",
    "password_encryption": "scram-sha-256",
    "lc_messages": "C",
    "logging_collector": "on",
    "log_destination": "jsonlog",
    "log_directory": "log",
    "log_timezone": "UTC",
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    "log_lock_waits": "on",
    "log_connections": "off",
}
"""Reached by a Unix socket only. The log is a ring of seven days, and kept by PostgreSQL itself, so
that it does not break when the keeper's own log process is replaced."""

STORE: Mapping[str, str] = {**LOCAL_ONLY, "shared_buffers": "32MB", "max_wal_size": "256MB"}
CLUSTER: Mapping[str, str] = {
    **LOCAL_ONLY,
    "shared_buffers": "64MB",
    "archive_mode": "on",
    "archive_command": "/bin/true",
}
"""It archives from its first start on, because only a start can change that: into nothing until
there are backups, which `ARCHIVING` then says."""

ARCHIVING = "../backup/archiving.conf"
"""What the server reads besides, beginning at its data."""


def reached_by(port: int) -> Mapping[str, str]:
    """Return what lets the others of this machine in, each with a password."""
    return {"listen_addresses": "127.0.0.1", "port": str(port)} if port else {}


def settings(values: Mapping[str, str], *, sockets: str) -> str:
    """Return a ``postgresql.conf``. What archives is read after it, where it is to."""
    every = {**values, "unix_socket_directories": f'"{sockets}"'}
    text = "".join(f"{name} = {quoted(value)}\n" for name, value in every.items())
    archives = f"include_if_exists = '{ARCHIVING}'\n"
    return text + (archives if values.get("archive_mode") == "on" else "")


def admission(rules: Iterable[tuple[str, str, str]]) -> str:
    """Return a ``pg_hba.conf`` of rules (database, role, method), which rejects all the rest."""
    lines = [f"local {database} {role} {method}" for database, role, method in rules]
    # Where nothing listens on a port, the rules for it let nobody in.
    lines += [f"host {database} {role} 127.0.0.1/32 {method}" for database, role, method in rules
              if method == PASSWORD]  # fmt: skip
    rejections = ["local all all reject", "local replication all reject", "host all all all reject"]
    return "\n".join([*lines, *rejections, ""])


def identities(name: str, users: Mapping[str, str]) -> str:
    """Return a ``pg_ident.conf`` in which OS users may be the roles that they map to."""
    return "".join(f"{name} {user} {role}\n" for user, role in users.items())


def quoted(value: str) -> str:
    """Return a value as a configuration file has it."""
    doubled = value.replace("'", "''")
    return f"'{doubled}'"
