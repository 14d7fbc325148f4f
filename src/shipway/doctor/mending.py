"""What ``shipway doctor --fix`` does: the remedies that findings carry, each looked at again."""

from __future__ import annotations

import asyncio
import os
import pathlib
import shutil
from collections.abc import AsyncIterator, Sequence

from shipway.builds.model import State
from shipway.builds.records import Runs
from shipway.doctor.findings import Finding, Remedy
from shipway.doctor.looking import records
from shipway.kit import command, errors
from shipway.kit.settings import Settings

SENTENCE = "Ended by `shipway doctor`: nothing was at it any more."


async def mend(settings: Settings, findings: Sequence[Finding]) -> tuple[str, ...]:
    """Apply every remedy, and return a sentence for each, also for those that did not succeed."""
    return tuple([sentence async for sentence in _sentences(settings, findings)])


async def _sentences(settings: Settings, findings: Sequence[Finding]) -> AsyncIterator[str]:
    for one in findings:
        if one.remedy:
            try:
                yield await _apply(settings, one.remedy)
            except (errors.ShipwayError, OSError) as error:
                yield f"{one.remedy.target} could not be mended: {error}"


async def _apply(settings: Settings, remedy: Remedy) -> str:
    path = pathlib.Path(remedy.target)
    match remedy.kind:
        case "mode":
            _within(settings, path).chmod(remedy.mode, follow_symlinks=True)
            return f"{path} has mode {remedy.mode:04o}."
        case "owner":
            os.chown(_within(settings, path), remedy.uid, remedy.gid, follow_symlinks=False)
            path.chmod(remedy.mode)  # a change of owner takes the group's bit away
            return f"{path} belongs to {remedy.uid}:{remedy.gid}."
        case "folder":
            await asyncio.to_thread(shutil.rmtree, _within(settings, path))
            return f"{path} is removed."
        case "group":
            path.rmdir()  # the kernel refuses while a process is in it
            return f"{path} is removed."
        case "user":
            return await _remove_user(remedy.target)
        case "end run":
            async with records.opened(settings.database_url) as database:
                await Runs(database).set_state(remedy.target, State.FAILED, SENTENCE)
            return f"The run {remedy.target} is marked failed."


def _within(settings: Settings, path: pathlib.Path) -> pathlib.Path:
    """Return a path of this Shipway's. Raises `errors.Refused` for any other, and for links."""
    home = settings.home.resolve()
    if path.is_symlink() or path == home or home not in path.resolve().parents:
        raise errors.Refused(f"{path} is not a folder or file in {home}.")
    return path


async def _remove_user(name: str) -> str:
    words = command.Command(argv=("userdel", name), env=command.base_environment(), timeout=20)
    await command.run(words)
    return f"The user {name} is removed."
