"""Variables, guessed from the example files that repositories keep for people."""

from __future__ import annotations

import fnmatch
import re
import urllib.parse
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from shipway.appfile import names, sources, survey, words
from shipway.appfile.sections import Section, Value
from shipway.appfile.survey import Part

_ASSIGNMENT = re.compile(r"^(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*)$")
ADDRESSES = frozenset({"DATABASE_URL", "POSTGRES_URL", "DATABASE_URI", "SQLALCHEMY_DATABASE_URI"})
"""What the address of the database is usually called."""

PARTS = {
    f"{prefix}_{name}": form
    for prefix in ("POSTGRES", "DB", "DATABASE")
    for name, form in {
        "HOST": "{host}", "SERVER": "{host}", "PORT": "{port}", "USER": "{user}",
        "USERNAME": "{user}", "PASSWORD": "{password}", "PASS": "{password}",
        "DB": "{database}", "NAME": "{database}", "DATABASE": "{database}",
    }.items()
}  # fmt: skip
"""What the parts of that address are usually called."""

SERVERS = frozenset(
    f"EXPO_PUBLIC_{name}"
    for name in ("API_URL", "API_BASE_URL", "API_BASE", "API_HOST", "BACKEND_URL", "SERVER_URL")
)
"""What the address of the server is usually called in a client."""

ORIGINS = frozenset({"REPLIT_DOMAINS"})
"""What the hosts that a server lets in are called where such apps are made."""

_SECRET = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|KEY|DSN|CREDENTIAL|PRIVATE")


def variables(parts: Sequence[Part]) -> Iterator[Section]:
    """Return the variables of the example files, each once, with a guessed kind."""
    seen: set[str] = set(names.PROVIDED) | {"PORT", "HOST"}
    for part in parts:
        file = part.has(".env.example", ".env.sample", ".env.template") or _committed(part)
        for line in survey.read_text(part.path / file).splitlines() if file else []:
            match = _ASSIGNMENT.match(line.strip())
            if match and match[1] not in seen:
                seen.add(match[1])
                value = match[2].split(" #")[0].strip().strip("'\"")
                # A file in use works as it is: what it leaves empty is not needed.
                yield _variable(match[1], value, required=bool(value) or file != ".env")


def _committed(part: Part) -> str:
    """Return ``.env`` where it is there and git does not pass it over: then it is an example."""
    inside = part.path.relative_to(part.root)
    folders = (part.root, *(part.root / one for one in (inside, *inside.parents)))
    patterns = (line for f in folders for line in survey.read_text(f / ".gitignore").splitlines())
    ignored = any(
        fnmatch.fnmatch(".env", one.strip().removeprefix("**/").removeprefix("/"))
        for one in patterns
    )
    return "" if ignored else part.has(".env")


def read(
    server: Part | None, client: Part | None, shown: Sequence[Section], *, has_database: bool
) -> Iterator[Section]:
    """Return what no example shows although the sources read it: what Shipway knows the value of."""
    known = {section.heading for section in shown}
    found: dict[str, tuple[str, str]] = {}
    if server and server.kind == "node":
        said = sources.of_server(server, "").variables
        if has_database:
            found |= dict.fromkeys(sorted(said & ADDRESSES), ("secret", "DB_URL"))
        if client:
            found |= dict.fromkeys(sorted(said & ORIGINS), ("plain", "EXPO_PUBLIC_DOMAIN"))
    if client:
        said = sources.of_client(client).variables
        found |= dict.fromkeys(sorted(said & SERVERS), ("public", "API_URL"))
    for name, (kind, original) in found.items():
        if (heading := f"[variables.{name}]") not in known:
            yield Section(heading=heading, keys={"kind": kind, "same_as": original})
    if server and client:
        yield from _domain(sources.of_client(client), known)


def _domain(client: sources.Sources, known: AbstractSet[str]) -> Iterator[Section]:
    """Have the domain be the server's address, where a client seems to find the server at it."""
    elsewhere = client.variables & SERVERS or any("API_URL" in heading for heading in known)
    if "EXPO_PUBLIC_DOMAIN" in client.variables and not (elsewhere or client.has_server_at_api):
        yield Section(
            heading="[variables.EXPO_PUBLIC_DOMAIN]",
            keys={"kind": "public", "same_as": "API_URL", "form": "{address}"},
            told="CHECK: the client seems to look for the server at this host. Without these lines it\n"
            "is the domain, where the web export is.",
        )


def _variable(name: str, value: str, *, required: bool) -> Section:
    if name in ADDRESSES:
        keys: dict[str, Value] = {"kind": "secret", "same_as": "DB_URL"}
        return Section(heading=f"[variables.{name}]", keys=keys)
    if name in PARTS:
        keys = {"kind": "secret", "same_as": "DB_URL", "form": PARTS[name]}
        return Section(heading=f"[variables.{name}]", keys=keys)
    if name in SERVERS:
        below = urllib.parse.urlsplit(value).path.strip("/")
        keys = {"kind": "public", "same_as": "API_URL"}
        keys |= {"suffix": f"/{below}"} if below and words.URL_PATH.fits(f"/{below}") else {}
        return Section(heading=f"[variables.{name}]", keys=keys)
    public = name.startswith(names.PUBLIC)
    kind = "public" if public else "secret" if _SECRET.search(name) else "plain"
    if not words.VARIABLE_NAME.fits(name) or names.objection(name, kind):
        return Section(heading="", told=f"CHECK: a variable cannot be called {name[:100]}.")
    keys = {"kind": kind}
    if kind == "secret":
        keys |= {"required": True} if required else {}
    elif value and len(value) <= words.LONGEST_TEXT and words.is_clean(value):
        keys["default"] = value
    return Section(heading=f"[variables.{name}]", keys=keys)
