"""What is checked of an export, without Expo."""

from __future__ import annotations

import pathlib
import struct
import subprocess
import tarfile

import pytest

from shipway.builds.box import client
from shipway.builds.box.program import StepFailed

DOMAIN = {"EXPO_PUBLIC_DOMAIN": "staging.notes.example:8443"}


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    made = tmp_path / "client"
    (made / "lib").mkdir(parents=True)
    (made / "lib" / "api.ts").write_text("const at = process.env.EXPO_PUBLIC_DOMAIN;\n")
    return made


@pytest.fixture
def export(tmp_path: pathlib.Path) -> pathlib.Path:
    made = tmp_path / "dist"
    made.mkdir()
    return made


def bytecode(version: int, text: str = "") -> bytes:
    return struct.pack("<QI", client.MAGIC, version) + b"\0" * 20 + text.encode()


def test_the_version_of_the_bytecode_is_read(export: pathlib.Path) -> None:
    assert client.hermes_version(export) == ""
    (export / "entry.hbc").write_bytes(bytecode(98))
    assert client.hermes_version(export) == "98"


@pytest.mark.parametrize("data", [b"", b"short", b"var x = 1; // not bytecode"])
def test_what_is_no_bytecode_is_refused(export: pathlib.Path, data: bytes) -> None:
    (export / "entry.hbc").write_bytes(data)
    with pytest.raises(StepFailed, match=r"entry\.hbc is not Hermes bytecode"):
        client.hermes_version(export)


def test_an_export_with_the_address_is_good(folder: pathlib.Path, export: pathlib.Path) -> None:
    (export / "entry.hbc").write_bytes(bytecode(98, f"https://{DOMAIN['EXPO_PUBLIC_DOMAIN']}/x"))
    client._check_address(folder, export, DOMAIN)


def test_an_export_for_another_environment_is_refused(
    folder: pathlib.Path, export: pathlib.Path
) -> None:
    (export / "entry.hbc").write_bytes(bytecode(98, "https://notes.example/x"))
    with pytest.raises(StepFailed, match=r"does not contain staging\.notes\.example:8443"):
        client._check_address(folder, export, DOMAIN)


def test_a_client_that_never_asks_for_the_address_needs_none(
    folder: pathlib.Path, export: pathlib.Path
) -> None:
    (folder / "lib" / "api.ts").write_text("const at = 'x';\n")
    (folder / "node_modules").mkdir()
    (folder / "node_modules" / "other.js").write_text("process.env.EXPO_PUBLIC_DOMAIN")
    client._check_address(folder, export, DOMAIN)
    client._check_address(folder, export, {})


def test_commands_and_compiler_are_found_as_pnpm_puts_them(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """The compiler is beside React Native in its own store, and a command is a shell script."""
    store = folder / "node_modules" / ".pnpm" / "react-native@1" / "node_modules"
    hermesc = store / client._HERMESC[0]
    command = folder / "node_modules" / ".bin" / "fingerprint"
    for path, text in ((hermesc, "the compiler"), (command, '#!/bin/sh\necho \'{"hash": "f"}\'\n')):
        path.parent.mkdir(parents=True)
        path.write_text(text)
        path.chmod(0o755)
    (store / "react-native").mkdir()
    (folder / "node_modules" / "react-native").symlink_to(store / "react-native")
    wrapped = client._wrap_hermesc(folder, tmp_path) / "build" / "bin" / "hermesc"
    assert str(hermesc) in wrapped.read_text()
    assert client.fingerprint(folder, "ios", tmp_path / "fingerprint.json") == "f"


def test_source_maps_are_an_artifact_of_their_own(
    export: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    for name in ("metadata.json", "js/entry.hbc", "js/entry.hbc.map"):
        (export / name).parent.mkdir(exist_ok=True)
        (export / name).write_text(name)
    client.pack_export(export, tmp_path / "main.tar", tmp_path / "maps.tar")
    with tarfile.open(tmp_path / "main.tar") as archive:
        assert archive.getnames() == ["js", "js/entry.hbc", "metadata.json"]
    with tarfile.open(tmp_path / "maps.tar") as archive:
        assert archive.getnames() == ["js", "js/entry.hbc.map"]


@pytest.mark.parametrize("place", client._HERMESC)
def test_hermesc_is_called_with_bare_names(tmp_path: pathlib.Path, place: str) -> None:
    compiler = tmp_path / "client" / "node_modules" / place
    compiler.parent.mkdir(parents=True)
    compiler.write_text('#!/bin/sh\necho "$(basename "$PWD") $*"\n')
    compiler.chmod(0o755)
    source = tmp_path / "expo-bundler-0.123-456" / "index.js"
    source.parent.mkdir()
    source.write_text("1;\n")
    (tmp_path / "scratch").mkdir()
    at = client._wrap_hermesc(tmp_path / "client", tmp_path / "scratch")
    wrapper = str(at / "build" / "bin" / "hermesc")
    argv = (wrapper, "-emit-binary", "-out", str(source.with_suffix(".hbc")), str(source), "-O")
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert said == "expo-bundler-0.123-456 -emit-binary -O -out index.hbc index.js\n"
    plain = subprocess.run((wrapper, "-version"), capture_output=True, text=True, check=True)
    assert plain.stdout.endswith("-version\n")


@pytest.mark.parametrize("status", [0, 1])
def test_bytecode_is_made_upon_older_bytecode_that_fits(
    tmp_path: pathlib.Path, status: int
) -> None:
    compiler = tmp_path / "client" / "node_modules" / client._HERMESC[0]
    compiler.parent.mkdir(parents=True)
    # Like the real one, it refuses the bytecode of another version.
    compiler.write_text(
        f'#!/bin/sh\necho "$*"\ncase "$*" in *base-bytecode*) exit {status};; esac\n'
    )
    compiler.chmod(0o755)
    (tmp_path / "scratch").mkdir()
    source = tmp_path / "index.js"
    source.write_text("1;\n")
    base = tmp_path / "old.hbc"
    at = client._wrap_hermesc(tmp_path / "client", tmp_path / "scratch", base)
    argv = (str(at / "build" / "bin" / "hermesc"), "-O", "-out", "index.hbc", str(source))
    run = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=tmp_path)
    said = [f"-O -base-bytecode {base} -out index.hbc index.js"]
    assert run.stdout.splitlines() == said + ["-O -out index.hbc index.js"] * status


def test_a_client_without_dependencies_says_what_to_add(tmp_path: pathlib.Path) -> None:
    with pytest.raises(StepFailed, match=r"add an \[\[install\]\]"):
        client.fingerprint(tmp_path, "ios", tmp_path / "out")
