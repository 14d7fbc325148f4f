"""What a task sees: bubblewrap's arguments, handed over by file so that no list shows them."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shipway.kit import errors
from shipway.runtime.drivers import fence
from shipway.runtime.model import Sandbox, Task

BOX = "/box"
_OPEN = ("--dev-bind", "/", "/", "--proc", "/proc")
_TOOLS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_CONFIGURATION = (
    "alternatives", "ca-certificates", "chromium", "chromium.d", "fonts", "hosts", "ld.so.cache",
    "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "nsswitch.conf", "resolv.conf", "services", "ssl",
)  # fmt: skip
_PASSWD = b"root:x:0:0::/:/bin/false\nbuild:x:1000:1000::/tmp:/bin/sh\n"
_GROUP = b"root:x:0:\nbuild:x:1000:\n"
REGISTRY_VARIABLES = (
    "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL",
    "npm_config_registry", "NPM_CONFIG_REGISTRY", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX",
    "UV_NATIVE_TLS", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY",
    "https_proxy", "http_proxy", "no_proxy",
)  # fmt: skip
"""Variables of ours that steps with network get: where packages come from on this machine."""

_TOLD_BY = {
    "npmrc": "npm_config_userconfig",
    "pip.conf": "PIP_CONFIG_FILE",
    "uv.toml": "UV_CONFIG_FILE",
}


@dataclass(frozen=True, kw_only=True)
class Registry:
    """Where packages come from: variables, and files by path with what they say."""

    variables: Mapping[str, str]
    files: tuple[pathlib.Path, ...]


@dataclass(frozen=True, kw_only=True)
class View:
    """The machine as tasks may see it. ``folder`` is the owner's, ``ids`` who the owner is."""

    folder: pathlib.Path
    ids: fence.Ids
    tools: pathlib.Path
    registry: Registry


class Descriptors:
    """Files in memory that a child inherits; closed when the child has been run."""

    def __init__(self) -> None:
        self.all: list[int] = []

    def holding(self, data: bytes) -> str:
        """Return the number of a file that holds these bytes."""
        file = os.memfd_create("shipway", 0)
        told = self.keep(file)
        os.write(file, data)
        os.lseek(file, 0, os.SEEK_SET)
        return told

    def keep(self, file: int) -> str:
        """Take over an open file and return its number."""
        self.all.append(file)
        return str(file)


@contextlib.contextmanager
def descriptors() -> Iterator[Descriptors]:
    made = Descriptors()
    try:
        yield made
    finally:
        for file in made.all:
            os.close(file)


def argv(
    task: Task, view: View, files: Descriptors, limits: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Return the command that runs the task, itself run by ``limits``, under bubblewrap.

    Every task gets a process namespace of its own, so that no child outlives it. Without a
    sandbox it sees the machine as its owner does.
    """
    owner = BOX if task.sandbox else str(view.folder)
    words = [*(_boxed(task, view, files) if task.sandbox else _OPEN)]
    words += ["--unshare-pid", "--die-with-parent", "--new-session", "--clearenv"]
    for key, value in _environment(task, view).items():
        words += ["--setenv", key, value.replace("{owner}", owner)]
    words += ["--chdir", "/".join((owner, *fence.parts_of(task.cwd)))]
    if any("\0" in word for word in words):
        raise errors.Invalid("A variable or folder of the task holds a NUL.")
    told = files.holding("".join(f"{word}\0" for word in words).encode())
    command = tuple(word.replace("{owner}", owner) for word in task.argv)
    return (shutil.which("bwrap") or "bwrap", "--args", told, "--", *limits, *command)


def _boxed(task: Task, view: View, files: Descriptors) -> Iterator[str]:
    sandbox = task.sandbox
    assert sandbox
    size = str(sandbox.temporary_bytes)
    yield from ("--unshare-user", "--uid", "1000", "--gid", "1000")
    yield from ("--unshare-ipc", "--unshare-uts", "--hostname", "box", "--cap-drop", "ALL")
    if not sandbox.network:
        yield "--unshare-net"
    yield from ("--size", size, "--tmpfs", "/tmp", "--proc", "/proc", "--dev", "/dev")  # noqa: S108 -- the sandbox's own
    for folder in _TOOLS:
        yield from _tool(folder)
    yield from ("--ro-bind-try", str(view.tools), str(view.tools))
    for name in _CONFIGURATION:
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
    yield from ("--ro-bind-data", files.holding(_PASSWD), "/etc/passwd")
    yield from ("--ro-bind-data", files.holding(_GROUP), "/etc/group")
    yield from ("--dir", BOX, "--ro-bind-try", str(view.tools), f"{BOX}/tools")
    for target, path, way in _mounts(sandbox):
        # By descriptor: a link that an earlier task left there is refused, not followed.
        make = view.ids if way == "--bind-fd" else None
        shared = files.keep(fence.handle(view.folder, path, make=make))
        yield from (way, shared, "/".join((BOX, *target)))
    if sandbox.network:
        for file in view.registry.files:
            yield from ("--ro-bind-data", files.holding(file.read_bytes()), _inside(file))


def _mounts(sandbox: Sandbox) -> list[tuple[tuple[str, ...], str, str]]:
    """Return where in the box, which folder of the owner's, and how; outer ones first."""
    ways = dict.fromkeys(sandbox.readable, "--ro-bind-fd")
    ways |= dict.fromkeys(sandbox.writable, "--bind-fd")
    return sorted(
        (fence.parts_of(sandbox.mounted_as.get(path, path)), path, way)
        for path, way in ways.items()
    )


def _tool(folder: str) -> tuple[str, ...]:
    """Show a folder of programs; on today's systems most are links to their like in /usr."""
    path = pathlib.Path(folder)
    if path.is_symlink():
        return ("--symlink", str(path.readlink()), folder)
    return ("--ro-bind-try", folder, folder)


def _environment(task: Task, view: View) -> dict[str, str]:
    home = "/tmp" if task.sandbox else str(view.folder)  # noqa: S108 -- the sandbox's own
    tools = f"{BOX}/tools" if task.sandbox else str(view.tools)
    environment = {
        "PATH": f"{tools}/bin:/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": home,
    }
    if task.sandbox and task.sandbox.network:
        environment |= view.registry.variables
        environment |= {
            variable: _inside(file)
            for file in view.registry.files
            for ending, variable in _TOLD_BY.items()
            if file.name.endswith(ending)
        }
    return environment | dict(task.env)


def _inside(file: pathlib.Path) -> str:
    return f"/etc/shipway/registry/{file.name.lstrip('.')}"
