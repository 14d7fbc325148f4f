"""Steps that behave badly, in the real sandbox."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import tarfile
import textwrap
from typing import Any

import pytest
from tests.integration.builds.conftest import Site

from shipway import appfile
from shipway.builds import planning, workspace
from shipway.builds.model import BuildStep, State, StepKind, StepResult
from shipway.kit import errors
from shipway.kit.mask import Mask

pytestmark = pytest.mark.anyio


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


_numbers = itertools.count(1)


@pytest.fixture
async def commit(site: Site) -> str:
    """A commit that no other test has seen: nothing of theirs answers for it."""
    code = f"print('hello {next(_numbers)}')\n"
    return await site.app("app", {"api/main.py": code, "secret.txt": "other\n"})


@pytest.fixture
async def run(site: Site, commit: str) -> str:
    return await site.begin("app", commit)


class Bench:
    """Performs steps of one run."""

    def __init__(self, site: Site, run: str, commit: str) -> None:
        self.site, self.run, self.commit = site, run, commit

    async def perform(self, wanted: BuildStep) -> StepResult:
        return await self.site.builder.perform(self.run, "app", self.commit, wanted, Mask())

    async def fails(self, wanted: BuildStep) -> str:
        with pytest.raises(errors.Failed) as caught:
            await self.perform(wanted)
        (record,) = (s for s in await self.site.runs.steps(self.run) if s.name == wanted.name)
        assert (record.state, record.sentence) == (State.FAILED, caught.value.what)
        return caught.value.what

    async def hears(self, wanted: BuildStep, word: str) -> None:
        async with asyncio.timeout(60):
            while word not in self.said(wanted):  # noqa: ASYNC110 -- the file is all there is
                await asyncio.sleep(0.05)

    def said(self, wanted: BuildStep) -> str:
        lines = self.site.logs.read(self.run, wanted.name).lines
        return "\n".join(line[25:] for line in lines)


@pytest.fixture
def bench(site: Site, run: str, commit: str) -> Bench:
    return Bench(site, run, commit)


async def test_a_failing_test_says_why_with_its_last_lines(bench: Bench) -> None:
    why = await bench.fails(step("print('two is not three'); raise SystemExit(3)"))
    assert why.startswith("test it failed: `python3 -c ")
    assert "\n" not in why
    assert "exited with status 3." in why
    assert "two is not three" in why


async def test_a_failure_is_not_remembered(bench: Bench) -> None:
    wanted = step("import os, sys; sys.exit(os.path.exists('api'))")
    for _ in range(2):
        await bench.fails(wanted)


async def test_a_program_that_is_not_there_is_named(bench: Bench) -> None:
    why = await bench.fails(step("", argv=("no-such-program", "--fast")))
    assert "`no-such-program` cannot be started in .: No such file or directory." in why


async def test_a_step_that_takes_too_long_is_ended(bench: Bench) -> None:
    why = await bench.fails(step("import time; time.sleep(100)", timeout=3.0))
    assert why == "`test it` ran out of time after 3 seconds."


async def test_a_step_that_takes_too_much_memory_is_ended(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(workspace.MEMORY, StepKind.TEST, 200 * 1024**2)
    code = "x = [bytearray(b'x' * 10_000_000) for _ in range(1000)]"
    assert "memory" in (await bench.fails(step(code))).lower()


async def test_a_step_that_says_too_much_is_ended(bench: Bench) -> None:
    code = "while True: print('x' * 1000)"
    assert await bench.fails(step(code))
    path = bench.site.home / "logs" / "runs" / bench.run / "test-it.log"
    assert path.stat().st_size < 20_000_000


async def test_a_test_that_leaves_a_process_running_has_not_passed(bench: Bench) -> None:
    code = "import subprocess; subprocess.Popen(['sleep', '60'], start_new_session=True)"
    why = await bench.fails(step(code))
    assert "left 1 running: sleep" in why


async def test_a_test_that_kills_what_watches_it_has_not_passed(bench: Bench) -> None:
    code = """
        import os, signal, sys
        if os.fork() == 0:
            os.setsid()
            for pid in sorted(int(p) for p in os.listdir('/proc') if p.isdigit()):
                if pid not in (1, os.getpid()):
                    os.kill(pid, signal.SIGKILL)
            os._exit(0)
        os.wait()
        """
    assert await bench.fails(step(code))


async def test_a_child_that_ends_in_time_is_no_offence(bench: Bench) -> None:
    code = "import subprocess; subprocess.Popen(['sleep', '0.3'])"
    assert not (await bench.perform(step(code))).cached


async def test_a_forged_result_is_not_believed(bench: Bench) -> None:
    code = """
        import json, pathlib, os, signal
        pathlib.Path('/box/out/result.json').write_text(json.dumps({'trees': ['../../x']}))
        os.kill(os.getppid(), signal.SIGKILL)
        """
    assert await bench.fails(step(code))


async def test_a_step_sees_nothing_but_its_part_of_the_commit(bench: Bench) -> None:
    code = """
        import json, os, pathlib
        print(json.dumps({
            'src': sorted(os.listdir('/box/src')),
            'root': sorted(os.listdir('/')),
            'variables': sorted(os.environ),
            'processes': sorted(p for p in os.listdir('/proc') if p.isdigit()),
            'homes': os.path.exists('/root') or os.path.exists('/home'),
            'state': os.path.exists('/var/lib'),
        }))
        """
    wanted = step(code, inputs=("api",), folder="api")
    await bench.perform(wanted)
    (line,) = (line for line in bench.said(wanted).splitlines() if line.startswith("{"))
    seen = json.loads(line)
    assert seen["src"] == ["api"]
    assert not seen["homes"]
    assert not seen["state"]
    assert str(bench.site.home).split("/")[1] not in set(seen["root"]) - {"var"}
    assert len(seen["processes"]) < 6
    assert not [v for v in seen["variables"] if "SHIPWAY" in v or "TOKEN" in v or "KEY" in v]


async def test_a_test_reaches_no_network(bench: Bench) -> None:
    code = """
        import socket
        for family in (socket.AF_INET,):
            with socket.socket(family) as s:
                s.settimeout(3)
                assert s.connect_ex(('1.1.1.1', 443)) != 0
        """
    await bench.perform(step(code))


async def test_the_sources_and_the_tools_cannot_be_changed(bench: Bench) -> None:
    code = """
        import pathlib
        for path in ('/box/commit/x', '/box/tools/x', '/box/run/x', '/usr/x', '/etc/ssl/x'):
            try:
                pathlib.Path(path).write_text('x')
            except OSError:
                continue
            raise SystemExit(f'{path} was written')
        """
    await bench.perform(step(code))


async def test_what_was_installed_cannot_be_poisoned(bench: Bench) -> None:
    install = BuildStep(
        name="install it",
        kind=StepKind.INSTALL,
        argv=("sh", "-c", "mkdir -p node_modules/x && echo good > node_modules/x/index.js"),
        inputs=("api",),
        network=True,
    )
    await bench.perform(install)
    code = """
        import os, pathlib
        at = pathlib.Path('node_modules/x/index.js')
        assert at.read_text() == 'good\\n'
        for attack in (lambda: at.write_text('evil'), at.unlink, lambda: os.chmod(at, 0o777)):
            try:
                attack()
            except OSError:
                continue
            raise SystemExit('written')
        """
    await bench.perform(step(code, needs=("install it",)))
    assert (await bench.perform(install)).cached


async def test_an_install_that_has_vanished_is_made_again(bench: Bench) -> None:
    install = BuildStep(
        name="install it", kind=StepKind.INSTALL, argv=("mkdir", "deps"), inputs=("api",)
    )
    await bench.perform(install)
    builds = bench.site.home / "owners" / "build.app" / "installs"
    builds.rename(builds.with_name("elsewhere"))
    assert not (await bench.perform(install)).cached


async def test_an_install_goes_on_from_the_one_before(bench: Bench) -> None:
    first = BuildStep(
        name="install one", kind=StepKind.INSTALL, argv=("mkdir", "deps"), inputs=("api",)
    )
    second = BuildStep(
        name="install two",
        kind=StepKind.INSTALL,
        argv=("touch", "deps/more"),
        inputs=("api",),
        needs=("install one",),
    )
    await bench.perform(first)
    await bench.perform(second)
    wanted = step("import os; assert os.listdir('deps') == ['more']", needs=("install two",))
    await bench.perform(wanted)


async def test_a_step_without_what_it_needs_does_not_start(bench: Bench) -> None:
    with pytest.raises(errors.Conflict, match="install it has not run"):
        await bench.perform(step("", needs=("install it",)))


async def test_a_step_of_a_run_that_was_cleaned_up_runs_once_that_is_laid_out_again(
    bench: Bench,
) -> None:
    install = BuildStep(
        name="install it", kind=StepKind.INSTALL, argv=("mkdir", "deps"), inputs=("api",)
    )
    await bench.perform(install)
    await bench.site.builder.clean_up(bench.run, "app")
    late = step("import os; assert os.listdir('deps') == []", needs=("install it",))

    await bench.site.builder.check_out(bench.run, "app", bench.commit)
    assert (await bench.perform(install)).cached
    await bench.perform(late)


async def test_a_branch_answers_for_main_where_it_fetched_nothing(site: Site, commit: str) -> None:
    branch = await site.begin("app", commit, push=7, branch="feature")
    wanted = step("print('tested')")
    await site.builder.perform(branch, "app", commit, wanted, Mask())
    main = await site.begin("app", commit, push=8)
    assert (await site.builder.perform(main, "app", commit, wanted, Mask())).cached


async def test_what_a_branch_has_fetched_answers_for_branches_alone(
    site: Site, commit: str
) -> None:
    install = BuildStep(
        name="install it", kind=StepKind.INSTALL, argv=("mkdir", "deps"), inputs=("api",)
    )
    test = step("print('tested')", needs=("install it",))
    numbers = itertools.count(7)

    async def cached(branch: str) -> list[bool]:
        run = await site.begin("app", commit, push=next(numbers), branch=branch)
        return [
            (await site.builder.perform(run, "app", commit, wanted, Mask())).cached
            for wanted in (install, test)
        ]

    assert await cached("feature") == [False, False]
    assert await cached("another") == [True, True]
    # A hotfix goes to production: it fetches for itself, and so does main.
    assert await cached("hotfix/one") == [False, False]
    assert await cached("hotfix/two") == [False, False]
    assert await cached("main") == [False, False]
    assert await cached("hotfix/two") == [True, True]
    assert await cached("feature") == [True, True]


async def test_a_cancelled_step_ends_with_its_children(bench: Bench) -> None:
    wanted = step("import time; print('begun', flush=True); time.sleep(300)")
    work = asyncio.create_task(bench.perform(wanted))
    await bench.hears(wanted, "begun")
    work.cancel()
    await asyncio.wait({work})
    assert work.cancelled()


async def test_a_step_that_was_interrupted_runs_again(bench: Bench) -> None:
    wanted = step("import time; print('begun', flush=True); time.sleep(2)")
    first = asyncio.create_task(bench.perform(wanted))
    await bench.hears(wanted, "begun")
    assert not (await bench.perform(wanted)).cached  # ends the first one
    await asyncio.wait({first})
    assert isinstance(first.exception(), errors.Conflict)


async def test_a_step_finds_postgres_by_a_port_where_the_app_does(bench: Bench) -> None:
    """Libraries that put the address together themselves know no sockets."""
    code = """
        import os, socket
        assert os.environ['DB_URL'] == 'postgresql://postgres@127.0.0.1:5432/app', os.environ['DB_URL']
        socket.create_connection((os.environ['POSTGRES_HOST'], 5432)).close()
        """
    details = {"urls": '{"DB_URL": "", "POSTGRES_HOST": "{host}"}', "by_port": "yes"}
    await bench.perform(step(code, services=("postgres",), details=details))


async def test_a_step_with_postgres_has_an_empty_database(bench: Bench) -> None:
    code = """
        import os, subprocess
        url = os.environ['DB_URL']
        query = "select current_database(), current_user"
        found = subprocess.check_output(['psql', '-At', url, '-c', query], text=True)
        assert found == 'app|postgres\\n', found
        """
    await bench.perform(step(code, services=("postgres",), details={"urls": '{"DB_URL": ""}'}))


async def test_a_command_makes_a_server(bench: Bench) -> None:
    wanted = BuildStep(
        name="server",
        kind=StepKind.COMMAND_SERVER,
        argv=("cp", "api/main.py", "server"),
        inputs=("api",),
        produces=("server",),
        details={"output": "server"},
    )
    result = await bench.perform(wanted)
    path = await bench.site.store.path(result.artifacts["server"])
    assert path.read_text().startswith("print('hello ")
    missing = BuildStep(**{**wanted.__dict__, "details": {"output": "nothing"}})
    assert "has not made the file nothing" in await bench.fails(missing)


async def test_a_step_sees_its_base_and_is_kept_whatever_that_was(bench: Bench) -> None:
    site = bench.site
    archive = site.work / "old.tar"
    with tarfile.open(archive, "w") as tar:
        member = tarfile.TarInfo("js/entry.hbc")
        member.size = 3
        tar.addfile(member, io.BytesIO(b"old"))
    base = await site.store.put(archive)
    found = step("print(open('/box/base/js/entry.hbc').read())", base=base)
    result = await bench.perform(found)
    assert "old" in bench.said(found)
    assert result.facts["base"] == base
    again = await bench.perform(BuildStep(**{**found.__dict__, "base": ""}))
    assert again.cached


async def test_a_link_cannot_carry_the_machine_into_an_artifact(site: Site) -> None:
    (site.work / "linked").mkdir()
    await site.git(site.work / "linked", "init", "-q", "-b", "main")
    (site.work / "linked" / "deep").mkdir()
    (site.work / "linked" / "deep" / "migrations").symlink_to("../other")
    commit = await site.app("linked", {"x": "y"})
    run = await site.begin("linked", commit)
    wanted = BuildStep(
        name="migrations",
        kind=StepKind.MIGRATIONS,
        folder="deep",
        inputs=("deep",),
        produces=("migrations",),
        details={"files": "migrations", "packages": ""},
    )
    with pytest.raises(errors.Failed, match="link that leads out"):
        await site.builder.perform(run, "linked", commit, wanted, Mask())


def node_server(product: str) -> BuildStep:
    plan = planning.plan(appfile.parse(product), full=True)
    return next(step for step in plan.steps if step.name == "server")


async def members(site: Site, result: StepResult) -> dict[str, str]:
    """Return the files of the server's archive."""
    with tarfile.open(await site.store.path(result.artifacts["server"])) as archive:
        files = [member for member in archive if member.isreg()]
        read = {one.name: archive.extractfile(one) for one in files}
        return {name: file.read().decode() for name, file in read.items() if file}


