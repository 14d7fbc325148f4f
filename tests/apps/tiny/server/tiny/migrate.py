"""Applies migrations/*.sql in order, each once, in a transaction of its own; `head` prints the last one."""

from __future__ import annotations

import os
import pathlib
import sys

import psycopg


def main() -> None:
    with psycopg.connect(os.environ["DB_URL"]) as connection:
        if sys.argv[1:] == ["head"]:
            print(head(connection))
        else:
            migrate(connection, pathlib.Path("migrations"))


def head(connection: psycopg.Connection) -> str:
    """Return the name of the last migration applied, or an empty text."""
    found = connection.execute("select to_regclass('migrations') is not null").fetchone()
    if not found or not found[0]:
        return ""
    row = connection.execute("select max(name) from migrations").fetchone()
    return (row and row[0]) or ""


def migrate(connection: psycopg.Connection, folder: pathlib.Path) -> None:
    before = head(connection)
    if not before:
        connection.execute("create table if not exists migrations (name text primary key)")
    for file in sorted(folder.glob("*.sql")):
        if file.stem <= before:
            continue
        connection.execute(file.read_text())
        connection.execute("insert into migrations (name) values (%s)", [file.stem])
        connection.commit()
        print("applied", file.stem, flush=True)


if __name__ == "__main__":
    main()
