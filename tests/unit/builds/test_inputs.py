"""What a step sees, and what an install has made."""

from __future__ import annotations

import pathlib
import stat

import pytest

from shipway.builds.box import inputs
from shipway.builds.box.program import StepFailed


def written(root: pathlib.Path, *paths: str) -> pathlib.Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    return root


def names(root: pathlib.Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if not p.is_dir())


def test_only_the_inputs_are_laid_out(tmp_path: pathlib.Path) -> None:
    commit = written(tmp_path / "commit", "api/main.py", "api/deep/er.py", "web/x.ts", "top.json")
    inputs.lay_out(commit, ["api", "top.json"], tmp_path / "src")
    assert names(tmp_path / "src") == ["api/deep/er.py", "api/main.py", "top.json"]


def test_everything_is_writable_and_equally_old(tmp_path: pathlib.Path) -> None:
    commit = written(tmp_path / "commit", "run.sh", "main.py")
    (commit / "run.sh").chmod(0o555)
    (commit / "main.py").chmod(0o444)
    inputs.lay_out(commit, ["run.sh", "main.py"], tmp_path / "src")
    found = {path.name: path.stat() for path in (tmp_path / "src").iterdir()}
    assert stat.S_IMODE(found["run.sh"].st_mode) == 0o755
    assert stat.S_IMODE(found["main.py"].st_mode) == 0o644
    assert {one.st_mtime for one in found.values()} == {inputs.EPOCH}


def test_a_whole_commit_is_laid_out_over_what_is_mounted_already(tmp_path: pathlib.Path) -> None:
    commit = written(tmp_path / "commit", "client/app.ts")
    written(tmp_path / "src", "client/node_modules/x.js")
    inputs.lay_out(commit, ["."], tmp_path / "src")
    assert names(tmp_path / "src") == ["client/app.ts", "client/node_modules/x.js"]


def test_links_stay_links(tmp_path: pathlib.Path) -> None:
    commit = written(tmp_path / "commit", "api/main.py")
    (commit / "api" / "link").symlink_to("main.py")
    (commit / "api" / "folder").symlink_to(".")
    inputs.lay_out(commit, ["api"], tmp_path / "src")
    assert (tmp_path / "src" / "api" / "folder").is_symlink()
    assert (tmp_path / "src" / "api" / "link").readlink() == pathlib.Path("main.py")


def test_a_path_that_the_commit_lacks_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "commit").mkdir()
    with pytest.raises(StepFailed, match="has no gone"):
        inputs.lay_out(tmp_path / "commit", ["gone"], tmp_path / "src")


def test_what_an_install_has_made_is_the_outermost_new_folders(tmp_path: pathlib.Path) -> None:
    commit = written(tmp_path / "commit", "package.json", "packages/a/package.json", "src/x.py")
    src = written(
        tmp_path / "src",
        "package.json",
        "node_modules/left/index.js",
        "packages/a/package.json",
        "packages/a/node_modules/right/index.js",
        "src/__pycache__/x.pyc",
        "new.lock",
    )
    assert inputs.made(src, commit) == ["node_modules", "packages/a/node_modules"]


def test_an_install_goes_on_from_a_copy(tmp_path: pathlib.Path) -> None:
    needs = written(tmp_path / "needs", "api/.venv/bin/python")
    inputs.bring(["api/.venv"], needs, tmp_path / "src")
    (tmp_path / "src" / "api" / ".venv" / "bin" / "python").write_text("changed")
    assert (needs / "api" / ".venv" / "bin" / "python").read_text() == "api/.venv/bin/python"
