"""Runs the numbered files of migrations/ that have not run yet; `head` prints the last of them.

rollback.sql takes the last one back. People run it by hand.
"""

import os
import pathlib
import sys

import psycopg

FILES = sorted(pathlib.Path(__file__).parent.glob("migrations/[0-9]*.sql"))


def main():
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as database:
        known = database.execute("select to_regclass('migrations')").fetchone()[0]
        if sys.argv[1:] == ["head"]:
            print((database.execute("select max(name) from migrations").fetchone()[0] or "") if known else "")
            return
        database.execute("create table if not exists migrations (name text primary key)")
        for file in FILES:
            if database.execute("select 1 from migrations where name = %s", [file.stem]).fetchone():
                continue
            with database.transaction():
                database.execute(file.read_text())
                database.execute("insert into migrations values (%s)", [file.stem])


if __name__ == "__main__":
    main()
