"""The real build tools, installed once on this machine for all test sessions of one kind of tools.

Checkouts with other tools than these have a folder of their own: none replaces what another uses.
"""

from __future__ import annotations

import fcntl
import pathlib

from shipway.builds import tools

HOME = pathlib.Path(f"/var/tmp/shipway-test-tools-{tools.edition()}")


async def installed() -> pathlib.Path:
    """Return the folder that has the tools as SHIPWAY_HOME has them."""
    HOME.mkdir(exist_ok=True)
    HOME.chmod(0o755)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        await tools.install(HOME)
    return HOME
