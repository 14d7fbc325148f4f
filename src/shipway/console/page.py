"""What a page is: a path, a question to the records, a template, and the deeds of its forms."""

from __future__ import annotations

import importlib
import pkgutil
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shipway.access.model import Action, Role, needed
from shipway.access.sessions import Session
from shipway.console.door import Door
from shipway.kit import errors
from shipway.workflows.front import ApiPlatform

Rows = Sequence[Mapping[str, Any]]

LONGEST_FIELD = 70_000
"""Characters of a field: a variable may have 64 KiB."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A page that a person asks for. ``path`` and ``query`` are what the address says."""

    on: ApiPlatform
    door: Door
    session: Session
    path: Mapping[str, str]
    query: Mapping[str, str]

    def may(self, action: Action, environment: str = "") -> bool:
        """Say whether the person may do this, so that the page offers nothing in vain."""
        return self.session.role.includes(needed(action, environment))

    @property
    def is_owner(self) -> bool:
        return self.session.role is Role.OWNER


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a page shows. ``facts`` are for its template; each of ``panels`` can be had as CSV and
    JSON too. ``live`` is the address of the events that tell when it is to be asked for again."""

    title: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    panels: Mapping[str, Rows] = field(default_factory=dict)
    app: str = ""
    live: str = ""


@dataclass(frozen=True, kw_only=True)
class Deed:
    """Something that a form of a page asks the API for.

    ``path`` holds names of fields and of parts of the page's path. ``body`` makes the request of
    the fields. ``sure`` is the field whose value the person types again before anything is done;
    ``said`` says that it is done where the API's answer has no sentence, and may name its fields.
    With ``tells`` the answer holds something that is told only once.
    """

    name: str
    method: str
    path: str
    body: Callable[[Mapping[str, str]], Mapping[str, Any] | None] = lambda _: None
    sure: str = ""
    said: str = ""
    then: str = ""
    tells: bool = False

    def address(self, fields: Mapping[str, str]) -> str:
        return filled(self.path, fields)


def filled(path: str, fields: Mapping[str, str]) -> str:
    """Return a path with its ``{names}`` replaced. Raises `errors.Invalid` when one is missing."""
    try:
        quoted = {name: urllib.parse.quote(value, safe="") for name, value in fields.items()}
        return path.format(**quoted)
    except KeyError as error:
        raise errors.Invalid(f"The form lacks {error.args[0]}.") from error


def again(query: Mapping[str, str], **changes: object) -> str:
    """Return the rest of an address: what a page was asked with, but for some changes."""
    kept = {name: value for name, value in query.items() if name not in {"panel", "as"}}
    said = {name: str(value) for name, value in {**kept, **changes}.items() if value}
    return f"?{urllib.parse.urlencode(said)}"


def taken(*names: str, **fixed: Any) -> Callable[[Mapping[str, str]], Mapping[str, Any]]:
    """Return a maker of requests of the named fields that are filled in."""

    def body(fields: Mapping[str, str]) -> Mapping[str, Any]:
        return {**fixed, **{name: fields[name] for name in names if fields.get(name)}}

    return body


@dataclass(frozen=True, kw_only=True)
class Page:
    """A folder of `pages`. ``menu`` is its name in the menu, of the app or of the whole."""

    path: str
    show: Callable[[Asked], Awaitable[Shown]]
    template: str
    deeds: tuple[Deed, ...] = ()
    menu: str = ""
    order: int = 0

    def deed(self, name: str) -> Deed:
        for deed in self.deeds:
            if deed.name == name:
                return deed
        raise errors.NotFound(f"This page has no deed {name[:40]!r}.")


def every() -> tuple[Page, ...]:
    """Return the page of each folder of `pages`."""
    pages = importlib.import_module("shipway.console.pages")
    found = [
        importlib.import_module(f"{pages.__name__}.{folder.name}.page").PAGE
        for folder in pkgutil.iter_modules(pages.__path__)
    ]
    return tuple(sorted(found, key=lambda page: (page.order, page.path)))
