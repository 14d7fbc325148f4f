"""The door to Squawk, a linter for migrations of PostgreSQL: a program that reads SQL."""

from __future__ import annotations

import json
import pathlib
import sysconfig
from collections.abc import Sequence

from shipway.database.lint import Seen
from shipway.kit import command, errors

SECONDS = 30.0


def program() -> pathlib.Path | None:
    """Return where Squawk is, or None on a machine for which it is not made."""
    found = pathlib.Path(sysconfig.get_path("scripts")) / "squawk"
    return found if found.is_file() else None


async def look(statements: Sequence[str]) -> tuple[Seen, ...]:
    """Return what Squawk finds in statements; nothing without Squawk.

    Raises `errors.Failed` when it answers with what is not its report.
    """
    squawk = program()
    if squawk is None or not statements:
        return ()
    begins, lines = [], 0
    for one in statements:
        begins.append(lines)
        lines += one.count("\n") + 2
    outcome = await command.run(
        command.Command(
            argv=(str(squawk), "--reporter", "json", "--no-error-on-unmatched-pattern"),
            env=command.base_environment(),
            timeout=SECONDS,
            stdin="".join(f"{one}\n;\n" for one in statements).encode(),
        ),
        check=False,
    )
    try:
        told = json.loads(outcome.output or "[]")
        return tuple(_seen(one, begins) for one in told if one["rule_name"] != "syntax-error")
    except (ValueError, KeyError, TypeError) as error:
        raise errors.Failed(f"Squawk gave no report: {' '.join(outcome.last_lines)}") from error


def _seen(told: dict[str, object], begins: Sequence[int]) -> Seen:
    line = int(str(told["line"]))
    index = max(n for n, begin in enumerate(begins) if begin <= line)
    return Seen(str(told["rule_name"]), index, f"{told['message']}\n{told.get('help') or ''}")
