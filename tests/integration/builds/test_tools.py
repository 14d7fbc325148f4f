"""The tools of steps."""

from __future__ import annotations

import pathlib

import pytest

from shipway.builds import tools
from shipway.kit import command, errors

pytestmark = pytest.mark.anyio


async def test_tools_are_installed_once(tools_home: pathlib.Path) -> None:
    assert not await tools.install(tools_home)
    found = await tools.versions(tools_home)
    assert found["uv"] == tools.PINS["uv"]
    assert found["node"].startswith("v")


@pytest.mark.parametrize("name", ["uv", "esbuild"])
async def test_a_tool_runs_as_any_user(tools_home: pathlib.Path, name: str) -> None:
    tool = tools_home / "tools" / "bin" / name
    done = await command.run(
        command.Command(argv=(str(tool), "--version"), env=command.base_environment())
    )
    assert done.output.strip()
    assert tool.resolve().stat().st_mode & 0o005 == 0o005


async def test_missing_tools_are_said_to_be_missing(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.Unavailable, match="shipway up"):
        await tools.versions(tmp_path)