async def test_a_node_server_becomes_one_file(site: Site) -> None:
    files = {
        "package.json": '{"type": "module"}',
        "src/main.ts": "import { hello } from './words';\nconsole.log(hello(__dirname));\n",
        "src/words.ts": "export const hello = (from: string): string => `hello ${from}`;\n",
        "pages/index.html": "<p>Hello</p>",
    }
    commit = await site.app("node", files)
    run = await site.begin("node", commit)
    product = """
        name = "node"
        [server]
        kind = "node"
        entry = "src/main.ts"
        files = ["pages"]
    """
    result = await site.builder.perform(run, "node", commit, node_server(product), Mask())
    made = await members(site, result)
    assert "hello ${from}" in made["src/main.js"]
    assert made["pages/index.html"] == "<p>Hello</p>"
    assert sorted(made) == ["package.json", "pages/index.html", "src/main.js", "src/package.json"]
    assert result.facts["node"].startswith("v")


async def test_what_a_node_server_lacks_is_named_with_the_fix(site: Site) -> None:
    commit = await site.app(
        "lacking", {"package.json": '{"dependencies": {"absent": "1"}}', "main.js": ""}
    )
    run = await site.begin("lacking", commit)
    file = 'name = "lacking"\n[server]\nkind = "node"\n'
    for more, told in (
        ('entry = "dist/x.js"\nbundle = false', r"no dist/x\.js, which is server\.entry"),
        ('entry = "main.js"\nbundle = false', r"absent is not installed .* an \[\[install\]\]"),
        ('entry = "none.js"', r"name it in server\.external"),
        ('entry = "main.js"\nfiles = ["pages"]', r"server\.files: nothing is called pages"),
    ):
        with pytest.raises(errors.Failed, match=told):
            await site.builder.perform(run, "lacking", commit, node_server(file + more), Mask())


