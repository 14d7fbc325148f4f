"""What runs in a clone, and with which variables. Decides; does no I/O."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shipway.appfile import names
from shipway.appfile.model import Install, Product
from shipway.kit import errors

ENVIRONMENT = "development"
LOOPBACK = "127.0.0.1"

_LOCAL_NAMES = frozenset({"localhost", LOOPBACK, "::1", "0.0.0.0"})  # noqa: S104 -- recognised, not listened on
_ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*)")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the person asked for. ``fresh`` begins with an empty database."""

    port: int = 5000
    client_port: int = 8081
    lan: bool = False
    fresh: bool = False
    client: bool = True


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where the parts listen (``host``), and what clients call them (``name``)."""

    host: str
    name: str
    port: int
    client_port: int

    @property
    def domain(self) -> str:
        return f"{self.name}:{self.port}"

    @property
    def api_url(self) -> str:
        return f"http://{self.domain}"


@dataclass(frozen=True, kw_only=True)
class Variables:
    """The variables of the two parts, and sentences on what a person may wonder about."""

    server: Mapping[str, str] = field(repr=False)
    client: Mapping[str, str] = field(repr=False)
    notes: tuple[str, ...] = ()


def addresses(options: Options, lan_address: str = "") -> Addresses:
    """Return where things are; ``lan_address`` is this machine's for ``--lan``."""
    return Addresses(
        host="0.0.0.0" if options.lan else LOOPBACK,  # noqa: S104 -- a phone is to reach it
        name=lan_address if options.lan else "localhost",
        port=options.port,
        client_port=options.client_port,
    )


def needed_installs(product: Product, *, client: bool) -> tuple[Install, ...]:
    """Return the steps that what runs here depends on: those of its folders, and around them."""
    parts = (product.server, product.database, product.client if client else None)
    folders = [part.folder for part in parts if part]
    return tuple(
        step for step in product.install if any(_holds(step.folder, folder) for folder in folders)
    )


def _holds(outer: str, inner: str) -> bool:
    return outer in {".", inner} or inner.startswith(f"{outer}/")


def secrets_to_make(product: Product, given: Mapping[str, str]) -> tuple[str, ...]:
    """Return the secrets that nobody has given and that something can be made up for."""
    wanted = {n for n, one in product.variables.items() if one.kind == "secret" and not one.same_as}
    required = {name for name in wanted if product.variables[name].required} | {"JWT_SECRET"}
    return tuple(sorted(required - given.keys() - {"DB_URL"}))


def variables(
    product: Product,
    where: Addresses,
    *,
    given: Mapping[str, str],
    made: Mapping[str, str],
    db_url: str = "",
) -> Variables:
    """Return what each part is told: Shipway's own facts, the file's values, then ``.env``.

    A local address in ``.env`` gives way to the one in use. Raises `errors.Invalid` naming every
    required variable without a value.
    """
    provided = _provided(where) | ({"DB_URL": db_url} if db_url else {})
    file = product.environments.get(ENVIRONMENT)
    values = {
        **{name: one.default for name, one in product.variables.items() if one.default is not None},
        **provided,
        **made,
        **(file.variables if file else {}),
    }
    stale = {name for name in given if name in _provided(where) and is_local(given[name])}
    values |= {name: value for name, value in given.items() if name not in stale and value}
    own = {*made, *(file.variables if file else {}), *(given.keys() - stale)}
    values |= product.same(values, filled=provided.keys() - own)
    _demand(product, values)
    port = product.server.port if product.server else "PORT"
    fixed = {port: str(where.port), "HOST": where.host, "SHIPWAY_ENVIRONMENT": ENVIRONMENT}
    public = {name: value for name, value in values.items() if name.startswith(names.PUBLIC)}
    return Variables(
        server={**values, **fixed, "SHIPWAY_RELEASE": ENVIRONMENT},
        client={**public, "NODE_ENV": ENVIRONMENT},
        notes=_notes(stale, given, provided, made),
    )


def _provided(where: Addresses) -> dict[str, str]:
    facts = {
        "NODE_ENV": ENVIRONMENT,
        "EXPO_PUBLIC_DOMAIN": where.domain,
        "API_URL": where.api_url,
    }
    if where.name != "localhost":  # `api.` in front of a number leads nowhere
        facts["EXPO_PUBLIC_API_URL"] = where.api_url
    return facts


def _notes(
    stale: set[str], given: Mapping[str, str], provided: Mapping[str, str], made: Mapping[str, str]
) -> tuple[str, ...]:
    told = [
        f"{name} is {provided[name]}, not {given[name]} of .env."
        for name in sorted(stale)
        if given[name] != provided[name]
    ]
    if others := sorted(made.keys() - {"JWT_SECRET"}):
        told.append(f"Made up for this clone: {', '.join(others)}. Put real values into .env.")
    return tuple(told)


def _demand(product: Product, values: Mapping[str, str]) -> None:
    problems = tuple(
        f"{name} has no value. {one.description}".strip()
        for name, one in product.variables.items()
        if one.required
        and not values.get(name)
        and not (name in product.called("DB_URL") and not product.database)
    )
    if problems:
        raise errors.Invalid(
            "The app cannot start without all of its variables.",
            problems=problems,
            fix="Write NAME=value lines into .env, beside shipway.toml.",
        )


def is_local(address: str) -> bool:
    """Whether a URL or ``host:port`` leads to this machine."""
    url = address if "://" in address else f"//{address}"
    try:
        return urllib.parse.urlsplit(url).hostname in _LOCAL_NAMES
    except ValueError:
        return False


def read_dotenv(text: str) -> dict[str, str]:
    """Return the assignments of a ``.env``: quotes are taken off, comments left out, and nothing
    is expanded."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        if match := _ASSIGNMENT.fullmatch(line.strip()):
            found[match[1]] = _unquoted(match[2].strip())
    return found


def _unquoted(value: str) -> str:
    quote = value[:1]
    if quote in {"'", '"'} and (end := value.find(quote, 1)) > 0:
        inner = value[1:end]
        return inner.replace("\\n", "\n") if quote == '"' else inner
    return re.split(r"\s+#", value, maxsplit=1)[0] if not value.startswith("#") else ""


def summary(
    product: Product, where: Addresses, *, client: bool, database: Sequence[str]
) -> list[str]:
    """Return what runs where, for the moment when all of it does."""
    told = []
    if product.server:
        told.append(f"server    {where.api_url}")
    if product.client and client:
        told.append(f"client    http://{where.name}:{where.client_port}")
        if where.name != "localhost":
            told.append(f"phone     exp://{where.name}:{where.client_port} in Expo Go")
    return [*told, *(f"database  {line}" for line in database)]
