"""Whether the machine's Python is one that the server may run with."""

from __future__ import annotations

import pathlib
import re
import sys
from collections.abc import Callable, Mapping

from . import program, python_needs
from .program import StepFailed

Version = tuple[int, ...]

_POETRY = ("tool", "poetry", "dependencies")
_CLAUSE = re.compile(r"(>=|<=|==|!=|~=|>|<|\^|~|)(\d+(?:\.\d+)*)(?:\.\*)?")


def check(folder: pathlib.Path) -> None:
    """Raise `StepFailed` when the server asks for another Python than the machine's."""
    demand, place = _demanded(folder)
    here = tuple(sys.version_info[:3])
    if not demand or admits(demand, here):
        return
    raise StepFailed(
        f"The server asks for Python {demand} ({place}), and this machine has "
        f"{'.'.join(map(str, here))}: a server runs with the machine's own Python. Widen what it "
        "asks for, or run Shipway on a system that has it."
    )


def admits(demand: str, version: Version) -> bool:
    """Whether a version is among those of PEP 440's clauses or of Poetry's. What is neither
    forbids nothing: the tools that understand it have the last word."""
    joined = re.sub(r"([<>=!~^])\s+", r"\1", demand)
    return any(
        all(_admits(clause, version) for clause in re.split(r"[,\s]+", choice) if clause)
        for choice in re.split(r"\|\|?", joined)
    )


def _demanded(folder: pathlib.Path) -> tuple[str, str]:
    """Return what is asked for, and where. The file of the developers' own interpreter counts
    only when nothing else is said: a project that admits more runs with more."""
    found = python_needs.project(folder)
    file = program.shown(folder / "pyproject.toml")
    for keys, name in ((("project",), "requires-python"), (_POETRY, "python")):
        demand = python_needs.table(found, *keys).get(name)
        if isinstance(demand, str):
            return demand, f"{'.'.join((*keys, name))} in {file}"
    pin = folder / ".python-version"
    if pin.is_file():
        return pin.read_text().partition("\n")[0].strip(), program.shown(pin)
    return "", ""


def _admits(clause: str, version: Version) -> bool:
    match = _CLAUSE.fullmatch(clause)
    if match is None:
        return True
    operator, text = match.groups()
    wanted = tuple(int(part) for part in text.split("."))
    return _OPERATORS[operator](version, wanted)


def _is_within(version: Version, wanted: Version) -> bool:
    """Whether a version begins like the one wanted: the third number may be any."""
    return version[: len(wanted[:2])] == wanted[:2]


def _is_from(version: Version, wanted: Version) -> bool:
    return version >= wanted


_OPERATORS: Mapping[str, Callable[[Version, Version], bool]] = {
    "": _is_within,
    "==": _is_within,
    "!=": lambda version, wanted: version[: len(wanted)] != wanted,
    ">=": _is_from,
    "<=": lambda version, wanted: version <= (*wanted, 0, 0)[:3],
    ">": lambda version, wanted: version > wanted,
    "<": lambda version, wanted: version < wanted,
    "^": lambda version, wanted: _is_from(version, wanted) and version[0] == wanted[0],
    "~": lambda version, wanted: _is_from(version, wanted) and _is_within(version, wanted),
    "~=": lambda version, wanted: (
        _is_from(version, wanted) and version[: len(wanted) - 1] == wanted[:-1]
    ),
}
