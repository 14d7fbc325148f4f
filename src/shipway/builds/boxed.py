"""The program that runs inside the sandbox, packed into one file, and what it is told and tells."""

from __future__ import annotations

import hashlib
import importlib.resources
import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shipway.builds.model import BuildStep, StepKind
from shipway.kit import errors

PYTHON = "/usr/bin/python3"
ARGV = (PYTHON, "-sE", "/box/run/box.pyz")

_MAIN = "import sys\nfrom box import step\nsys.exit(step.main())\n"
_WORD = re.compile(r"[\w@.+/-]{1,500}")
_MOST = 200

EVIDENCE = "evidence"
"""The artifact that tests may leave, whether they pass or fail."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a step has left. ``sentence`` says why it failed; "" when it did not.

    ``artifacts`` maps names to files in ``out``; ``trees`` are the folders that an install made.
    """

    sentence: str = ""
    artifacts: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    trees: tuple[str, ...] = ()


def program() -> bytes:
    """Return ``box.pyz``, the same bytes each time."""
    packed = io.BytesIO()
    folder = importlib.resources.files("shipway.builds").joinpath("box")
    modules = {f"box/{file.name}": file.read_text() for file in folder.iterdir() if _is_code(file)}
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in sorted({**modules, "__main__.py": _MAIN}.items()):
            archive.writestr(zipfile.ZipInfo(name), text)
    return packed.getvalue()


def recipe_version() -> str:
    """Return what changes whenever a recipe does: the digest of the program."""
    return hashlib.sha256(program()).hexdigest()


def described(step: BuildStep, *, inputs: Sequence[str], brought: Sequence[str]) -> bytes:
    """Return a step as the program reads it."""
    return json.dumps(
        {
            "kind": step.kind,
            "folder": step.folder,
            "argv": step.argv,
            "env": dict(step.env),
            "inputs": list(inputs),
            "services": step.services,
            "produces": step.produces,
            "details": dict(step.details),
            "brought": list(brought),
        }
    ).encode()


def read(text: str, step: BuildStep) -> Result:
    """Read what a step has left. It was written where foreign code runs: nothing is believed.

    Raises `errors.Failed` when it is not what the program would have written.
    """
    try:
        return _checked(json.loads(text), step)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise errors.Failed(f"{step.name} has left a result that cannot be read.") from error


def _checked(found: Mapping[str, object], step: BuildStep) -> Result:
    artifacts = _words(found.get("artifacts", {}))
    trees = _paths(found.get("trees", []))
    extra = {EVIDENCE} if step.kind is StepKind.TEST else set()
    unknown = set(artifacts) - set(step.produces) - extra
    if unknown or any("/" in file or ".." in file for file in artifacts.values()):
        raise ValueError
    if not found.get("sentence") and set(step.produces) - set(artifacts):
        raise ValueError
    return Result(
        sentence=str(found.get("sentence", ""))[:2000],
        artifacts=artifacts,
        facts=_words(found.get("facts", {})),
        trees=trees,
    )


def _words(found: object) -> dict[str, str]:
    if not isinstance(found, dict) or len(found) > _MOST:
        raise TypeError
    for word in (*found.keys(), *found.values()):
        if not _WORD.fullmatch(word):
            raise ValueError
    return dict(found)


def _paths(found: object) -> tuple[str, ...]:
    if not isinstance(found, list) or len(found) > _MOST:
        raise TypeError
    if any(not _WORD.fullmatch(path) or ".." in path.split("/") for path in found):
        raise ValueError
    if any(path.startswith("/") for path in found):
        raise ValueError
    return tuple(found)


def _is_code(file: importlib.resources.abc.Traversable) -> bool:
    return file.name.endswith(".py")
