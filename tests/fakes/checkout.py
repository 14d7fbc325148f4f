"""A person's checkout, driven by the real git client."""

from __future__ import annotations

import asyncio
import base64
import pathlib

from shipway.kit import command

SOUND = """
name = "tiny"

[server]
kind = "command"
run = ["sh", "build.sh"]
output = "server"
start = ["{server}"]

[environments.staging]
domain = "tiny.staging.localhost"
"""


class Checkout:
    """A folder with a repository. The token goes along as git sends a password."""

    def __init__(self, folder: pathlib.Path, url: str, token: str) -> None:
        self.folder = folder
        self.url = url
        self.token = token

    async def init(self) -> None:
        await self.git("init", "-q", "-b", "main")
        await self.git("remote", "add", "origin", self.url)
        await self.commit("First")

    async def commit(self, subject: str, files: dict[str, str | bytes] | None = None) -> str:
        """Commit files, by default a sound shipway.toml, and return the commit."""
        for name, content in (files or {"shipway.toml": SOUND, "build.sh": subject}).items():
            path = self.folder / name
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        await self.git("add", "-A")
        await self.git("commit", "-q", "--allow-empty", "-m", subject)
        return (await self.git("rev-parse", "HEAD")).output.strip()

    async def git(self, *arguments: str, check: bool = True) -> command.Outcome:
        return await command.run(self.command(*arguments), check=check)

    async def push(self, *arguments: str, check: bool = True) -> tuple[int, str]:
        """Push; return the exit status and all that the person sees."""
        seen: list[str] = []
        outcome = await command.run(
            self.command("push", *(arguments or ("origin", "HEAD"))),
            on_line=seen.append,
            check=check,
        )
        return outcome.status, "\n".join(line.rstrip() for line in seen)

    def command(self, *arguments: str) -> command.Command:
        basic = base64.b64encode(f"any:{self.token}".encode()).decode()
        settings = {
            "user.name": "Ana",
            "user.email": "ana@example.org",
            "credential.helper": "",
            "http.extraHeader": f"Authorization: Basic {basic}" if self.token else "X-None: 1",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return command.Command(
            argv=("git", *options, *arguments),
            env={
                **command.base_environment(),
                "GIT_CONFIG_GLOBAL": "/dev/null",
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_TERMINAL_PROMPT": "0",
            },
            cwd=self.folder,
            timeout=120,
        )


async def eventually(condition: asyncio.Event, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        await condition.wait()
