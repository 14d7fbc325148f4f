"""What bubblewrap is told: by file, so that no list of processes shows it."""

from __future__ import annotations

import os
import pathlib

import pytest

from shipway.kit import errors
from shipway.runtime.drivers import sandbox
from shipway.runtime.model import Kind, Owner, Sandbox, Task


@pytest.fixture
def view(tmp_path: pathlib.Path) -> sandbox.View:
    folder = tmp_path / "owner"
    for name in ("src", "src/inner", "cache"):
        (folder / name).mkdir(parents=True)
    registry = tmp_path / ".npmrc"
    registry.write_text("registry=…")
    return sandbox.View(
        folder=folder,
        ids=(os.geteuid(), os.getegid()),
        tools=tmp_path / "tools",
        registry=sandbox.Registry(variables={"PIP_CERT": "/ca.pem"}, files=(registry,)),
    )


def told(task: Task, view: sandbox.View) -> list[str]:
    """Return the arguments in the file, then those on the command line after ``--``."""
    with sandbox.descriptors() as files:
        words = sandbox.argv(task, view, files)
        assert words[1] == "--args"
        file = int(words[2])
        return os.pread(file, 1_000_000, 0).decode().split("\0")[:-1] + list(words[3:])


def task(box: Sandbox | None = None, **changes: object) -> Task:
    known: dict[str, object] = {"argv": ("make", "{owner}/x"), "env": {"A": "{owner}/a"}}
    owner = Owner(Kind.BUILD, "tiny")
    return Task(owner=owner, key="k", sandbox=box, **known | changes)  # type: ignore[arg-type]


def after(words: list[str], word: str, count: int = 1) -> list[list[str]]:
    return [words[i + 1 : i + 1 + count] for i, each in enumerate(words) if each == word]


def test_a_task_without_sandbox_sees_the_machine(view: sandbox.View) -> None:
    words = told(task(), view)
    assert ["/", "/"] in after(words, "--dev-bind", 2)
    assert ["A", f"{view.folder}/a"] in after(words, "--setenv", 2)
    assert words[-3:] == ["--", "make", f"{view.folder}/x"]
    assert "--unshare-pid" in words
    assert "--die-with-parent" in words


def test_a_box_is_its_own_world(view: sandbox.View) -> None:
    words = told(task(Sandbox()), view)
    assert after(words, "--dev-bind") == []
    assert {"--unshare-net", "--unshare-user", "--unshare-ipc", "--clearenv"} <= set(words)
    assert ["A", "/box/a"] in after(words, "--setenv", 2)
    assert words[-2:] == ["make", "/box/x"]
    assert str(view.folder) not in " ".join(words)


def test_outer_folders_are_mounted_first(view: sandbox.View) -> None:
    box = Sandbox(
        readable=("src",),
        writable=("cache", "src/inner"),
        mounted_as={"src": "app", "cache": "app/node_modules", "src/inner": "app/deep/er"},
    )
    words = told(task(box), view)
    mounts = [
        (word, words[i + 2])
        for i, word in enumerate(words)
        if word in {"--bind-fd", "--ro-bind-fd"}
    ]
    assert mounts == [
        ("--ro-bind-fd", "/box/app"),
        ("--bind-fd", "/box/app/deep/er"),
        ("--bind-fd", "/box/app/node_modules"),
    ]


def test_only_steps_with_network_get_the_registry(view: sandbox.View) -> None:
    offline, online = told(task(Sandbox()), view), told(task(Sandbox(network=True)), view)
    assert "PIP_CERT" not in offline
    assert "--unshare-net" not in online
    assert ["PIP_CERT", "/ca.pem"] in after(online, "--setenv", 2)
    userconfig = ["npm_config_userconfig", "/etc/shipway/registry/npmrc"]
    assert userconfig in after(online, "--setenv", 2)


@pytest.mark.parametrize("path", ["..", "/etc", "src/../.."])
def test_a_folder_elsewhere_is_refused(view: sandbox.View, path: str) -> None:
    for box in (Sandbox(readable=(path,)), Sandbox(writable=(path,))):
        with pytest.raises(errors.Invalid):
            told(task(box), view)
    with pytest.raises(errors.Invalid):
        told(task(Sandbox(readable=("src",), mounted_as={"src": path})), view)
    with pytest.raises(errors.Invalid):
        told(task(cwd=path), view)


def test_a_nul_would_end_an_argument_early(view: sandbox.View) -> None:
    with pytest.raises(errors.Invalid, match="NUL"):
        told(task(env={"A": "x\0--bind\0/\0/"}), view)
