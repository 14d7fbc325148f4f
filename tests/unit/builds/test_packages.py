"""Which packages a server needs at run time, in folders as npm, pnpm and workspaces leave them."""

from __future__ import annotations

import json
import pathlib

import pytest

from shipway.builds.box import packages
from shipway.builds.box.program import StepFailed


def package(folder: pathlib.Path, **manifest: object) -> pathlib.Path:
    folder.mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps(manifest))
    (folder / "index.js").write_text("")
    return folder


def names(found: packages.Closure) -> set[str]:
    return {path.relative_to(found.root).as_posix() for path in found.paths}


def test_needs_are_followed_and_nothing_else_comes_along(tmp_path: pathlib.Path) -> None:
    shelf = tmp_path / "node_modules"
    package(shelf / "a", dependencies={"b": "1", "gone": "1"}, devDependencies={"dev": "1"})
    package(shelf / "b", optionalDependencies={"@c/d": "1"})
    package(shelf / "@c" / "d", peerDependencies={"e": "1", "f": "1"},
            peerDependenciesMeta={"f": {"optional": True}})  # fmt: skip
    for name in ("e", "f", "dev"):
        package(shelf / name)
    found = packages.closure(tmp_path, tmp_path, ["a"])
    homes = {home.relative_to(shelf).as_posix() for home in found.homes}
    assert homes == {"a", "b", "@c/d", "e"}


def test_the_nearest_version_is_taken_and_the_other_one_only_if_needed(
    tmp_path: pathlib.Path,
) -> None:
    shelf = tmp_path / "node_modules"
    package(shelf / "a", dependencies={"b": "2"})
    package(shelf / "a" / "node_modules" / "b")
    package(shelf / "b")
    found = names(packages.closure(tmp_path, tmp_path, ["a"]))
    assert "node_modules/a/node_modules/b/index.js" in found
    assert "node_modules/b/index.js" not in found


def test_an_optional_peer_comes_along_where_the_server_has_chosen_it(
    tmp_path: pathlib.Path,
) -> None:
    shelf = tmp_path / "node_modules"
    optional = {"optional": True}
    package(shelf / "knex", peerDependenciesMeta={"pg": optional, "mysql": optional})
    package(shelf / "pg")
    package(shelf / "mysql")
    found = packages.closure(tmp_path, tmp_path, ["knex"], declared=["knex", "pg"])
    assert {home.name for home in found.homes} == {"knex", "pg"}


def test_links_of_pnpm_are_kept_with_what_they_lead_to(tmp_path: pathlib.Path) -> None:
    store = tmp_path / "node_modules" / ".pnpm"
    a = package(store / "a@1" / "node_modules" / "a", dependencies={"b": "1"})
    b = package(store / "b@1" / "node_modules" / "b")
    (store / "a@1" / "node_modules" / "b").symlink_to(b)
    (tmp_path / "node_modules" / "a").symlink_to(a)
    found = packages.closure(tmp_path, tmp_path, ["a"])
    assert found.homes == {a, b}
    assert {path.name for path in found.links} == {"a", "b"}


def test_a_package_of_the_repository_comes_with_its_own_needs(tmp_path: pathlib.Path) -> None:
    shared = package(tmp_path / "packages" / "shared", dependencies={"b": "1"})
    package(shared / "node_modules" / "b")
    api = package(tmp_path / "packages" / "api")
    (tmp_path / "node_modules" / "@x").mkdir(parents=True)
    (tmp_path / "node_modules" / "@x" / "shared").symlink_to("../../packages/shared")
    found = packages.closure(tmp_path, api, ["@x/shared"])
    assert names(found) == {
        "node_modules/@x/shared",
        "packages/shared/index.js",
        "packages/shared/package.json",
        "packages/shared/node_modules/b/index.js",
        "packages/shared/node_modules/b/package.json",
    }
    assert packages.is_workspace(tmp_path, tmp_path / "node_modules" / "@x" / "shared")
    assert not packages.is_workspace(tmp_path, shared / "node_modules" / "b")


def test_programs_come_along_when_what_they_lead_to_does(tmp_path: pathlib.Path) -> None:
    shelf = tmp_path / "node_modules"
    package(shelf / "a")
    package(shelf / "b")
    (shelf / ".bin").mkdir()
    for name in ("a", "b"):
        (shelf / ".bin" / name).symlink_to(f"../{name}/index.js")
    found = names(packages.closure(tmp_path, tmp_path, ["a"]))
    assert "node_modules/.bin/a" in found
    assert "node_modules/.bin/b" not in found


def test_a_package_that_is_not_installed_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(StepFailed, match=r"absent is not installed .* in package\.json"):
        packages.closure(tmp_path, tmp_path, ["absent"])


def test_a_link_out_of_the_repository_is_refused(tmp_path: pathlib.Path) -> None:
    outside = package(tmp_path / "outside")
    root = tmp_path / "inside"
    (root / "node_modules").mkdir(parents=True)
    (root / "node_modules" / "a").symlink_to(outside)
    with pytest.raises(StepFailed, match="outside the repository"):
        packages.closure(root, root, ["a"])
