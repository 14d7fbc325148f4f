"""A throwaway PostgreSQL cluster for a person who has no database at hand."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DEBIAN_BINARIES = Path("/usr/lib/postgresql")
UNPRIVILEGED_USER = "postgres"


@contextmanager
def throwaway_cluster() -> Iterator[str]:
    """Start a cluster that listens on a Unix socket only, and give its address."""
    # A socket's path may be about 100 characters long, so the folder is not pytest's deep one.
    with tempfile.TemporaryDirectory(prefix="aios-pg-", ignore_cleanup_errors=True) as folder:
        if os.geteuid() == 0:
            shutil.chown(folder, UNPRIVILEGED_USER)
        data = f"{folder}/data"
        _run("initdb", "--pgdata", data, "--username", "owner", "--auth", "trust", "--no-sync")
        options = f"-k {folder} -c listen_addresses= -c fsync=off -c full_page_writes=off"
        _run("pg_ctl", "start", "--wait", "-D", data, "-l", f"{folder}/log", "-o", options)
        try:
            yield f"postgresql://owner@/postgres?host={folder}"
        finally:
            _run("pg_ctl", "stop", "--wait", "-D", data, "-m", "immediate")


def _run(program: str, *arguments: str) -> None:
    """Run a program of PostgreSQL, which refuses to run as root."""
    user = UNPRIVILEGED_USER if os.geteuid() == 0 else None
    subprocess.run(
        [_find(program), *arguments],
        check=True,
        cwd="/",  # the current folder may be closed to that user
        stdout=subprocess.DEVNULL,
        user=user,
        group=user,
        extra_groups=[] if user else None,
    )


def _find(program: str) -> str:
    """Find a program on the PATH or, as Debian keeps it, in a folder of its major version."""
    found = shutil.which(program)
    if found:
        return found
    versions = sorted(DEBIAN_BINARIES.glob(f"*/bin/{program}"), key=lambda path: int(path.parts[-3]))
    if not versions:
        raise FileNotFoundError(
            f"PostgreSQL's {program} is not installed. Install PostgreSQL, or set DB_URL."
        )
    return str(versions[-1])
