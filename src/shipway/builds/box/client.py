"""The client: exports by Expo that repeat bit for bit, and fingerprints of all that is native.

What makes an export differ from one time to the next, and what is done about it: hermesc writes
the random name of its temporary folder into the bundle (a wrapper calls it with a bare file
name); two platforms in one command share a counter (one platform for each command); Metro's cache
forgets that public variables have changed (a cache for each set of values).
"""

from __future__ import annotations

import json
import pathlib
import re
import struct
from collections.abc import Iterator, Mapping

from . import pack, program
from .program import StepFailed

MAGIC = 0x1F1903C103BC1FC6
"""How a file of Hermes bytecode begins, as a little-endian number; its version follows."""

ADDRESS = "EXPO_PUBLIC_DOMAIN"
"""The public variable that says where the environment is."""

CONFIG = "expoConfig.json"
"""The public configuration, beside an export: updates carry it for `Constants.expoConfig`."""

SOURCE = {".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".json"}

_HERMESC = (
    "hermes-compiler/hermesc/linux64-bin/hermesc",
    "react-native/sdks/hermesc/linux64-bin/hermesc",
)
"""Where the compiler is in node_modules, for React Native from 0.83 on and before."""

_WRAPPER = '''\
#!/usr/bin/python3 -sE
"""Calls hermesc with bare file names, in the folder of the source."""
import os, pathlib, sys

flags, source, target = [], None, None
arguments = iter(sys.argv[1:])
for argument in arguments:
    if argument == "-out":
        target = pathlib.Path(next(arguments)).resolve()
    elif argument.startswith("-"):
        flags.append(argument)
    else:
        source = pathlib.Path(argument).resolve()
if source is None or target is None:
    os.execv(@HERMESC@, [@HERMESC@, *sys.argv[1:]])
os.chdir(source.parent)
out = os.path.relpath(target, source.parent)
if @BASE@:
    argv = [@HERMESC@, *flags, "-base-bytecode", @BASE@, "-out", out, source.name]
    if os.spawnv(os.P_WAIT, @HERMESC@, argv) == 0:
        sys.exit()
    # The base is of another compiler; then it is no base.
os.execv(@HERMESC@, [@HERMESC@, *flags, "-out", out, source.name])
'''


def export(
    folder: pathlib.Path,
    platform: str,
    publics: Mapping[str, str],
    scratch: pathlib.Path,
    base: pathlib.Path | None = None,
) -> pathlib.Path:
    """Export one platform and return the folder. Raises `StepFailed` when it lacks the address.

    ``base`` is older bytecode: its numbering is kept where it can be, and patches stay small.
    """
    target = scratch / "dist"
    own = {"TMPDIR": str(_temporary(scratch)), "EXPO_OFFLINE": "1", "EXPO_NO_TELEMETRY": "1"}
    env = {**publics, **own}
    flags: tuple[str, ...] = ()
    if platform != "web":
        env["REACT_NATIVE_OVERRIDE_HERMES_DIR"] = str(_wrap_hermesc(folder, scratch, base))
        flags = ("--source-maps",)
    expo = (_program(folder, "expo"), "export", "--platform", platform)
    program.run((*expo, "--output-dir", str(target), *flags), folder, env)
    _check_address(folder, target, publics)
    if platform != "web":
        (target / CONFIG).write_text(_public_config(folder, env))
    return target


def split(export_: pathlib.Path) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
    """Return what is served of an export, and its source maps, which are not."""
    files = sorted(path for path in export_.rglob("*") if path.is_file())
    maps = [path for path in files if path.suffix == ".map"]
    return [path for path in files if path not in set(maps)], maps


def pack_export(export_: pathlib.Path, main: pathlib.Path, maps: pathlib.Path) -> None:
    """Put an export into two artifacts: what is served, and the source maps."""
    served, mapped = split(export_)
    pack.pack(export_, served, main)
    pack.pack(export_, mapped, maps)


def hermes_version(export_: pathlib.Path) -> str:
    """Return the version of the bytecode in an export, or "" when it has none.

    A runtime loads only bytecode of its own version.
    """
    for path in sorted(export_.rglob("*.hbc")):
        with path.open("rb") as file:
            head = file.read(12)
        if len(head) == 12 and struct.unpack("<QI", head)[0] == MAGIC:
            return str(struct.unpack("<QI", head)[1])
        raise StepFailed(f"{path.name} is not Hermes bytecode.")
    return ""


def fingerprint(folder: pathlib.Path, platform: str, target: pathlib.Path) -> str:
    """Write what the native side of the client is made of to a file, and return its hash."""
    tool = (_program(folder, "fingerprint"), "fingerprint:generate")
    output = program.output_of((*tool, "--platform", platform), folder, {"EXPO_OFFLINE": "1"})
    try:
        found = json.loads(output[output.index("{") :])
        hash_ = str(found["hash"])
    except (ValueError, KeyError, TypeError) as error:
        raise StepFailed(f"The fingerprint of {platform} cannot be read: {output[:200]}") from error
    target.write_text(json.dumps(found, sort_keys=True, indent=1))
    return hash_


def _public_config(folder: pathlib.Path, env: Mapping[str, str]) -> str:
    """Return the public configuration as JSON, the same text for the same configuration."""
    tool = (_program(folder, "expo"), "config", "--type", "public", "--json")
    output = program.output_of(tool, folder, env)
    try:
        found = json.loads(output[output.index("{") :])
    except ValueError as error:
        raise StepFailed(f"The public configuration cannot be read: {output[:200]}") from error
    return json.dumps(found, sort_keys=True, indent=1)


def _temporary(scratch: pathlib.Path) -> pathlib.Path:
    """Return a folder for temporary files in which Metro finds its kept transformations.

    Its other cache, the map of files by their times, must be new: all sources are equally old.
    """
    temporary = scratch / "tmp"
    temporary.mkdir(exist_ok=True)
    kept = pathlib.Path("/box/cache/metro")
    if kept.is_dir():
        (temporary / "metro-cache").symlink_to(kept)
    return temporary


def _wrap_hermesc(
    folder: pathlib.Path, scratch: pathlib.Path, base: pathlib.Path | None = None
) -> pathlib.Path:
    for place in _HERMESC:
        if found := _package_file(folder, place):
            wrapper = scratch / "hermes" / "build" / "bin" / "hermesc"
            wrapper.parent.mkdir(parents=True)
            text = _WRAPPER.replace("@HERMESC@", repr(str(found)))
            wrapper.write_text(text.replace("@BASE@", repr(str(base or ""))))
            wrapper.chmod(0o755)
            return scratch / "hermes"
    raise StepFailed("node_modules has no Hermes compiler: is react-native installed?")


def _package_file(folder: pathlib.Path, name: str) -> pathlib.Path | None:
    """Find a file of a package of the client, or of one that only React Native sees (pnpm)."""
    around = [folder]
    if native := _upwards(folder, "node_modules/react-native"):
        around.append(native.resolve())
    found = (_upwards(here, f"node_modules/{name}") for here in around)
    return next((place for place in found if place), None)


def _program(folder: pathlib.Path, name: str) -> str:
    """Find a command of a package. npm links it to its JavaScript, pnpm writes a shell script:
    it is run as it is."""
    if found := _upwards(folder, f"node_modules/.bin/{name}"):
        return str(found)
    raise StepFailed(
        f"node_modules has no `{name}`: add an [[install]] for the client to shipway.toml."
    )


def _upwards(folder: pathlib.Path, name: str) -> pathlib.Path | None:
    places = (here / name for here in (folder, *folder.parents))
    return next((place for place in places if place.exists()), None)


def _check_address(folder: pathlib.Path, export_: pathlib.Path, publics: Mapping[str, str]) -> None:
    """Refuse a client that would talk to another environment, or to none."""
    address = publics.get(ADDRESS, "")
    if not address or not any(ADDRESS.encode() in data for data in _sources(folder)):
        return
    if not any(address.encode() in path.read_bytes() for path in _bundles(export_)):
        raise StepFailed(
            f"The sources use {ADDRESS}, but the export does not contain {address}: "
            "is the variable overwritten by a .env file or read in another way than "
            f"process.env.{ADDRESS}?"
        )


def _sources(folder: pathlib.Path) -> Iterator[bytes]:
    for path in folder.rglob("*"):
        inside = path.relative_to(folder).parts
        if path.suffix in SOURCE and "node_modules" not in inside and path.is_file():
            yield path.read_bytes()


def _bundles(export_: pathlib.Path) -> Iterator[pathlib.Path]:
    kinds = re.compile(r".*\.(hbc|js|html)")
    return (path for path in export_.rglob("*") if kinds.fullmatch(path.name))
