"""The files that Envoy watches: each written whole or not at all, and only when it changed."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import re
import shutil
import uuid
from collections.abc import Mapping
from typing import Any

from shipway.edge.drivers.envoy import clusters, listeners, routes
from shipway.edge.model import Table

Json = dict[str, Any]

LDS = "lds/listeners.json"
CDS = "cds/clusters.json"

FOLDER_MODE = 0o2750
FILE_MODE = 0o640
PROGRAM_MODE = 0o750
RUN_MODE = 0o2770
"""Envoy makes its socket and its access log in ``run``."""


def rendered(
    table: Table,
    places: listeners.Places,
    certificates: Mapping[str, str],
) -> dict[str, str]:
    """Return every file by its path, in the order in which Envoy should get them."""
    configurations = routes.route_configurations(
        table, https_port=places.https_port, http_port=places.http_port
    )
    listening = listeners.listeners(table, places, certificates)
    return {
        CDS: file_of(clusters.clusters(table.pools)),
        **{f"rds/{name}/routes.json": file_of([one]) for name, one in configurations.items()},
        LDS: file_of(
            [
                {"@type": "type.googleapis.com/envoy.config.listener.v3.Listener", **listener}
                for listener in listening
            ]
        ),
    }


def version(text: str) -> str:
    """Return the version that stands in a file."""
    return str(json.loads(text)["version_info"])


def resources(text: str) -> list[Json]:
    """Return what a file says."""
    found: list[Json] = json.loads(text)["resources"]
    return found


def certificates(listener_file: str) -> set[str]:
    """Return the PEM files that a file of listeners names."""
    return set(re.findall(r'"filename": "([^"]+)"', listener_file))


def watched(path: str, listener_file: str) -> bool:
    """Return whether Envoy watches this file: routes only once a listener asks for them."""
    name = pathlib.PurePosixPath(path).parent.name
    return path in {CDS, LDS} or f'"route_config_name": "{name}"' in listener_file


def statistics_of(path: str) -> str:
    """Return the name under which Envoy counts what it took from a file."""
    if path == LDS:
        return "listener_manager.lds"
    if path == CDS:
        return "cluster_manager.cds"
    return f"http.edge.rds.{pathlib.PurePosixPath(path).parent.name}"


def file_of(resources: list[Json]) -> str:
    """Return the text of a file of resources; its version is the digest of what it says."""
    body = json.dumps(resources, sort_keys=True)
    digest = hashlib.sha256(body.encode()).hexdigest()[:16]
    return json.dumps({"version_info": digest, "resources": resources}, indent=1, sort_keys=True)


class Files:
    """A folder of files. Those who may read it are the group that the folder is of."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    def make_folders(self, paths: tuple[str, ...]) -> None:
        """Make the folders of these files, and ``run`` and ``tmp``. May be repeated."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in ("run/-", "tmp/-", *paths):
            for parent in reversed(pathlib.PurePosixPath(path).parents[:-1]):
                made = self.folder / parent
                made.mkdir(exist_ok=True)
                self._share(made, RUN_MODE if parent.name == "run" else FOLDER_MODE)

    def read(self, path: str) -> str | None:
        """Return a file's text, or None where there is none."""
        try:
            return (self.folder / path).read_text()
        except FileNotFoundError:
            return None

    def write(self, path: str, text: str) -> None:
        """Replace a file at once: Envoy and a crash see the old text or the new one."""
        draft = self.folder / "tmp" / uuid.uuid4().hex
        with draft.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        self._share(draft, FILE_MODE)
        draft.replace(self.folder / path)

    def place(self, program: pathlib.Path, path: str) -> None:
        """Have a copy of a program that the group may run. May be repeated."""
        target = self.folder / path
        if target.exists():
            return
        draft = self.folder / "tmp" / uuid.uuid4().hex
        shutil.copyfile(program, draft)
        self._share(draft, PROGRAM_MODE)
        draft.replace(target)

    def _share(self, path: pathlib.Path, mode: int) -> None:
        found, group = path.stat(), self.folder.stat().st_gid
        if found.st_gid != group:
            os.chown(path, -1, group)
        if found.st_mode & 0o7777 != mode:
            path.chmod(mode)
