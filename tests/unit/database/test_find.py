from __future__ import annotations

import pathlib

import pytest

from shipway.database import find
from shipway.kit import errors

pytestmark = pytest.mark.anyio


def install(folder: pathlib.Path, version: str) -> pathlib.Path:
    """A folder of programs that only know their version."""
    folder.mkdir(parents=True)
    for name in ("initdb", "postgres", "psql"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        program.chmod(0o755)
    return folder


@pytest.fixture
def debian(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A machine that has nothing outside this folder."""
    monkeypatch.setattr(find, "DEBIAN", tmp_path)
    monkeypatch.setattr(find, "ROOT", tmp_path)
    monkeypatch.setattr(find, "WHEEL", "a-wheel-that-is-not-there")
    monkeypatch.setattr("shutil.which", lambda name: None)
    return tmp_path


async def test_the_newest_is_taken(debian: pathlib.Path) -> None:
    install(debian / "9.6" / "bin", "9.6.24")
    install(debian / "15" / "bin", "15.18 (Debian 15.18-0+deb12u1)")
    newest = install(debian / "17" / "bin", "17.11")
    found = await find.find()
    assert (found.bin, found.version, found.major) == (newest, (17, 11), 17)
    assert found.program("psql") == str(newest / "psql")


async def test_data_of_an_older_version_keeps_its_programs(debian: pathlib.Path) -> None:
    install(debian / "15" / "bin", "15.18")
    install(debian / "17" / "bin", "17.11")
    assert (await find.find(major=15)).version == (15, 18)


async def test_what_is_missing_is_named_with_its_package(debian: pathlib.Path) -> None:
    with pytest.raises(errors.Unavailable, match="PostgreSQL 15 or newer is not installed") as told:
        await find.find()
    assert told.value.fix.startswith("Run `apt-get install postgresql`")
    install(debian / "17" / "bin", "17.11")
    with pytest.raises(errors.Unavailable, match="apt-get install postgresql-15"):
        await find.find(major=15)


async def test_homebrews_is_found_although_it_is_not_on_the_path(debian: pathlib.Path) -> None:
    install(debian / "opt" / "homebrew" / "opt" / "postgresql@16" / "bin", "16.4")
    newer = install(debian / "opt" / "homebrew" / "opt" / "postgresql@17" / "bin", "17.2")
    assert (await find.find()).bin == newer


async def test_one_that_is_too_old_or_half_installed_does_not_count(debian: pathlib.Path) -> None:
    install(debian / "14" / "bin", "14.9")
    (install(debian / "16" / "bin", "16.1") / "initdb").unlink()
    with pytest.raises(errors.Unavailable):
        await find.find()


async def test_the_given_folder_is_the_only_one_looked_at(
    debian: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    install(debian / "15" / "bin", "15.18")
    given = install(tmp_path / "mine", "18beta1")
    assert (await find.find(given)).version == (18, 0)
    with pytest.raises(errors.Unavailable, match="nowhere"):
        await find.find(tmp_path / "nowhere")
