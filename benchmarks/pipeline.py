"""From an accepted push to *ready*, against the longest chain of steps: `./dev bench pipeline`.

Warm one-line changes of the tiny app. The limit is what the steps themselves take, one after the
other where they must be: a pipeline without any overhead of its own would end that soon. Times come
from the record: of the push, of each durable step, and of the steps that people see.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from bench import chain, figures, stand
from bench.chain import Span
from demo.stage import Stage
from psycopg import rows

GOAL = 0.05

RECORD = """
select extract(epoch from pushes.at) as pushed, releases.id as release
  from builds.runs
  join builds.pushes on pushes.app = runs.app and pushes.number = runs.push
  join releases.releases on releases.run = runs.id
 where runs.id = %(run)s
"""

DURABLE = """
select function_name as name, workflow_uuid as workflow,
       started_at_epoch_ms / 1000.0 as began, completed_at_epoch_ms / 1000.0 as ended
  from dbos.operation_outputs
 where workflow_uuid = any(%(workflows)s)
   and function_name not like 'DBOS.%%' and function_name not in ('deploy', 'promote')
"""
"""Starting a child and waiting for it are the engine's, and no steps."""

SEEN = """
select name, extract(epoch from started) as began, extract(epoch from ended) as ended
  from builds.steps
 where run = %(run)s and ended is not null and name <> 'deploy production'
"""


def main() -> int:
    parser = argparse.ArgumentParser(description="Push accepted to ready, against the steps")
    parser.add_argument("--pushes", type=int, default=8, help="how many warm pushes")
    arguments = parser.parse_args()

    async def measure(stage: Stage) -> dict[str, Any]:
        stand.say("a first push, which fills the caches")
        await stage.deliver()
        found = []
        for number in range(arguments.pushes):
            stand.say(f"warm push {number + 1} of {arguments.pushes}")
            await stand.change_version(stage, str(number + 2))
            found.append(await measured(stage, (await stage.deliver()).id))
        return told(found)

    return stand.run("pipeline", measure, longest_seconds=1500)


async def measured(stage: Stage, run: str) -> dict[str, Any]:
    """Read from the record what a run has taken."""
    url = stand.settings_of(stage).database_url
    async with await psycopg.AsyncConnection.connect(url, row_factory=rows.dict_row) as connection:

        async def asked(sql: str, **values: object) -> list[dict[str, Any]]:
            return await (await connection.execute(sql.encode(), values)).fetchall()

        (record,) = await asked(RECORD, run=run)
        staging = f"dep_{record['release'].removeprefix('rel_')}_staging"
        durable = spans(await asked(DURABLE, workflows=[run, staging]))
        seen = spans(await asked(SEEN, run=run))
    return figures_of(float(record["pushed"]), durable, seen)


def spans(found: Sequence[Mapping[str, Any]]) -> list[Span]:
    return [Span(row["name"], float(row["began"]), float(row["ended"])) for row in found]


def figures_of(pushed: float, durable: Sequence[Span], seen: Sequence[Span]) -> dict[str, Any]:
    ready = next(span.ended for span in durable if span.name == "declare_ready")
    steps = chain.longest([span for span in durable if span.ended <= ready])
    shown = chain.longest(seen)
    total = ready - pushed
    return {
        "total": total,
        "chain": sum(span.seconds for span in steps),
        "overhead": chain.overhead(total, steps),
        "overhead_of_seen": chain.overhead(total, shown),
        "steps": {span.name: span.seconds for span in steps},
        "gaps": chain.gaps(pushed, steps, ready),
    }


def told(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    spreads = {
        name: figures.spread([one[name] for one in found])
        for name in ("total", "chain", "overhead", "overhead_of_seen")
    }
    steps, gaps = middles([one["steps"] for one in found]), middles([one["gaps"] for one in found])
    figures.table(
        "Push accepted to ready, in seconds",
        [
            figures.SPREAD_HEAD,
            *(figures.spread_row(name, spreads[name]) for name in ("total", "chain")),
        ],
    )
    figures.table(
        "Overhead, as part of the chain",
        [
            figures.SPREAD_HEAD,
            figures.spread_row("of all steps", spreads["overhead"]),
            figures.spread_row("of those that people see", spreads["overhead_of_seen"]),
        ],
    )
    names = [*steps, *(name for name in gaps if name not in steps)]
    figures.table(
        "The chain, median seconds",
        [("step", "took", "waited before"), *((n, steps.get(n), gaps.get(n)) for n in names)],
    )
    print(f"goal: an overhead of at most {GOAL:.0%}")
    return {**spreads, "goal_overhead": GOAL, "steps_median": steps, "gaps_median": gaps}


def middles(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of each name, in the order of the first run that has it."""
    names = dict.fromkeys(name for one in found for name in one)
    return {
        name: round(statistics.median(one[name] for one in found if name in one), 3)
        for name in names
    }


if __name__ == "__main__":
    sys.exit(main())
