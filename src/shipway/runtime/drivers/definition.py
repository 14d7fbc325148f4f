"""A service as the folder of files that s6-supervise reads."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import os
import pathlib
import re
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from shipway.kit import errors, spelling
from shipway.runtime.drivers import fence
from shipway.runtime.model import Kind, Owner, Service

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,199}")
SIGNALS = {
    "SIGHUP": "h", "SIGALRM": "a", "SIGTERM": "t", "SIGQUIT": "q", "SIGINT": "i",
    "SIGUSR1": "1", "SIGUSR2": "2", "SIGKILL": "k", "SIGSTOP": "p", "SIGCONT": "c",
}  # fmt: skip
"""The signals that a supervisor can hand on, with the letter that s6-svc has for each."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST_LINE = "16384"
_MASKING = ("/usr/bin/python3", "-IS", "/proc/self/fd/3", "secrets")
"""The machine's own Python, never Shipway's: a log outlives what wrote its definition. The program
is an open file, because Python would look for it by a path that the owner cannot walk."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A service made ready for s6: how to become its owner, where it runs, where it logs.

    With ``end_group``, what a dead service leaves in its process group is killed.
    """

    service: Service
    becoming: tuple[str, ...]
    logging_as: tuple[str, ...]
    ids: fence.Ids
    cwd: pathlib.Path
    log: pathlib.Path
    end_group: bool


@dataclass(frozen=True, kw_only=True)
class About:
    """What is remembered of a kept service. ``uid`` is its OS user."""

    owner: Owner
    uid: int
    signal: str
    grace: float


def check(service: Service) -> None:
    """Raise `errors.Invalid`, with every problem, for a service that could not be kept."""
    problems = [
        f"{key!r} is not a variable's name." for key in service.env if not _VARIABLE.fullmatch(key)
    ]
    problems += [f"{key} holds a NUL." for key, value in service.env.items() if "\0" in value]
    if not NAME.fullmatch(service.name):
        problems.append(f"{service.name!r} is not a name of a-z, 0-9, dot, dash and underscore.")
    if not service.argv or "=" in service.argv[0] or any("\0" in word for word in service.argv):
        problems.append("Its command is empty, begins with an assignment, or holds a NUL.")
    if service.stop_signal not in SIGNALS:
        problems.append(f"{service.stop_signal!r} is not one of {', '.join(SIGNALS)}.")
    if problems:
        raise errors.Invalid(f"Service {service.name!r} cannot be kept.", problems=tuple(problems))


def digest(plan: Plan) -> str:
    """Return what changes when anything about the service changes."""
    return hashlib.sha256(json.dumps(sorted(_files(plan).items())).encode()).hexdigest()


def write(plan: Plan, folder: pathlib.Path) -> None:
    """Write the service's folder, whole or not at all."""
    passing = folder.parent / f".new-{secrets.token_hex(8)}"
    for path, text in (_files(plan) | {"definition": digest(plan)}).items():
        target = passing / path
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        target.touch(mode=0o600)
        target.write_text(text)
        if target.name in {"run", "finish"}:
            target.chmod(0o700)
    _open_to_owner(passing, plan.ids)
    passing.rename(folder)


def about(folder: pathlib.Path) -> About:
    """Read what is remembered of a kept service."""
    known = json.loads((folder / "about.json").read_text())
    owner = Owner(**known["owner"] | {"kind": Kind(known["owner"]["kind"])})
    return About(**known | {"owner": owner})


def _files(plan: Plan) -> dict[str, str]:
    service = plan.service
    scripts = importlib.resources.files(__package__) / "scripts"
    files = {
        "about.json": json.dumps(_about(plan)),
        "run": f"{(scripts / 'run').read_text()}{_becoming_the_service(plan)}\n",
        "finish": (scripts / "finish").read_text(),
        "down-signal": f"{service.stop_signal}\n",
        "timeout-kill": f"{int(service.grace * 1000)}\n",
        "timeout-finish": "60000\n",
        "log/run": f"#!/bin/sh\n{_logging(plan)}\n",
    }
    # s6-envdir takes one newline off each value, and takes a file without any for "unset".
    files |= {f"env/{key}": f"{value}\n" for key, value in service.env.items()}
    if service.secrets:
        files |= {"log/secrets": _hidden(service), "log/mask.py": _program()}
    return files | ({"end-group": ""} if plan.end_group else {})


def _about(plan: Plan) -> Mapping[str, object]:
    owner = plan.service.owner
    return {
        "owner": {"kind": owner.kind, "app": owner.app, "environment": owner.environment},
        "uid": plan.ids[0],
        "signal": plan.service.stop_signal,
        "grace": plan.service.grace,
    }


def _becoming_the_service(plan: Plan) -> str:
    """Privileges go first: no variable of a service is ever set for a process of the keeper."""
    variables = ("s6-envdir", "-f", "env", "env", f"--chdir={plan.cwd}")
    return f"exec {shlex.join((*plan.becoming, *variables, *plan.service.argv))}"


def _logging(plan: Plan) -> str:
    words = ("s6-log", "-l", _LONGEST_LINE, "n10", "s1000000", "T", str(plan.log))
    if not plan.service.secrets:
        return f"exec {shlex.join((*plan.logging_as, *words))}"
    return f"exec 3<mask.py\nexec {shlex.join((*plan.logging_as, *_MASKING, *words))}"


def _hidden(service: Service) -> str:
    """Everything that the log must not show, one to a line."""
    ways = {way for secret in service.secrets for way in spelling.of(secret) if "\n" not in way}
    return "\n".join(sorted(ways))


def _program() -> str:
    return importlib.resources.files("shipway.kit").joinpath("mask.py").read_text()


def _open_to_owner(folder: pathlib.Path, ids: fence.Ids) -> None:
    """Let the owner, who starts in these folders, read its own variables and nothing else."""
    for path in (folder, folder / "log"):
        path.chmod(0o711)
    for name in ("pids", "wake"):
        (folder / name).mkdir(mode=0o700)
    variables = folder / "env"
    variables.mkdir(exist_ok=True)
    variables.chmod(0o755)
    for file in (*variables.iterdir(), *(folder / "log").glob("secrets")):
        os.chown(file, *ids)
        file.chmod(0o400)
    for program in (folder / "log").glob("mask.py"):
        program.chmod(0o444)