async def test_a_wrong_entry_is_found_before_anything_starts(site: Site) -> None:
    commit = await site.app("wrong", {"main.py": "def serve(): ...\n"})
    run = await site.begin("wrong", commit)
    fetch = BuildStep(
        name="server dependencies",
        kind=StepKind.WHEELS,
        inputs=("pyproject.toml",),
        details={"requirements": "", "extras": "", "groups": ""},
    )
    await site.builder.perform(run, "wrong", commit, fetch, Mask())
    wanted = BuildStep(
        name="server",
        kind=StepKind.PYTHON_SERVER,
        inputs=(".",),
        needs=("server dependencies",),
        produces=("server",),
        details={"entry": "app.main:serve", "module": ""},
    )
    with pytest.raises(errors.Failed, match=r"no module app\.main"):
        await site.builder.perform(run, "wrong", commit, wanted, Mask())


async def test_cleaning_up_removes_an_install_that_did_not_succeed(bench: Bench) -> None:
    install = BuildStep(
        name="install it",
        kind=StepKind.INSTALL,
        argv=("sh", "-c", "mkdir deps; exit 1"),
        inputs=("api",),
    )
    await bench.fails(install)
    left = bench.site.home / "owners" / "build.app" / "installs" / f"install-it-{bench.run}"
    assert left.exists()
    await bench.site.builder.clean_up(bench.run, "app")
    assert not left.exists()


