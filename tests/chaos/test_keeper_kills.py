"""`kill -9` of each part that keeps processes: no app notices, and all is as before."""

from __future__ import annotations

import ast
import os
import pathlib
import sys

import pytest

from shipway.kit import command

pytestmark = pytest.mark.anyio

SCRIPT = pathlib.Path(__file__).with_name("keeper_kills.py")
SCENES = [
    node.name
    for node in ast.parse(SCRIPT.read_text()).body
    if isinstance(node, ast.AsyncFunctionDef)
    and node.args.args
    and node.args.args[0].arg == "stage"
]


@pytest.mark.parametrize("scene", SCENES)
async def test_killing(scene: str) -> None:
    """In a process namespace of its own, so that a wrong id can hit nothing else."""
    user = () if os.geteuid() == 0 else ("--user", "--map-current-user")
    namespace = ("unshare", *user, "--pid", "--fork", "--kill-child", "--mount-proc", "--")
    await command.run(
        command.Command(
            argv=(*namespace, sys.executable, str(SCRIPT), scene),
            env=command.base_environment(),
            timeout=120,
        )
    )
