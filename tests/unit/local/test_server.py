from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping

from shipway.appfile.model import Server
from shipway.local import server


def plan(
    root: pathlib.Path, part: Server, env: Mapping[str, str] | None = None, *, shared: bool = False
) -> server.Start:
    return server.plan(root, part, env or {}, shared=shared)


def package(folder: pathlib.Path, **scripts: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "package.json").write_text(json.dumps({"scripts": scripts}))


def program(folder: pathlib.Path, path: str) -> str:
    found = folder / path
    found.parent.mkdir(parents=True)
    found.touch()
    return str(found)


def test_a_python_server_is_called_by_the_interpreter_that_has_its_packages(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / "api").mkdir()
    python = program(tmp_path, ".venv/bin/python")
    start = plan(tmp_path, Server(kind="python", folder="api", entry="shop.main:serve"))
    assert start.argv[:2] == (python, "-c")
    assert "from shop.main import serve as main" in start.argv[2]
    assert not start.reloads


def test_a_python_server_with_a_command_of_its_own_is_started_by_that(
    tmp_path: pathlib.Path,
) -> None:
    start = plan(
        tmp_path,
        Server(kind="python", start=("python", "-m", "uvicorn", "shop:app", "--port", "{port}")),
        env={"PORT": "5000"},
    )
    assert start.argv == ("python3", "-m", "uvicorn", "shop:app", "--port", "5000")


def test_without_an_environment_it_is_the_interpreter_on_the_path(tmp_path: pathlib.Path) -> None:
    start = plan(tmp_path, Server(kind="python", entry="shop.main:serve"))
    assert start.argv[0] == "python3"


def test_the_apps_own_command_goes_first(tmp_path: pathlib.Path) -> None:
    start = plan(tmp_path, Server(kind="python", entry="shop:main", dev=("make", "serve")))
    assert (start.argv, start.reloads) == (("make", "serve"), True)


def test_a_node_server_has_a_script_or_tsx_or_node_itself(tmp_path: pathlib.Path) -> None:
    part = Server(kind="node", folder="api", entry="src/main.ts")

    def chosen(scripts: Mapping[str, str], *, shared: bool = False) -> tuple[str, ...]:
        package(tmp_path / "api", **scripts)
        return plan(tmp_path, part, shared=shared).argv

    assert chosen({}) == ("node", "--watch", "src/main.ts")
    tsx = program(tmp_path, "node_modules/.bin/tsx")
    assert chosen({}) == (tsx, "watch", "--clear-screen=false", "src/main.ts")
    assert chosen({"dev": "x"}) == ("npm", "run", "--silent", "dev")
    assert chosen({"dev": "x", "server:dev": "y"})[-1] == "server:dev"
    assert chosen({"dev": "expo start"}, shared=True)[0] == tsx


def test_a_command_builds_before_it_starts(tmp_path: pathlib.Path) -> None:
    part = Server(kind="command", run=("make",), output="out/server", start=("{server}", "-v"))
    start = plan(tmp_path, part)
    assert start.before == ("make",)
    assert start.argv == (str(tmp_path / "out" / "server"), "-v")
