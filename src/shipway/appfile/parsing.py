"""From the text of a `shipway.toml` to a `Product`, or to everything that is wrong with it."""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Mapping
from typing import Any

import pydantic

from shipway.appfile import checks, problems, reading
from shipway.appfile.model import Product


@functools.lru_cache(maxsize=64)
def parse(text: str, *, where: str = "shipway.toml") -> Product:
    """Read a `shipway.toml`. The same text is read once: pages ask for it again and again.

    Raises `errors.Invalid` with every problem: its line, its path, what was found, what was
    expected and the fix.
    """
    document = reading.read(text, where)
    found, product = _validate(document)
    found += checks.of_document(document)
    broken = {str(problem.path[0]) for problem in found if problem.path}
    draft = product or _draft(document, broken)
    found += [] if draft is None else checks.of_product(draft, broken)
    if found or product is None:
        raise problems.refusal(where, found, reading.lines(text))
    return product


def _validate(document: Mapping[str, Any]) -> tuple[list[problems.Problem], Product | None]:
    try:
        return [], _adapter().validate_python(document)
    except pydantic.ValidationError as error:
        return problems.from_pydantic(error, known_keys), None


def _draft(document: Mapping[str, Any], broken: set[str]) -> Product | None:
    """Return the product without its broken sections, so that the others are checked as well."""
    sound = {key: value for key, value in document.items() if key not in broken}
    return _validate({"name": "draft", **sound})[1]


@functools.cache
def _adapter() -> pydantic.TypeAdapter[Product]:
    return pydantic.TypeAdapter(Product)


def known_keys(path: reading.Path) -> tuple[str, ...]:
    """Return the keys that a table of the file may have."""
    kind: Any = Product
    for part in path:
        kind = _step(kind, part)
    return tuple(f.name for f in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else ()


def _step(kind: Any, part: str | int) -> Any:
    if dataclasses.is_dataclass(kind):
        return _bare(typing.get_type_hints(kind)[str(part)])
    arguments = typing.get_args(kind)
    return _bare(arguments[0] if isinstance(part, int) else arguments[-1])


def _bare(kind: Any) -> Any:
    """Take `None` away: what is given is the rest."""
    arguments = [a for a in typing.get_args(kind) if a is not type(None)]
    return arguments[0] if type(None) in typing.get_args(kind) else kind
