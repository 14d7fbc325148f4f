"""A Shipway of its own with a checkout and people, driven by the commands that a user would type."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import shutil
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from shipway.cli import servers
from shipway.client import client, wire

LONGEST_SECONDS = 1800.0
LEFT_OUT = shutil.ignore_patterns(
    "node_modules", ".venv", "dist", ".expo", "__pycache__", ".*_cache"
)

_held: list[socket.socket] = []


class Failed(Exception):
    """Something that was claimed did not come true."""


@dataclass
class Stage:
    """A SHIPWAY_HOME below ``home``, an app of ``source``, and two people: dev and ada."""

    home: pathlib.Path
    app: str
    source: pathlib.Path
    ports: dict[str, int] = field(default_factory=dict)
    quiet: bool = False
    folder: str = "checkout"

    @classmethod
    def fresh(cls, home: pathlib.Path, source: pathlib.Path, *, quiet: bool = False) -> Stage:
        """A new stage on free ports. Other users must be able to enter the folder."""
        home.chmod(0o755)
        names = ("api_port", "intake_port", "http_port", "https_port")
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        return cls(home, source.name, source, ports, quiet)

    @classmethod
    def kept(cls, home: pathlib.Path, source: pathlib.Path) -> Stage:
        """The stage of a demo that was left running."""
        return cls(home, source.name, source)

    def beside(self, source: pathlib.Path, app: str) -> Stage:
        """Another app on the platform of this one."""
        return Stage(self.home, app, source, self.ports, self.quiet, f"beside/{app}")

    async def set_up(self, *, settings: Sequence[str] = ()) -> None:
        """Start the platform. The first person is its owner."""
        first, last = free_range(200)
        lines = [f"{name} = {port}" for name, port in self.ports.items()]
        lines += ['edge_address = "127.0.0.1"', f"instance_ports = [{first}, {last}]", *settings]
        self.shipway_home.mkdir(parents=True)
        (self.shipway_home / "settings.toml").write_text("\n".join(lines) + "\n")
        await self.shipway("up")

    async def create_app(self) -> None:
        """Make a checkout of the app and tell Shipway of it; what it is made of, if it does not say."""
        await asyncio.to_thread(shutil.copytree, self.source, self.checkout, ignore=LEFT_OUT)
        if not (self.checkout / "shipway.toml").exists():
            await self.shipway("init")
        await self.git("init", "--quiet", "--initial-branch=main")
        await self.git("config", "user.name", "Demo Developer")
        await self.git("config", "user.email", "dev@example.org")
        await self.git("add", ".")
        await self.git("commit", "--quiet", f"--message=Begin {self.app}")
        await self.shipway("app", "create")

    async def invite_approver(self) -> None:
        await self.invite("ada", "approver")

    async def invite(self, person: str, role: wire.RoleName) -> None:
        """Make somebody known, and log them in."""
        async with self.api() as api:
            await api.add_person(person, role, (f"{person}@example.org",))
            token = (await api.issue_token(person, "demo")).plain
        login = ("login", self.api_url, "--token", "-")
        await self.shipway(*login, person=person, stdin=f"{token}\n")

    async def commit(self, path: str, change: Callable[[str], str], message: str) -> None:
        """Change a file of the checkout and commit it, with whatever was changed before."""
        self.change(path, change)
        await self.git("commit", "--quiet", "--all", f"--message={message}")

    def change(self, path: str, change: Callable[[str], str]) -> None:
        """Change a file of the checkout."""
        file = self.checkout / path
        text = file.read_text()
        changed = change(text)
        if changed == text:
            raise Failed(f"{path} has nothing to change")
        file.write_text(changed)

    async def push(self, branch: str = "main") -> wire.Run:
        """Push, and stay until the run is over: the remote tells how it goes."""
        await self.git("push", "shipway", branch)
        return await self.last_run()

    async def deliver(self) -> wire.Run:
        """Push to main; the run must succeed."""
        run = await self.push()
        if run.state != "succeeded":
            raise Failed(f"the run {run.state}: {run.sentence}")
        return run

    async def last_run(self) -> wire.Run:
        async with self.api() as api:
            return (await api.runs(self.app, limit=1)).items[0]

    async def promote(self) -> wire.Deployment:
        """Approve the newest release as the second person, and wait until production has it."""
        async with self.api() as api:
            newest = (await api.releases(self.app, limit=1)).items[0]
        await self.shipway("approve", newest.version, "--app", self.app, person="ada")
        deployment = await self.newest_deployment("production")
        if deployment.state != "live":
            raise Failed(deployment.sentence)
        return deployment

    async def newest_deployment(self, environment: str) -> wire.Deployment:
        """Wait until the newest release has a deployment that is over, and return it."""
        async with self.api() as api, asyncio.timeout(LONGEST_SECONDS):
            newest = (await api.releases(self.app, limit=1)).items[0]
            while True:
                page = await api.deployments(self.app, environment, limit=5)
                for deployment in page.items:
                    if deployment.release == newest.id and deployment.over:
                        return deployment
                await asyncio.sleep(0.1)

    async def roll_back(self, *arguments: str) -> float:
        """Take production back by command, and return how many seconds the command took."""
        began = time.monotonic()
        await self.shipway("rollback", "production", "--app", self.app, *arguments, person="ada")
        return time.monotonic() - began

    async def live(self, environment: str) -> str:
        """Return the version that is live in an environment, or ""."""
        async with self.api() as api:
            found = (await api.environment(self.app, environment)).live
        return found.version if found else ""

    async def expect(self, environment: str, version: str) -> None:
        if (found := await self.live(environment)) != version:
            raise Failed(f"{environment} serves {found or 'nothing'}, and not {version}")

    async def end(self) -> None:
        """Tear down: every process ended, every user and file gone."""
        if (self.shipway_home / "settings.toml").exists():
            await self.shipway("down", "--forget", "--yes")
        await asyncio.to_thread(shutil.rmtree, self.home, ignore_errors=True)

    def show_logs(self) -> None:
        """Show the last lines of every part's log, for the person who finds out why."""
        for log in sorted(self.shipway_home.glob("logs/services/*/current")):
            lines = log.read_text(errors="replace").splitlines()[-15:]
            print(f"--- {log.parent.name}", *lines, sep="\n", file=sys.stderr)

    # Where things are

    @property
    def shipway_home(self) -> pathlib.Path:
        return self.home / "shipway"

    @property
    def checkout(self) -> pathlib.Path:
        return self.home / self.folder

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['api_port']}"

    @property
    def edge(self) -> str:
        return f"127.0.0.1:{self.ports['https_port']}"

    @property
    def ca_file(self) -> pathlib.Path:
        return self.shipway_home / "ca" / "ca.pem"

    def url(self, environment: str, *, api: bool = True) -> str:
        """Return the address of the app's server, or of its web export."""
        domain = (
            "" if environment == "production" else f"{environment}."
        ) + f"{self.app}.localhost"
        return f"https://{'api.' if api else ''}{domain}:{self.ports['https_port']}"

    def config(self, person: str) -> pathlib.Path:
        return self.home / "people" / person

    # How commands are run

    def api(self, person: str = "dev") -> client.Client:
        logins = servers.Servers(self.config(person) / "shipway" / "servers.toml")
        return client.Client(self.api_url, logins.find().token)

    async def shipway(self, *arguments: str, person: str = "dev", stdin: str = "") -> str:
        command = (sys.executable, "-m", "shipway.cli.main", *arguments)
        return await self._run(*command, person=person, stdin=stdin)

    async def told(self, *arguments: str, person: str = "dev") -> str:
        """Return what a command prints, which nobody is shown meanwhile."""
        command = (sys.executable, "-m", "shipway.cli.main", *arguments)
        return await self._run(*command, person=person, quiet=True)

    async def git(self, *arguments: str, person: str = "dev") -> str:
        return await self._run("git", *arguments, person=person)

    def environment(self, person: str) -> dict[str, str]:
        return {
            **os.environ,
            "SHIPWAY_HOME": str(self.shipway_home),
            "XDG_CONFIG_HOME": str(self.config(person)),
            "GIT_TERMINAL_PROMPT": "0",
        }

    async def _run(self, *argv: str, person: str, stdin: str = "", quiet: bool = False) -> str:
        """Run a command, shown as it goes unless this is quiet. Raises `Failed` with its words."""
        quiet = quiet or self.quiet
        pipe = asyncio.subprocess.PIPE if quiet else None
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=self.checkout if self.checkout.exists() else self.home,
            env=self.environment(person),
            stdin=asyncio.subprocess.PIPE,
            stdout=pipe,
            stderr=asyncio.subprocess.STDOUT if quiet else None,
        )
        async with asyncio.timeout(LONGEST_SECONDS):
            output, _ = await process.communicate(stdin.encode())
        said = (output or b"").decode(errors="replace")
        if process.returncode:
            what = " ".join(argv[-3:])
            raise Failed(f"`{what}` ended with status {process.returncode}. {said}".strip())
        return said


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now. All are held until all are known."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def free_range(count: int) -> tuple[int, int]:
    """Return a range of ports for instances, below those that the system gives out itself.

    The port behind it is held as long as this process lives: another one that looks for a range
    meanwhile, before anything listens in this one, finds it taken.
    """
    for first in range(20000, 32000 - count, count):
        last = first + count - 1
        if all(_is_free(port) for port in range(first, last, 7)):
            with contextlib.suppress(OSError):
                _held.append(socket.create_server(("127.0.0.1", last)))
                return first, last - 1
    raise Failed("no free range of ports was found")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
