from __future__ import annotations

import asyncio
import os
import pathlib

import pytest

from shipway.appfile.model import Install
from shipway.kit import errors
from shipway.local import installing, watching
from shipway.local.clone import Clone

STEP = Install(name="client", folder="client", run=("npm", "ci"), inputs=("package-lock.json",))


@pytest.fixture
def clone(tmp_path: pathlib.Path) -> Clone:
    (tmp_path / "shipway.toml").write_text(
        'name = "shop"\n[server]\nkind = "python"\nfolder = "api"\nentry = "shop:main"\n'
    )
    (tmp_path / "api").mkdir()
    return Clone.around(tmp_path)


def test_a_clone_is_found_from_inside(clone: Clone) -> None:
    assert Clone.around(clone.root / "api").root == clone.root


def test_elsewhere_there_is_none(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.NotFound, match="shipway init"):
        Clone.around(tmp_path)


def test_the_servers_own_dotenv_has_the_last_word(clone: Clone) -> None:
    (clone.root / ".env").write_text("A=1\nB=1\n")
    (clone.root / "api" / ".env").write_text("B=2\n")
    assert clone.given(clone.product()) == {"A": "1", "B": "2"}


def test_one_at_a_time_runs_a_clone_and_git_sees_nothing_of_it(clone: Clone) -> None:
    with clone.alone():
        with pytest.raises(errors.Conflict, match=f"process {os.getpid()}"), clone.alone():
            pass
        assert (clone.root / ".shipway" / ".gitignore").read_text() == "*\n"
    with clone.alone():
        pass


def test_what_was_made_up_is_kept_from_others(clone: Clone) -> None:
    clone.folder.mkdir(parents=True)
    made = clone.made_up(["JWT_SECRET"])
    assert len(made["JWT_SECRET"]) >= 32
    assert clone.made_up(["JWT_SECRET", "OTHER"])["JWT_SECRET"] == made["JWT_SECRET"]
    clone.keep_port(5433)
    assert (clone.kept_port(), clone.made_up(["JWT_SECRET"])) == (5433, made)
    assert (clone.folder / "kept.json").stat().st_mode & 0o777 == 0o600


def test_a_broken_memory_is_begun_anew(clone: Clone) -> None:
    clone.folder.mkdir(parents=True)
    (clone.folder / "kept.json").write_text("[")
    assert clone.kept_port() == 0
    assert clone.made_up(["A"])


class Installed:
    """The client of a clone, with a lock file."""

    def __init__(self, root: pathlib.Path) -> None:
        self.folder = root / "client"
        self.folder.mkdir()
        self.lock = self.folder / "package-lock.json"
        self.lock.write_text("1")
        self.installs = installing.Installs(root, root / "stamps")

    @property
    def missing(self) -> bool:
        return self.installs.missing(STEP)

    def done(self) -> None:
        (self.folder / "node_modules").mkdir(exist_ok=True)
        self.installs.keep(STEP)


@pytest.fixture
def client(tmp_path: pathlib.Path) -> Installed:
    return Installed(tmp_path)


def test_a_fresh_clone_lacks_its_dependencies(client: Installed) -> None:
    assert client.missing
    client.done()
    assert not client.missing


def test_another_lock_file_asks_for_an_install(client: Installed) -> None:
    client.done()
    client.lock.write_text("2")
    assert client.missing


def test_so_does_a_folder_that_is_gone(client: Installed) -> None:
    client.done()
    (client.folder / "node_modules").rmdir()
    assert client.missing


def test_what_was_installed_by_hand_after_the_lock_file_is_taken(client: Installed) -> None:
    (client.folder / "node_modules").mkdir()
    os.utime(client.lock, (1, 1))
    assert not client.missing
    os.utime(client.folder / "node_modules", (0, 0))
    assert client.missing


def test_a_step_without_inputs_depends_on_the_usual_manifests(client: Installed) -> None:
    step = Install(name="client", folder="client", run=("npm", "ci"))
    client.installs.keep(step)
    assert not client.installs.missing(step)
    (client.folder / "package.json").write_text("{}")
    assert client.installs.missing(step)


@pytest.mark.anyio
async def test_a_change_is_seen_and_tools_folders_are_not(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "EVERY_SECONDS", 0.01)
    for folder in ("src", "node_modules", ".venv", "__pycache__"):
        (tmp_path / folder).mkdir()
    sources = watching.Sources(tmp_path, (".py",))
    before = sources.now()
    for name in ("node_modules/a.py", ".venv/a.py", "__pycache__/a.py", "src/a.txt"):
        (tmp_path / name).touch()
    waiting = asyncio.ensure_future(sources.changed(before))
    done, _ = await asyncio.wait({waiting}, timeout=0.1)
    assert not done
    (tmp_path / "src" / "a.py").write_text("1")
    assert await asyncio.wait_for(waiting, 5) == "src/a.py"
