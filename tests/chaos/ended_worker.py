"""A worker that kills itself once at each point of the steps that end what went wrong:
``ended_worker.py FOLDER MOMENT…``.

A file in FOLDER for each kill remembers that this point has been seen to. FOLDER/plan.json says
what is done to the record before: a list of steps, moments and SQL, of which the first is waited for.
"""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import re
import signal
import sys

import psycopg

from shipway import worker
from shipway.kit import durable, settings

STORIES = ("run_", "dep_", "promote:")
"""The beginnings of their ids: what Shipway does by itself, such as backups, comes at any moment."""

BAD_ENDS = {"fail", "cancel", "withdraw", "give_up", "has_expired", "expire"}


def main() -> None:
    folder, moments = pathlib.Path(sys.argv[1]), frozenset(sys.argv[2:])
    url = settings.load().database_url

    def at(point: durable.Point) -> None:
        if not point.workflow.startswith(STORIES):
            return
        spoil(folder / "plan.json", url, point)
        name = re.sub(r"[^A-Za-z0-9_.-]", "-", f"{point.workflow}.{point.step}.{point.moment}")
        if point.step in BAD_ENDS and point.moment in moments and not (folder / name).exists():
            (folder / name).touch()
            os.kill(os.getpid(), signal.SIGKILL)

    durable.on_point.append(at)
    asyncio.run(worker.main())


def spoil(plan: pathlib.Path, url: str, point: durable.Point) -> None:
    """Do the first thing of the plan, if this is its point."""
    left = json.loads(plan.read_text())
    if left and left[0][:2] == [point.step, point.moment]:
        with psycopg.connect(url) as record:
            record.execute(left[0][2])
        plan.write_text(json.dumps(left[1:]))


if __name__ == "__main__":
    main()
