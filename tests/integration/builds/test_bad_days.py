"""Builds that harm, or that meet a machine in trouble: each ends in a sentence, and harms nobody."""

from __future__ import annotations

import asyncio
import os
import pathlib
import tempfile
import textwrap
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.integration.builds.conftest import Site, building

from shipway.builds import reserve, workspace
from shipway.builds.model import BuildStep, State, StepKind
from shipway.builds.steps import WAITING
from shipway.kit import command, errors
from shipway.kit.mask import Mask
from shipway.runtime.model import Kind, Owner
from shipway.steward.server import Server

pytestmark = pytest.mark.anyio

MIB = 1024**2
MANY_FILES = int(os.environ.get("SHIPWAY_MANY_FILES", "2000"))
"""`./dev soak` tries 50,000."""


def step(code: str, **changes: Any) -> BuildStep:
    """A test step that runs Python code."""
    whole: dict[str, Any] = {
        "name": "test it",
        "kind": StepKind.TEST,
        "argv": ("python3", "-c", textwrap.dedent(code)),
        "inputs": (".",),
        "timeout": 60.0,
    }
    return BuildStep(**(whole | changes))


class Bench:
    """Performs steps of one run of an app."""

    def __init__(self, site: Site, app: str, run: str, commit: str) -> None:
        self.site, self.app, self.run, self.commit = site, app, run, commit

    async def perform(self, wanted: BuildStep) -> None:
        await self.site.builder.perform(self.run, self.app, self.commit, wanted, Mask())

    async def fails(self, wanted: BuildStep) -> str:
        with pytest.raises(errors.Failed) as caught:
            await self.perform(wanted)
        return str(caught.value)

    def said(self, name: str) -> list[str]:
        return [line[25:] for line in self.site.logs.read(self.run, name).lines]


@pytest.fixture
async def bench(site: Site) -> Bench:
    app = f"app{len(site.apps)}"
    commit = await site.app(app, {"main.py": f"print('{app}')\n"})
    return Bench(site, app, await site.begin(app, commit), commit)


async def test_a_build_that_fills_the_disk_is_ended(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.site.builder, "_step_disk", 48 * MIB)
    code = """
        import itertools
        for number in itertools.count():
            with open(f'/box/scratch/{number}', 'wb') as file:
                file.write(bytes(4_000_000))
        """
    why = await bench.fails(step(code))
    assert why.startswith("`test it` wrote ")
    assert "(limit 48.0 MiB)" in why
    assert "raise `step_disk_gib`" in why


async def test_a_test_that_forks_for_ever_is_ended(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace, "PROCESSES", 60)
    code = """
        import os, time
        while True:
            try:
                os.fork()
            except OSError:
                time.sleep(0.05)
        """
    why = await bench.fails(step(code, timeout=3.0))
    bound = "more processes than it may (limit 60)" if os.geteuid() == 0 else "ran out of time"
    assert bound in why
    await bench.perform(step("print('the next one is well')"))


async def test_a_hanging_test_says_where_its_time_is_set(bench: Bench) -> None:
    why = await bench.fails(step("import time; time.sleep(100)", timeout=1.0))
    assert "ran out of time after 1 seconds." in why
    assert "raise `timeout_seconds` of test it in shipway.toml" in why


PRY = """
    import os, pathlib, socket, sys
    home = pathlib.Path({home!r})
    for path in (home / 'secrets/vault.key', home / 'owners/build.neighbour/secret',
                 home / 'secrets', home / 'owners', home / 'artifacts', home / 'run',
                 '/root', '/home', '/etc/shadow', '/proc/1/root/etc/shadow'):
        try:
            found = os.listdir(path) if os.path.isdir(path) else open(path).read()
        except OSError:
            continue
        sys.exit(f'{{path}} could be read: {{found}}')
    with socket.socket(socket.AF_UNIX) as asking:
        if asking.connect_ex(str(home / 'run/steward.sock')) == 0:
            sys.exit('the steward could be asked')
    if len(others := [pid for pid in os.listdir('/proc') if pid.isdigit()]) > 5:
        sys.exit(f'processes of the machine are seen: {{others}}')
    """


