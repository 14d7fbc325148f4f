"""Variables as values, and where each comes from. Decides; does no I/O."""

from __future__ import annotations

import datetime
import difflib
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from shipway.appfile import names, words
from shipway.appfile.model import Product
from shipway.kit import errors

LONGEST_VALUE = 64 * 1024

Source = Literal["set", "file", "default", "generated", "provided", "missing"]


@dataclass(frozen=True, kw_only=True)
class App:
    """A product under Shipway. ``commit`` is that of the `shipway.toml` in force, if any."""

    name: str
    created_by: str
    created: datetime.datetime
    commit: str = ""
    accepted: datetime.datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A variable that a person has set. A secret has no ``value`` here, only what is sealed."""

    name: str
    kind: words.VariableKind
    value: str | None = field(default=None, repr=False)
    sealed: bytes | None = field(default=None, repr=False)
    likeness: bytes | None = field(default=None, repr=False)
    set_by: str = ""
    set_at: datetime.datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Provided:
    """What Shipway knows of a deployment.

    ``domain`` and ``api_url`` carry the port where it is not the usual one. ``db_url`` is the app
    role's address in the cluster that Shipway runs; it is not used where one was given.
    """

    domain: str
    api_url: str
    release: str = ""
    db_url: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A variable as people see it. ``value`` is None for a secret and for what is not known yet."""

    name: str
    kind: words.VariableKind
    source: Source
    value: str | None = None
    description: str = ""
    required: bool = False
    set_by: str = ""
    set_at: datetime.datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A variable that two environments do not share. Secrets are never told, only that they
    differ, or that one of the two has none."""

    name: str
    kind: words.VariableKind
    a: str | None
    b: str | None
    sentence: str


def check(name: str, value: str, kind: words.VariableKind) -> None:
    """Raise `errors.Invalid` with all that forbids this variable; the value is never told."""
    problems = [*_of_name(name, kind), *_of_value(name, value)]
    if problems:
        raise errors.Invalid(f"{name[:100]!r} cannot be set.", problems=tuple(problems))


def _of_name(name: str, kind: words.VariableKind) -> Iterable[str]:
    if not words.VARIABLE_NAME.fits(name):
        yield f"expected {words.VARIABLE_NAME.expected}."
    elif objection := names.objection(name, kind):
        yield f"expected {objection}."


def _of_value(name: str, value: str) -> Iterable[str]:
    if not value:
        yield "its value is empty; to remove it use `shipway env unset`."
    if "\0" in value:
        yield "its value holds a zero byte, which no environment can carry."
    if len(value.encode(errors="replace")) > LONGEST_VALUE:
        yield f"its value is longer than {LONGEST_VALUE // 1024} KiB."
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        yield "its value is not valid Unicode."
    if name == "DB_URL" and value and not _is_postgres(value):
        yield "its value must be an address such as postgresql://user:password@host:5432/database."


def _is_postgres(value: str) -> bool:
    try:
        url = urllib.parse.urlsplit(value)
        port_is_sound = url.port is None or url.port > 0
    except ValueError:
        return False
    return url.scheme in {"postgres", "postgresql"} and port_is_sound and bool(url.path.strip("/"))


def kind_of(
    name: str, given: words.VariableKind | None, product: Product | None
) -> words.VariableKind:
    """Return the kind with which a variable is set: as declared, else as given, else the safest.

    Raises `errors.Invalid` when the given kind is not the declared one.
    """
    declared = product.variables.get(name) if product else None
    if declared and given and declared.kind != given:
        raise errors.Invalid(
            f"{name} is declared as {declared.kind} in shipway.toml, not as {given}.",
            fix="Leave the kind out, or change the declaration first.",
        )
    if declared:
        return declared.kind
    return given or ("public" if name.startswith(names.PUBLIC) else "secret")


def hint(name: str, known: Iterable[str]) -> str:
    """Return what to do about a name that is not there."""
    close = difflib.get_close_matches(name[:100], list(known), n=1)
    return f"Did you mean {close[0]}?" if close else "See `shipway env show`."


def from_file(environment: str, product: Product) -> dict[str, tuple[Source, str]]:
    """Return the values that `shipway.toml` gives: those of the environment, then the defaults."""
    here = product.environments.get(environment)
    given = here.variables if here else {}
    values: dict[str, tuple[Source, str]] = {
        name: ("default", variable.default)
        for name, variable in product.variables.items()
        if variable.default is not None
    }
    return {**values, **{name: ("file", value) for name, value in given.items()}}


def facts(environment: str, provided: Provided) -> dict[str, str]:
    """Return the variables that Shipway provides and a person may replace."""
    values = {
        "NODE_ENV": environment,
        "EXPO_PUBLIC_DOMAIN": provided.domain,
        "API_URL": provided.api_url,
        "DB_URL": provided.db_url,
    }
    return {name: value for name, value in values.items() if value}


def fixed(environment: str, provided: Provided) -> dict[str, str]:
    """Return the variables that nobody may replace: the edge and the log rely on them."""
    values = {
        "HOST": "127.0.0.1",
        "SHIPWAY_ENVIRONMENT": environment,
        "SHIPWAY_RELEASE": provided.release,
    }
    return {name: value for name, value in values.items() if value}


def _provided_to(product: Product | None) -> frozenset[str]:
    """Return the names that Shipway fills: without a database of its own there is no address."""
    has_database = product is None or product.database is not None
    return names.PROVIDED if has_database else names.PROVIDED - {"DB_URL"}


def missing(environment: str, product: Product, stored: Iterable[str]) -> tuple[str, ...]:
    """Return the required variables that have no value from anywhere."""
    have = {*stored, *from_file(environment, product), *_provided_to(product)}
    have |= {name for name, one in product.variables.items() if one.same_as in have}
    return tuple(
        name
        for name, variable in product.variables.items()
        if variable.required and name not in have
    )


def show(
    environment: str, product: Product | None, stored: Mapping[str, Stored]
) -> tuple[Shown, ...]:
    """Return every variable of an environment, by name, with the source of its value."""
    file = from_file(environment, product) if product else {}
    declared = product.variables if product else {}
    every = sorted({*stored, *file, *declared, *_provided_to(product)})
    return tuple(_shown(name, product, stored.get(name), file.get(name)) for name in every)


def _shown(
    name: str, product: Product | None, stored: Stored | None, file: tuple[Source, str] | None
) -> Shown:
    declared = product.variables.get(name) if product else None
    kind = stored.kind if stored else kind_of(name, None, product)
    if not (stored or declared) and name in names.PROVIDED - names.GENERATED:
        kind = "public" if name.startswith(names.PUBLIC) else "plain"
    source, value = file or (_fallback(name, product), None)
    return Shown(
        name=name,
        kind=kind,
        source="set" if stored else source,
        value=stored.value if stored else value,
        description=declared.description if declared else "",
        required=bool(declared and declared.required),
        set_by=stored.set_by if stored else "",
        set_at=stored.set_at if stored else None,
    )


def _fallback(name: str, product: Product | None) -> Source:
    declared = product.variables.get(name) if product else None
    original = (declared and declared.same_as) or name
    if original not in _provided_to(product):
        return "missing"
    return "generated" if original in names.GENERATED else "provided"


def differences(
    environments: tuple[str, str],
    shown: tuple[Iterable[Shown], Iterable[Shown]],
    is_same_secret: Callable[[str], bool],
) -> tuple[Difference, ...]:
    """Compare two environments; ``is_same_secret`` knows of secrets that were set in both."""
    left, right = ({variable.name: variable for variable in side} for side in shown)
    found = (
        _difference(environments, left.get(name), right.get(name), is_same_secret)
        for name in sorted({*left, *right})
    )
    return tuple(difference for difference in found if difference)


def _difference(
    environments: tuple[str, str],
    a: Shown | None,
    b: Shown | None,
    is_same_secret: Callable[[str], bool],
) -> Difference | None:
    some = a or b
    assert some
    is_secret = "secret" in {side.kind for side in (a, b) if side}
    sources = [side.source if side else "missing" for side in (a, b)]
    if is_secret:
        sentence = _of_secrets(some.name, environments, sources, is_same_secret)
    else:
        sentence = _of_values(some.name, environments, a, b)
    if not sentence:
        return None
    return Difference(
        name=some.name,
        kind="secret" if is_secret else some.kind,
        a=None if is_secret or not a else a.value,
        b=None if is_secret or not b else b.value,
        sentence=sentence,
    )


def _of_secrets(
    name: str,
    environments: tuple[str, str],
    sources: list[Source],
    is_same_secret: Callable[[str], bool],
) -> str:
    for here, source, other in zip(environments, sources, sources[::-1], strict=True):
        if source == "missing" and other != "missing":
            return f"{name} has no value in {here}"
    if "missing" in sources or sources == ["generated", "generated"]:
        return ""
    if sources == ["set", "set"] and is_same_secret(name):
        return ""
    return f"{name} differs (secret)"


def _of_values(name: str, environments: tuple[str, str], a: Shown | None, b: Shown | None) -> str:
    if (a and a.value) == (b and b.value):
        return ""
    for here, side in zip(environments, (a, b), strict=True):
        if side is None or side.source == "missing":
            return f"{name} has no value in {here}"
    return f"{name} differs"
