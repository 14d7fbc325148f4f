"""The sandbox's first program: performs the step that standard input describes."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import sys

from . import program, recipes


def main() -> int:
    """Perform the step, leave ``result.json``, and return the exit status."""
    os.umask(0o022)
    pathlib.Path(os.environ["HOME"]).mkdir(parents=True, exist_ok=True)  # noqa: TID251 -- set by the worker
    program.adopt_orphans()
    try:
        outcome = recipes.perform(recipes.read_spec(sys.stdin.read()))
    except (program.StepFailed, OSError) as error:  # OSError: no space, or a path in the way
        program.say(str(error))
        _leave({"sentence": str(error), "artifacts": getattr(error, "artifacts", {})})
        return 1
    finally:
        program.end_leftovers()
    _leave(dataclasses.asdict(outcome))
    return 0


def _leave(result: dict[str, object]) -> None:
    (recipes.BOX / "out" / "result.json").write_text(json.dumps(result))
