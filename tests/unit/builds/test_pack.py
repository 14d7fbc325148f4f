"""Files into one file, the same bytes each time."""

from __future__ import annotations

import os
import pathlib
import tarfile

import pytest

from shipway.builds.box import pack
from shipway.builds.box.program import StepFailed


def written(root: pathlib.Path, files: dict[str, str]) -> pathlib.Path:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def packed(root: pathlib.Path, *names: str) -> pathlib.Path:
    target = root.parent / f"{root.name}.tar"
    pack.pack(root, [root / name for name in names], target)
    return target


FILES = {"b/two.sql": "2", "a.txt": "a", "b/one.sql": "1", "b/.hidden": "h"}


def test_names_are_sorted_and_relative(tmp_path: pathlib.Path) -> None:
    with tarfile.open(packed(written(tmp_path / "x", FILES), "b", "a.txt")) as archive:
        assert archive.getnames() == ["a.txt", "b", "b/.hidden", "b/one.sql", "b/two.sql"]


def test_times_owners_and_order_leave_no_trace(tmp_path: pathlib.Path) -> None:
    one = written(tmp_path / "one", FILES)
    two = written(tmp_path / "two", dict(reversed(FILES.items())))
    for path in two.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700 if path.is_dir() else 0o600)
    assert packed(one, "a.txt", "b").read_bytes() == packed(two, "b", "a.txt").read_bytes()


def test_everything_belongs_to_nobody_in_particular(tmp_path: pathlib.Path) -> None:
    (written(tmp_path / "x", FILES) / "a.txt").chmod(0o751)
    with tarfile.open(packed(tmp_path / "x", "a.txt", "b")) as archive:
        members = {member.name: member for member in archive}
    assert members["a.txt"].mode == 0o755
    assert members["b/one.sql"].mode == 0o644
    assert {(m.uid, m.gid, m.uname, m.mtime) for m in members.values()} == {(0, 0, "", 0)}


def test_a_file_deep_inside_brings_its_folders(tmp_path: pathlib.Path) -> None:
    with tarfile.open(packed(written(tmp_path / "x", {"a/b/c": "c"}), "a/b/c")) as archive:
        assert archive.getnames() == ["a", "a/b", "a/b/c"]


def test_a_link_inside_is_kept(tmp_path: pathlib.Path) -> None:
    root = written(tmp_path / "x", FILES)
    (root / "b" / "link").symlink_to("../a.txt")
    with tarfile.open(packed(root, "a.txt", "b")) as archive:
        assert archive.getmember("b/link").linkname == "../a.txt"


@pytest.mark.parametrize("to", ["/etc/passwd", "../../outside", "../nowhere", "../a.txt"])
def test_a_link_to_what_is_not_packed_is_refused(tmp_path: pathlib.Path, to: str) -> None:
    root = written(tmp_path / "x", FILES)
    (root / "b" / "link").symlink_to(to)
    with pytest.raises(StepFailed, match="link"):
        packed(root, "b")


def test_what_is_neither_file_nor_folder_is_refused(tmp_path: pathlib.Path) -> None:
    root = written(tmp_path / "x", FILES)
    os.mkfifo(root / "b" / "pipe")
    with pytest.raises(StepFailed, match="b/pipe is neither"):
        packed(root, "b")


def test_an_artifact_has_a_largest_size(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack, "LARGEST", 3)
    with pytest.raises(StepFailed, match="larger than 3 bytes"):
        packed(written(tmp_path / "x", FILES), "a.txt", "b")
