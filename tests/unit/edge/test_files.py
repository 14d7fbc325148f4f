from __future__ import annotations

import pathlib

from hypothesis import given
from hypothesis import strategies as st

from shipway.edge.drivers.envoy import bootstrap, files
from shipway.edge.drivers.envoy.files import Files


def test_folders_and_files_are_the_groups(tmp_path: pathlib.Path) -> None:
    made = Files(tmp_path / "edge")
    for _ in range(2):
        made.make_folders(("rds/plain/routes.json", "lds/listeners.json"))
    made.write("rds/plain/routes.json", "text")
    modes = {
        str(path.relative_to(tmp_path / "edge")): oct(path.stat().st_mode & 0o7777)
        for path in (tmp_path / "edge").rglob("*")
    }
    assert modes == {
        "lds": "0o2750",
        "rds": "0o2750",
        "rds/plain": "0o2750",
        "rds/plain/routes.json": "0o640",
        "run": "0o2770",
        "tmp": "0o2750",
    }


def test_a_file_is_replaced_whole(tmp_path: pathlib.Path) -> None:
    made = Files(tmp_path)
    made.make_folders(("lds/x",))
    assert made.read("lds/x") is None
    made.write("lds/x", "old")
    reader = (tmp_path / "lds/x").open()
    made.write("lds/x", "new")
    assert made.read("lds/x") == "new"
    with reader:
        assert reader.read() == "old"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_program_is_copied_once_for_the_group(tmp_path: pathlib.Path) -> None:
    program = tmp_path / "program"
    program.write_text("one")
    made = Files(tmp_path / "edge")
    made.make_folders(("bin/program",))
    made.place(program, "bin/program")
    program.write_text("two")
    made.place(program, "bin/program")
    copy = tmp_path / "edge/bin/program"
    assert copy.read_text() == "one"
    assert copy.stat().st_mode & 0o777 == 0o750


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers()), max_size=3))
def test_the_version_says_what_a_file_says(resources: list[files.Json]) -> None:
    text = files.file_of(resources)
    assert files.resources(text) == resources
    assert files.version(text) == files.version(files.file_of(resources))
    assert files.version(text) != files.version(files.file_of([*resources, {}]))


def test_the_program_is_the_one_that_is_installed() -> None:
    path, version = bootstrap.program()
    assert path.name == "envoy"
    assert path.stat().st_size > 50 * 1024**2
    assert version
