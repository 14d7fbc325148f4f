"""The same promises without root: everything runs as the one user, by the same code."""

from __future__ import annotations

import os
import pathlib
import sys

import pytest

from shipway.kit import command

pytestmark = pytest.mark.anyio

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent.parent
NOBODY = 65534


@pytest.mark.skipif(os.geteuid() != 0, reason="the tests themselves run without root already")
async def test_all_of_it_holds_without_root() -> None:
    tests = (ROOT / "tests/contracts/test_keeper.py", HERE / "test_boot.py")
    ids = (f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs")
    lines: list[str] = []
    done = await command.run(
        command.Command(
            # Without what writes into the checkout, which may belong to root.
            argv=("setpriv", *ids, sys.executable, "-B", "-m", "pytest", "-q", "-n", "0",
                  "-p", "no:hypothesispytest", *map(str, tests)),
            env=command.base_environment() | {"HOME": "/var/tmp"},
            cwd=ROOT,
            timeout=280,
        ),
        on_line=lines.append,
        check=False,
    )  # fmt: skip
    assert done.status == 0, "\n".join(lines[-60:])
