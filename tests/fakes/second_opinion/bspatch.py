"""Expo's own ``bspatch``, built from the source in its npm package."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import tempfile

import pytest
from tests.fakes.expo_client import patches
from tests.fakes.second_opinion import npm

SOURCE = "node_modules/expo-updates/vendor/bspatch/bspatch.c"
MAIN = """\
int bspatch_main(int argc, char *argv[]);
int main(int argc, char *argv[]) { return bspatch_main(argc, argv); }
"""


def program() -> pathlib.Path:
    """Build it, once. Skips the test where there is no compiler or no bzip2 to build with."""
    if not shutil.which("gcc"):
        pytest.skip("there is no gcc")
    folder = npm.modules()
    built = folder / "bspatch"
    with npm.alone(folder):
        if not built.exists():
            _build(folder)
    return built


def _build(folder: pathlib.Path) -> None:
    (folder / "main.c").write_text(MAIN)
    done = subprocess.run(
        ["gcc", "-O2", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64", "-o", "bspatch.new",
         "main.c", SOURCE, "-lbz2"],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if "bzlib.h" in done.stderr or "-lbz2" in done.stderr:
        pytest.skip("the headers of bzip2 are not installed (libbz2-dev)")
    assert done.returncode == 0, done.stderr
    (folder / "bspatch.new").replace(folder / "bspatch")


def apply(base: bytes, patch: bytes) -> bytes:
    """Apply a patch as a phone does. Raises `patches.Corrupt` when the program refuses it."""
    built = program()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "old").write_bytes(base)
        (folder / "patch").write_bytes(patch)
        argv = [str(built), str(folder / "old"), str(folder / "new"), str(folder / "patch")]
        done = subprocess.run(argv, capture_output=True, timeout=60, check=False)
        if done.returncode != 0:
            raise patches.Corrupt(f"bspatch ends with {done.returncode}")
        return (folder / "new").read_bytes()
