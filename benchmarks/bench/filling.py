"""A record of many apps and runs: rows of one real run, over and over, under other names."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import rows, sql

COPY = """
insert into {table} overriding system value
select (jsonb_populate_record(known, {changes})).*
  from {table} known, generate_series(1, %(count)s) n
 where {chosen}
"""
"""Each row that was chosen, so many times, with some columns changed. ``n`` counts the copies."""

APP = "case n %% %(apps)s when 0 then %(app)s else 'scale-' || n %% %(apps)s end"
RUN = "'run_0' || lpad(n::text, 16, '0')"
RELEASE = "'rel_0' || lpad(n::text, 16, '0')"
DEPLOYMENT = "'dep_0' || lpad(n::text, 16, '0') || '_' || known.environment"
TABLES = (
    ("builds.pushes", {"app": APP, "number": "100000 + n"}, "app = %(app)s and number = 1"),
    ("builds.runs", {"id": RUN, "app": APP, "push": "100000 + n"}, "id = %(run)s"),
    (
        "builds.steps",
        {"run": RUN, "position": "1000000 + known.position * 100000 + n"},
        "run = %(run)s",
    ),
    (
        "releases.releases",
        {
            "id": RELEASE,
            "app": APP,
            "run": RUN,
            "number": "100000 + n",
            "version": "'v' || 100000 + n",
        },
        "run = %(run)s",
    ),
    (
        "releases.deployments",
        {
            "id": DEPLOYMENT,
            "app": APP,
            "release": RELEASE,
            "served_by": DEPLOYMENT,
            "before": "null",
            "state": "'retired'",
        },
        "release = %(release)s",
    ),
    ("dbos.workflow_status", {"workflow_uuid": RUN}, "workflow_uuid = %(run)s"),
    ("dbos.operation_outputs", {"workflow_uuid": RUN}, "workflow_uuid = %(run)s"),
)
"""What a run leaves in the record: the table, the columns that differ, and the rows to copy."""


async def fill(url: str, *, app: str, apps: int, runs: int) -> dict[str, int]:
    """Fill the record of ``app`` and of ``scale-1`` and so on from the first run of ``app``.

    Returns how many rows each table got.
    """
    async with await psycopg.AsyncConnection.connect(url, row_factory=rows.dict_row) as connection:
        found = await connection.execute(
            "select releases.id as release, runs.id as run from builds.runs"
            " join releases.releases on releases.run = runs.id where runs.app = %s"
            " order by runs.id limit 1",
            [app],
        )
        known: dict[str, Any] = await found.fetchone() or {}
        values = {**known, "app": app, "apps": apps, "count": runs}
        added = {}
        for table, changes, chosen in TABLES:
            made = await connection.execute(_statement(table, changes, chosen), values)
            added[table] = made.rowcount
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("analyze")
    return added


def _statement(table: str, changes: dict[str, str], chosen: str) -> sql.Composed:
    pairs = ", ".join(f"'{column}', {value}" for column, value in changes.items())
    return sql.SQL(COPY).format(
        table=sql.Identifier(*table.split(".")),
        changes=sql.SQL(f"jsonb_build_object({pairs})"),
        chosen=sql.SQL(chosen),
    )
