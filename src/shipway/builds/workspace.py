"""What the sandbox of a step holds: a pure mapping from a step to a task of the keeper.

Installed dependencies are mounted read-only from the folder of the install that made them,
at the place where the install made them. Copying half a gigabyte for each step would be slow,
hard links would let a step change the files of the others, and bubblewrap 0.8 has no overlays.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from shipway.builds import boxed, model
from shipway.builds.kept import Result
from shipway.builds.model import BuildStep, StepKind
from shipway.runtime.model import Kind, Owner, Sandbox, Task

GIB = 1024**3
MEMORY: dict[StepKind, int] = {StepKind.EXPORT: 4 * GIB, StepKind.TEST: 4 * GIB}
"""Bytes that a step may use; 2 GiB unless said here."""

USUAL_MEMORY: dict[StepKind, int] = {
    StepKind.EXPORT: 3 * GIB // 2,
    StepKind.INSTALL: GIB,
    StepKind.TEST: GIB,
}
"""Bytes that a step usually uses: how many may run side by side; half a GiB unless said here."""

PROCESSES = 2048
"""Processes and threads that a step may have."""

_ENVIRONMENT = {
    "PATH": "/box/tools/bin:/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "CI": "1",
    "NO_COLOR": "1",
    "EXPO_NO_TELEMETRY": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "POETRY_NO_INTERACTION": "1",
    "POETRY_VIRTUALENVS_IN_PROJECT": "true",
    "UV_NO_PROGRESS": "1",
    "UV_PYTHON_DOWNLOADS": "never",
    "UV_PYTHON_PREFERENCE": "only-system",
    "npm_config_audit": "false",
    "npm_config_fund": "false",
    "npm_config_update_notifier": "false",
}
_FETCHING = {
    "npm_config_cache": "/box/cache/npm",
    "PIP_CACHE_DIR": "/box/cache/pip",
    "POETRY_CACHE_DIR": "/box/cache/poetry",
    "UV_CACHE_DIR": "/box/cache/uv",
    "UV_LINK_MODE": "copy",
}
# What is installed is mounted read-only and complete: uv must neither look nor write.
_INSTALLED = {
    "UV_NO_SYNC": "1",
    "UV_OFFLINE": "1",
    "UV_NO_CACHE": "1",
    "npm_config_offline": "true",
}

_NODE_TREE = ".node"
"""What a step leaves that fetches Node (``box/node.py``): mounted apart, and first on the path."""


def owner(app: str) -> Owner:
    """Return whose folder and OS user the builds of an app have."""
    return Owner(Kind.BUILD, app)


def commit_folder(run: str) -> str:
    """Return where the sources of a run are, in the owner's folder."""
    return f"runs/{run}/commit"


def install_folder(run: str, name: str) -> str:
    """Return the folder of an install. It outlives its run: other runs mount what it has made."""
    return f"installs/{model.slug(name)}-{run}"


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """The folders of a step of a run. ``memory`` is how many bytes the machine can give at most,
    ``disk`` how many the step may write; ``caches`` are the shared ones that it uses: ``main``,
    ``branches`` or none."""

    run: str
    step: BuildStep
    caches: str
    memory: int = 4 * GIB
    disk: int = 10 * GIB
    needs: tuple[Result, ...] = ()
    paths: tuple[str, ...] = field(default=())
    """The paths of the commit that the step sees."""

    @property
    def folder(self) -> str:
        if self.step.kind.fetches:
            return install_folder(self.run, self.step.name)
        return f"runs/{self.run}/{self.step.slug}"

    @property
    def files(self) -> Mapping[str, bytes]:
        """What must be written before the task: paths in the owner's folder to contents."""
        own = {name: text.encode() for name, text in self.step.files.items()}
        return {
            f"{self.folder}/run/{name}": data
            for name, data in {**own, "box.pyz": boxed.program()}.items()
        }

    def out(self, name: str) -> str:
        """Return the path, in the owner's folder, of a file that the task leaves."""
        return f"{self.folder}/out/{name}"

    @property
    def base(self) -> str:
        """The folder, in the owner's folder, of the artifact that the step's should be like."""
        return f"{self.folder}/base"

    def nothing(self, app: str) -> Task:
        """Return a task that does nothing but end what a killed worker has left of the step."""
        return Task(owner=owner(app), argv=("/bin/true",), key=self._key, sandbox=Sandbox())

    @property
    def _key(self) -> str:
        return f"{self.run}.{self.step.slug}"

    def task(self, app: str) -> Task:
        """Return the step as a task of the keeper."""
        return Task(
            owner=owner(app),
            argv=boxed.ARGV,
            key=self._key,
            env=self._environment(),
            cwd="src",
            timeout=self.step.timeout,
            stdin=boxed.described(self.step, inputs=self.paths, brought=self._brought()),
            sandbox=self._sandbox(),
        )

    def _environment(self) -> dict[str, str]:
        own = {"PATH": f"/box/node/bin:{_ENVIRONMENT['PATH']}"} if self._has_node else {}
        given = _FETCHING if self.step.kind.fetches else _INSTALLED
        return {**_ENVIRONMENT, **own, **given}

    @property
    def _has_node(self) -> bool:
        return any(_NODE_TREE in need.trees for need in self.needs)

    def _sandbox(self) -> Sandbox:
        readable = {commit_folder(self.run): "commit", f"{self.folder}/run": "run"}
        readable |= dict(self._mounted())
        if self.step.base:
            readable[self.base] = "base"
        writable = {f"{self.folder}/{name}": name for name in ("src", "out", "scratch")}
        writable |= dict(self._caches())
        return Sandbox(
            readable=tuple(readable),
            writable=tuple(writable),
            mounted_as={**readable, **writable},
            network=self.step.network,
            memory_bytes=min(MEMORY.get(self.step.kind, 2 * GIB), self.memory),
            processes=PROCESSES,
            disk_bytes=self.disk,
        )

    def _mounted(self) -> Iterator[tuple[str, str]]:
        """Mount what is needed where it was made; an install gets it to copy from."""
        place = "needs" if self._goes_on else "src"
        by_tree = {tree: need for need in self.needs for tree in need.trees}
        for tree, need in by_tree.items():
            inside = "node" if tree == _NODE_TREE else f"{place}/{tree}"
            yield f"{need.folder}/src/{tree}", inside

    def _caches(self) -> Iterator[tuple[str, str]]:
        if self.step.kind.fetches:
            own = f"runs/{self.run}/packages"
            yield f"caches/{self.caches}/packages" if self.caches else own, "cache"
        if self.step.kind is StepKind.EXPORT and self.caches:
            yield f"caches/{self.caches}/metro-{_digest(self.step.env)}", "cache/metro"

    def _brought(self) -> tuple[str, ...]:
        trees = (tree for need in self.needs for tree in need.trees if tree != _NODE_TREE)
        return tuple(dict.fromkeys(trees)) if self._goes_on else ()

    @property
    def _goes_on(self) -> bool:
        return self.step.kind is StepKind.INSTALL


def _digest(values: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(dict(values), sort_keys=True).encode()).hexdigest()[:16]