@pytest.mark.parametrize("kind", ["test", "install"])
async def test_a_build_reaches_neither_secrets_nor_other_apps_nor_the_steward(
    bench: Bench, kind: str
) -> None:
    """An install has the network of the machine besides."""
    site = bench.site
    (site.home / "secrets").mkdir(exist_ok=True)
    (site.home / "secrets" / "vault.key").write_text("secret")
    neighbour = Owner(Kind.BUILD, "neighbour")
    site.apps.add("neighbour")
    await site.keeper.provide(neighbour)
    await site.keeper.write(neighbour, "secret", b"x", mode=0o644)
    (site.home / "run").mkdir(exist_ok=True)
    wanted = step(PRY.format(home=str(site.home)))
    if kind == "install":
        wanted = BuildStep(**{**wanted.__dict__, "kind": StepKind.INSTALL, "network": True})
    async with Server(site.keeper, site.home).listening(site.home / "run" / "steward.sock"):
        await bench.perform(wanted)


async def test_an_install_without_dns_says_which_name_was_not_found(bench: Bench) -> None:
    code = "import urllib.request; urllib.request.urlopen('http://registry.invalid/', timeout=20)"
    wanted = step(code, name="install it", kind=StepKind.INSTALL, network=True)
    why = await bench.fails(wanted)
    assert "install it failed" in why
    assert any(word in why for word in ("resolution", "not known"))


async def test_a_commit_of_many_files_is_built(site: Site) -> None:
    files = {f"many/{n % 100}/{n}.txt": f"{n}\n" for n in range(MANY_FILES)}
    commit = await site.app("many", files)
    many = Bench(site, "many", await site.begin("many", commit), commit)
    code = f"""
        import os
        assert sum(len(files) for _, _, files in os.walk('many')) == {MANY_FILES}
        """
    await many.perform(step(code))


@pytest.fixture
async def small(
    cluster: Any, tools_home: pathlib.Path, tmp_path: pathlib.Path
) -> AsyncIterator[Site]:
    """A Shipway on a disk of 160 MiB that keeps 64 MiB of it free."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    home = pathlib.Path(tempfile.mkdtemp(prefix="shipway-small-", dir="/var/tmp"))
    await _do("mount", "-t", "tmpfs", "-o", "size=160m,mode=755", "small", str(home))
    try:
        kept = {"disk_reserve_gib": 64 / 1024}
        async with building(home, cluster, tools_home, tmp_path, **kept) as site:
            yield site
    finally:
        await _do("umount", str(home))
        home.rmdir()


async def _do(*argv: str) -> None:
    await command.run(command.Command(argv=argv, env=command.base_environment()))


async def test_a_full_disk_holds_builds_back_and_room_lets_them_go_on(
    small: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reserve, "LOOK_SECONDS", 0.05)
    commit = await small.app("app", {"main.py": "print('hello')\n"})
    filler = small.home / "filler"
    filler.write_bytes(bytes(120 * MIB))
    run = (await small.runs.create("app", "main", commit, push=1, kind="full", by="ada")).id  # type: ignore[arg-type]
    waiting = asyncio.create_task(small.builder.check_out(run, "app", commit))
    bench = Bench(small, "app", run, commit)
    async with asyncio.timeout(20):
        while not bench.said(WAITING):  # noqa: ASYNC110 -- the file is all there is
            await asyncio.sleep(0.02)
    (why,) = bench.said(WAITING)
    assert f"This waits for room on the disk: {small.home} has " in why
    assert "free, 64.0 MiB are needed. Make room: `shipway housekeeping`" in why
    filler.unlink()
    await waiting
    (step_of_waiting,) = await small.runs.steps(run)
    assert (step_of_waiting.state, step_of_waiting.sentence) == (
        State.SUCCEEDED,
        "There was room again.",
    )

    fill = "import itertools\nfor n in itertools.count(): open(f'/box/out/{n}', 'wb').write(bytes(2_000_000))"
    sentence = await bench.fails(step(fill))
    assert "was ended to keep the disk from filling up" in sentence
    assert "32.0 MiB are kept back" in sentence
    await small.builder.clean_up(run, "app")  # as every run ends
    another = await small.begin("app", commit, push=2)
    await Bench(small, "app", another, commit).perform(step("print('the next one is well')"))


async def test_a_disk_that_stays_full_refuses_the_build(
    small: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        small.builder, "_reserve", reserve.Reserve(small.home, 64 * MIB, patience=0)
    )
    commit = await small.app("app", {"main.py": "print('hello')\n"})
    (small.home / "filler").write_bytes(bytes(120 * MIB))
    with pytest.raises(errors.Refused, match="The disk is too full to build"):
        await small.begin("app", commit)
