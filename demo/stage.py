"""What the demo does, each act through the commands that a user would type."""

from __future__ import annotations

import asyncio
import os
import pathlib
import re
import shutil
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from shipway.client import client, wire

EXAMPLE = pathlib.Path(__file__).parent.parent / "examples" / "aios"
APP = "aios"
LONGEST_SECONDS = 1800.0
LEFT_OUT = shutil.ignore_patterns("node_modules", ".venv", "dist", ".expo", "__pycache__", ".*_cache")


class Failed(Exception):
    """Something that the demo claims did not come true."""


@dataclass
class Stage:
    """A SHIPWAY_HOME with a checkout of AIOS and two people."""

    home: pathlib.Path
    ports: dict[str, int] = field(default_factory=dict)
    last_command_seconds: float = 0.0

    @classmethod
    def fresh(cls, home: pathlib.Path) -> Stage:
        """A new stage on free ports. Other users must be able to enter the folder."""
        home.chmod(0o755)
        names = ("api_port", "intake_port", "http_port", "https_port", "edge_admin_port")
        return cls(home, dict(zip(names, free_ports(len(names)), strict=True)))

    @classmethod
    def kept(cls, home: pathlib.Path) -> Stage:
        """The stage of a demo that was left running."""
        return cls(home)

    # The acts

    async def set_up(self) -> None:
        first, last = free_range(200)
        lines = [f"{name} = {port}" for name, port in self.ports.items()]
        lines += ['edge_address = "127.0.0.1"', f"instance_ports = [{first}, {last}]"]
        (self._shipway_home).mkdir(parents=True)
        (self._shipway_home / "settings.toml").write_text("\n".join(lines) + "\n")
        await self._run(*shipway("up"), person="dev")

    async def create_app(self) -> None:
        await asyncio.to_thread(shutil.copytree, EXAMPLE, self._checkout, ignore=LEFT_OUT)
        await self._git("init", "--quiet", "--initial-branch=main")
        await self._git("config", "user.name", "Demo Developer")
        await self._git("config", "user.email", "dev@example.org")
        await self._git("add", ".")
        await self._git("commit", "--quiet", "--message=Begin AIOS")
        await self._run(*shipway("app", "create"), person="dev")

    async def push(self) -> None:
        """Push, and stay until the run is over: the remote tells how it goes."""
        await self._git("push", "shipway", "main")
        async with self._client("dev") as api:
            run = (await api.runs(APP, limit=1)).items[0]
        if run.state != "succeeded":
            raise Failed(f"the run {run.state}: {run.sentence}")

    async def invite_approver(self) -> None:
        async with self._client("dev") as api:
            await api.add_person("ada", "approver", ("ada@example.org",))
            token = (await api.issue_token("ada", "demo")).plain
        await self._run(
            *shipway("login", self._api, "--token", "-"), person="ada", stdin=f"{token}\n"
        )

    async def promote(self) -> None:
        """Approve as the second person, and wait until production has the release."""
        await self._run(*shipway("approve", "--app", APP), person="ada")
        async with self._client("dev") as api:
            newest = (await api.releases(APP, limit=1)).items[0]
            async with asyncio.timeout(LONGEST_SECONDS):
                deployment = await self._deployment_of(api, newest)
                async for deployment in api.follow_deployment(deployment):
                    pass
        if deployment.state != "live":
            raise Failed(deployment.sentence)

    async def _deployment_of(self, api: client.Client, release: wire.Release) -> wire.Deployment:
        while True:
            page = await api.deployments(APP, "production", limit=5)
            for deployment in page.items:
                if deployment.release == release.id:
                    return deployment
            await asyncio.sleep(0.1)

    async def change_greeting(self) -> None:
        file = self._checkout / "api" / "src" / "aios" / "greeting.py"
        text = file.read_text()
        changed = re.sub(r'^(GREETING\b.*?= )"(.*)"$', r'\1"\2 And it has changed."', text, flags=re.MULTILINE)
        if changed == text:
            raise Failed(f"{file.name} has no GREETING to change")
        file.write_text(changed)
        await self._git("commit", "--quiet", "--all", "--message=Change the greeting")

    async def roll_back(self) -> None:
        began = time.monotonic()
        await self._run(*shipway("rollback", "production", "--app", APP), person="ada")
        self.last_command_seconds = time.monotonic() - began

    async def expect_production(self, version: str) -> None:
        async with self._client("dev") as api:
            live = (await api.environment(APP, "production")).live
        if live is None or live.version != version:
            raise Failed(f"production serves {live and live.version}, and not {version}")

    async def end(self) -> None:
        """Tear down: every process ended, every user and file gone."""
        if (self._shipway_home / "settings.toml").exists():
            await self._run(*shipway("down", "--forget", "--yes"), person="dev")
        await asyncio.to_thread(shutil.rmtree, self.home, ignore_errors=True)

    # What others look at

    @property
    def production_url(self) -> str:
        return f"https://api.aios.localhost:{self.ports['https_port']}"

    @property
    def edge(self) -> str:
        return f"127.0.0.1:{self.ports['https_port']}"

    @property
    def ca_file(self) -> pathlib.Path:
        return self._shipway_home / "ca" / "ca.pem"

    def invitation(self, figures: dict[str, Any]) -> str:
        port = self.ports["https_port"]
        return "\n".join(
            (
                "",
                f"AIOS went from git push to staging in {figures['deliver_seconds']} s,"
                f" and to production in {figures['promote_seconds']} s more.",
                "",
                f"  staging     https://staging.aios.localhost:{port}",
                f"  production  https://aios.localhost:{port}",
                f"  API         {self.production_url}/version",
                f"  authority   {self.ca_file}",
                "",
                f"Five things to try, in {self._checkout}:",
                f"  export SHIPWAY_HOME={self._shipway_home} XDG_CONFIG_HOME={self._config('dev')}",
                f"  export PATH={pathlib.Path(sys.executable).parent}:$PATH",
                "  1. shipway status",
                f"  2. curl --cacert {self.ca_file} --connect-to ::127.0.0.1:"
                f" {self.production_url}/version",
                "  3. edit api/src/aios/greeting.py, commit, and: git push shipway main",
                "  4. shipway releases; shipway env show production; shipway audit",
                "  5. shipway rollback production, once a second release is live",
                "",
                "`./dev down` ends the demo.",
            )
        )

    def show_logs(self) -> None:
        """Show the last lines of every part's log, for the person who finds out why."""
        for log in sorted(self._shipway_home.glob("**/log/current")):
            lines = log.read_text(errors="replace").splitlines()[-15:]
            print(f"--- {log.parent.parent.name}", *lines, sep="\n", file=sys.stderr)

    # How

    @property
    def _shipway_home(self) -> pathlib.Path:
        return self.home / "shipway"

    @property
    def _checkout(self) -> pathlib.Path:
        return self.home / "checkout"

    @property
    def _api(self) -> str:
        return f"http://127.0.0.1:{self.ports['api_port']}"

    def _config(self, person: str) -> pathlib.Path:
        return self.home / "people" / person

    def _client(self, person: str) -> client.Client:
        from shipway.cli import servers  # noqa: PLC0415 -- only here

        logins = servers.Servers(self._config(person) / "shipway" / "servers.toml")
        return client.Client(self._api, logins.find().token)

    def _env(self, person: str) -> dict[str, str]:
        return {
            **os.environ,
            "SHIPWAY_HOME": str(self._shipway_home),
            "XDG_CONFIG_HOME": str(self._config(person)),
            "GIT_TERMINAL_PROMPT": "0",
        }

    async def _git(self, *arguments: str) -> None:
        await self._run("git", *arguments, person="dev")

    async def _run(self, *argv: str, person: str, stdin: str = "") -> None:
        cwd = self._checkout if self._checkout.exists() else self.home
        process = await asyncio.create_subprocess_exec(
            *argv, cwd=cwd, env=self._env(person), stdin=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(LONGEST_SECONDS):
            await process.communicate(stdin.encode())
        if process.returncode:
            raise Failed(f"`{' '.join(argv[-3:])}` ended with status {process.returncode}")


def shipway(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "shipway.cli.main", *arguments)


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now. All are held until all are known."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def free_range(count: int) -> tuple[int, int]:
    """Return a range of ports for instances, below those that the system gives out itself."""
    for first in range(20000, 32000 - count, count):
        if all(_is_free(port) for port in range(first, first + count, 7)):
            return first, first + count - 1
    raise Failed("no free range of ports was found")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0