async def test_cleaning_up_leaves_what_others_use(bench: Bench) -> None:
    install = BuildStep(
        name="install it", kind=StepKind.INSTALL, argv=("mkdir", "deps"), inputs=("api",)
    )
    await bench.perform(install)
    for _ in range(2):
        await bench.site.builder.clean_up(bench.run, "app")
    owner = bench.site.home / "owners" / "build.app"
    assert not (owner / "runs" / bench.run).exists()
    assert (await bench.perform(install)).cached


@pytest.mark.parametrize("status", [0, 1])
async def test_what_tests_leave_to_be_looked_at_is_kept_whether_they_pass_or_fail(
    bench: Bench, status: int
) -> None:
    code = (
        "import os, pathlib, sys; folder = pathlib.Path(os.environ['E2E_OUTPUT'], 'shots');"
        f"folder.mkdir(); (folder / 'login.txt').write_text('not found'); sys.exit({status})"
    )
    env = {"E2E_OUTPUT": "/box/scratch/evidence"}
    wanted = step(code, name="e2e journey", env=env, cacheable=False)

    if status:
        await bench.fails(wanted)
    else:
        assert (await bench.perform(wanted)).artifacts == {}

    artifacts = bench.site.artifacts
    (kept,) = [one for one in await artifacts.of(bench.run) if one.kind == "evidence"]
    assert kept.name == "evidence.e2e-journey"
    assert kept.name not in await artifacts.release_artifacts(bench.run)
    with tarfile.open(await bench.site.store.path(kept.digest)) as archive:
        file = archive.extractfile("shots/login.txt")
        assert file
        assert file.read() == b"not found"
    assert kept.digest in bench.said(wanted)
