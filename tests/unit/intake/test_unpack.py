from __future__ import annotations

import gzip
import pathlib
import tarfile
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.intake import packing

from shipway.intake import unpack
from shipway.intake.model import File
from shipway.kit import errors

PAGE = {"index.html": b"<html>"}


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    return info


def unpacked(folder: pathlib.Path, *members: tarfile.TarInfo) -> dict[str, File]:
    (folder / "to").mkdir()
    pages = [(tarfile.TarInfo("index.html"), b"<html>")]
    archive = packing.tar_of(folder / "x.tar", [*pages, *((info, b"") for info in members)])
    return unpack.unpack(archive, folder / "to")


@pytest.mark.parametrize(
    "bad",
    [
        member("../out"),
        member("/out"),
        member("a/../../out"),
        member("a//b"),
        member("a/./b"),
        member("a\\..\\b"),
        member("a\nb"),
        member("x" * 600),
        member("link", tarfile.SYMTYPE, "/etc/passwd"),
        member("hard", tarfile.LNKTYPE, "index.html"),
        member("pipe", tarfile.FIFOTYPE),
        member("device", tarfile.CHRTYPE),
        member("index.html"),
        member("index.html/below"),
    ],
)
def test_a_hostile_member_is_refused(bad: tarfile.TarInfo, tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.Refused):
        unpacked(tmp_path, bad)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["to", "x.tar"]


NAMES = st.lists(
    st.sampled_from(["..", ".", "", "a", "b.js", "/", "\\", "\0", "~", "é", "C:", "..."]),
    min_size=1,
    max_size=6,
).map("/".join)


@given(st.lists(NAMES, max_size=4))
def test_whatever_the_names_nothing_is_written_outside(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        try:
            found = unpacked(folder, *(member(each) for each in names))
        except (errors.Refused, ValueError):
            found = {}
        outside = {path.name for path in folder.iterdir()} - {"x.tar"}
        assert outside == {"to"}
        for path in found:
            assert (folder / "to" / path).resolve().is_relative_to((folder / "to").resolve())
            assert (folder / "to" / path).is_file()


def test_too_many_files_are_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "MOST_FILES", 3)
    with pytest.raises(errors.Refused, match="too many"):
        unpacked(tmp_path, *(member(f"{number}.js") for number in range(3)))


def test_too_many_bytes_are_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "MOST_BYTES", 1000)
    (tmp_path / "to").mkdir()
    archive = packing.tar(tmp_path / "x.tar", PAGE | {"a.js": b"x" * 600, "b.js": b"x" * 600})
    with pytest.raises(errors.Refused, match="larger than"):
        unpack.unpack(archive, tmp_path / "to")


def test_what_is_no_export_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "to").mkdir()
    with pytest.raises(errors.Refused, match=r"no index\.html"):
        unpack.unpack(packing.tar(tmp_path / "x.tar", {"main.py": b""}), tmp_path / "to")
    (tmp_path / "y.tar").write_bytes(b"no tar file at all" * 100)
    with pytest.raises(errors.Refused, match="cannot be unpacked"):
        unpack.unpack(tmp_path / "y.tar", tmp_path / "to")


def test_a_cut_off_archive_is_refused(tmp_path: pathlib.Path) -> None:
    whole = packing.tar(tmp_path / "x.tar", PAGE | {"a.js": b"x" * 100_000}).read_bytes()
    (tmp_path / "x.tar").write_bytes(whole[:50_000])
    (tmp_path / "to").mkdir()
    with pytest.raises(errors.Refused):
        unpack.unpack(tmp_path / "x.tar", tmp_path / "to")


def test_texts_get_a_compressed_copy(tmp_path: pathlib.Path) -> None:
    script = b"let greeting = 'good morning';\n" * 200
    files = PAGE | {"./a.js": script, "b.png": script, "c.js": b"short"}
    (tmp_path / "to").mkdir()
    found = unpack.unpack(packing.tar(tmp_path / "x.tar", files), tmp_path / "to")
    assert set(found) == {"index.html", "a.js", "a.js.gz", "b.png", "c.js"}
    assert gzip.decompress((tmp_path / "to" / "a.js.gz").read_bytes()) == script
    assert found["a.js.gz"].size == (tmp_path / "to" / "a.js.gz").stat().st_size
