"""Runs one program after the other; the first that fails ends the step."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pathlib
import shlex
import signal
import subprocess  # noqa: TID251 -- inside the sandbox there is no Shipway to ask
import sys
import time
from collections.abc import Mapping, Sequence

_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2): orphans become our children, so that we see them."""

LONGEST_COMMAND = 200
"""Characters of a command that messages show."""

PATIENCE = 3.0
"""Seconds that a finished command's children have to end."""


class StepFailed(Exception):
    """The step cannot succeed. The message is a sentence for the person; ``artifacts`` tell why."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.artifacts: dict[str, str] = {}


def adopt_orphans() -> None:
    """From now on, processes that lose their parent become children of this one."""
    ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)


def run(argv: Sequence[str], cwd: pathlib.Path, env: Mapping[str, str] | None = None) -> None:
    """Run a program to its end, its output becoming ours. Raises `StepFailed`."""
    _say(argv, cwd)
    _check(argv, _start(argv, cwd, env).wait())


def output_of(argv: Sequence[str], cwd: pathlib.Path, env: Mapping[str, str] | None = None) -> str:
    """Run a program and return its standard output. Raises `StepFailed`."""
    _say(argv, cwd)
    process = _start(argv, cwd, env, stdout=subprocess.PIPE)
    output, _ = process.communicate()
    _check(argv, process.returncode)
    return str(output)


def say(text: str) -> None:
    """Tell something in the log of the step."""
    print(text, flush=True)  # noqa: T201 -- standard output is the log


def end_leftovers(spared: int = 0) -> list[str]:
    """Wait shortly for our children to end, kill those that do not, and return their names.

    ``spared`` is the id of one that may stay.
    """
    deadline = time.monotonic() + PATIENCE
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while _children(spared) and (left := deadline - time.monotonic()) > 0:
        signal.sigtimedwait({signal.SIGCHLD}, left)
    names = [_name(pid) for pid in _children(spared)]
    while pids := _children(spared):
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return names


def _children(spared: int) -> list[int]:
    """Return our children that still run; those that have ended are laid to rest."""
    path = pathlib.Path(f"/proc/self/task/{os.getpid()}/children")
    pids = [int(pid) for pid in path.read_text().split()]
    return [pid for pid in pids if pid != spared and os.waitpid(pid, os.WNOHANG)[0] == 0]


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    return str(pid)


def _start(
    argv: Sequence[str],
    cwd: pathlib.Path,
    env: Mapping[str, str] | None,
    stdout: int | None = None,
) -> subprocess.Popen[str]:
    whole = {**os.environ, **(env or {})}  # noqa: TID251 -- the task's environment is the step's
    try:
        return subprocess.Popen(
            argv, cwd=cwd, env=whole, stdin=subprocess.DEVNULL, stdout=stdout, text=True
        )
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise StepFailed(
            f"`{argv[0]}` cannot be started in {shown(cwd)}: {error.strerror}.{_hint(argv[0])}"
        ) from error


def _hint(name: str) -> str:
    """Say how to have a package manager that is not there."""
    if name in {"pnpm", "yarn", "bun"}:
        return (
            f' An [[install]] may fetch it: ["npx", "--yes", "{name}@VERSION", …]; scripts are run '
            "by `npm run`."
        )
    return ""


def _check(argv: Sequence[str], status: int) -> None:
    if status < 0:
        raise StepFailed(f"`{_line(argv)}` was ended by {signal.Signals(-status).name}.")
    if status > 0:
        raise StepFailed(f"`{_line(argv)}` exited with status {status}.")


def _say(argv: Sequence[str], cwd: pathlib.Path) -> None:
    sys.stderr.flush()
    say(f"[{shown(cwd)}] $ {_line(argv)}")


def _line(argv: Sequence[str]) -> str:
    """Return a command as one line of bearable length."""
    words = " ".join(shlex.join(argv).split())
    return words if len(words) <= LONGEST_COMMAND else f"{words[:LONGEST_COMMAND]}…"


def shown(cwd: pathlib.Path) -> str:
    """Return a folder or file as the repository knows it."""
    return str(cwd).removeprefix("/box/src").strip("/") or "."
