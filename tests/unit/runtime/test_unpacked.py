"""Where the files of a release are, and how its server is started."""

from __future__ import annotations

import pathlib

from shipway.runtime import unpacked
from shipway.runtime.model import Start
from shipway.runtime.unpacked import Release

OWNER = pathlib.Path("/owner")


def start(kind: str, *argv: str) -> Start:
    return Start(
        app="shop", environment="staging", release="rel_1", deployment="dep_1", index=0,
        kind=kind, argv=argv,
    )  # fmt: skip


def test_node_is_started_in_the_folder_of_its_sources() -> None:
    release = Release(name="rel_1", kind="node", main="apps/api/dist/index.js", cwd="apps/api")
    assert unpacked.argv(start("node"), release, OWNER, 5000) == (
        "node",
        "/owner/releases/rel_1/server/apps/api/dist/index.js",
    )
    assert release.sources == "releases/rel_1/server/apps/api"
    assert release.workplace == "work/rel_1"
    own = unpacked.argv(
        start("node", "node", "--enable-source-maps", "{server}"), release, OWNER, 5000
    )
    assert own[2].endswith("apps/api/dist/index.js")


def test_other_servers_are_one_file() -> None:
    release = Release(name="rel_1", kind="command", main="", cwd="apps/api")
    assert unpacked.argv(start("command", "{server}", "serve"), release, OWNER, 5000)[0] == (
        "/owner/releases/rel_1/server"
    )
    assert release.workplace == "."


def test_a_release_finds_its_own_node_first() -> None:
    release = Release(name="rel_1", kind="node", main="index.js")
    env = unpacked.environment(start("node"), release, OWNER, "/usr/bin")
    assert env["PATH"] == ("/owner/releases/rel_1/bin:/owner/releases/rel_1/node/bin:/usr/bin")


def test_commands_of_migrations_find_the_programs_around_them() -> None:
    release = Release(name="rel_1", kind="node")
    made = unpacked.prepared(release, path="/usr/bin", below="packages/db")
    assert made.cwd == "releases/rel_1/database/packages/db"
    assert made.env["PATH"].split(":")[1:] == [
        "{owner}/releases/rel_1/node/bin",
        "{owner}/releases/rel_1/database/packages/db/node_modules/.bin",
        "{owner}/releases/rel_1/database/packages/node_modules/.bin",
        "{owner}/releases/rel_1/database/node_modules/.bin",
        "/usr/bin",
    ]
