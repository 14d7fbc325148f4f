"""What a client's request says, read as Expo's clients write it. Nonsense is refused or ignored.

Header names and values: Expo Updates 1, and expo-updates 57 where that is stricter. Pure.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import http_sf

from shipway.updates import model
from shipway.updates.model import PLATFORMS, Asked

Form = Literal["multipart/mixed", "application/expo+json", "application/json"]

FORMS: tuple[Form, ...] = ("multipart/mixed", "application/expo+json", "application/json")
"""Forms of an answer, as the server prefers them. Only the first can carry directives."""

LONGEST_RUNTIME = 255
_CLIENT = re.compile(r"[\x20-\x7e]{1,64}")
LONGEST_ERROR = 1024
LONGEST = 1024
"""Characters of a header that is parsed: what is kept of it must not fill the memory."""


class Malformed(ValueError):
    """A request that no client means. ``status`` is what it is answered with."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True)
class Expected:
    """The signature that a client expects: by the key of this id, or by any."""

    key: str = ""


def asked(headers: Mapping[str, str]) -> Asked:
    """Return what a request for a manifest says of its device. Raises `Malformed`."""
    platform = headers.get("expo-platform", "").strip()
    if platform not in PLATFORMS:
        raise Malformed("Expo-Platform must be ios or android.")
    return Asked(
        platform=platform,
        runtime=_runtime(headers.get("expo-runtime-version", "")),
        protocol=_protocol(headers.get("expo-protocol-version", "")),
        client=client(headers),
        current=update_id(headers, "expo-current-update-id"),
        embedded=update_id(headers, "expo-embedded-update-id"),
        failed=failed_ids(headers.get("expo-recent-failed-update-ids", "")),
        error=_text(headers.get("expo-fatal-error", ""))[:LONGEST_ERROR],
    )


def client(headers: Mapping[str, str]) -> str:
    """Return the id of an installation in lower case, or ""."""
    found = model.normal_id(headers.get("eas-client-id", ""))
    return found if _CLIENT.fullmatch(found) else ""


def update_id(headers: Mapping[str, str], name: str) -> str:
    """Return an update's id in lower case, or "" for anything that is none."""
    found = model.normal_id(headers.get(name, ""))
    return found if model.is_uuid(found) else ""


@functools.lru_cache(maxsize=1024)
def _runtime(header: str) -> str:
    found = _text(header.strip())
    if not found or len(found) > LONGEST_RUNTIME or not found.isprintable():
        raise Malformed(
            f"Expo-Runtime-Version must be a text of 1 to {LONGEST_RUNTIME} characters."
        )
    return found


def _protocol(header: str) -> int:
    found = header.strip()
    if found not in {"", "0", "1"}:
        raise Malformed("Expo-Protocol-Version must be 0 or 1.")
    return int(found or 0)


def failed_ids(header: str) -> tuple[str, ...]:
    """Return the ids of a structured list of strings; one that is malformed says nothing."""
    return _failed_ids(header) if 0 < len(header) <= LONGEST else ()


@functools.lru_cache(maxsize=4096)
def _failed_ids(header: str) -> tuple[str, ...]:
    try:
        found: Any = http_sf.parse(header.encode("latin-1"), tltype="list")
    except ValueError:
        return ()
    ids = (model.normal_id(item[0]) for item in found if isinstance(item[0], str))
    return tuple(dict.fromkeys(one for one in ids if model.is_uuid(one)))[: model.MOST_FAILED]


@functools.lru_cache(maxsize=256)
def expected(header: str) -> Expected | None:
    """Return the signature that a client expects, or None when it asks for none.

    Raises `Malformed`: to such a client an unsigned answer would be of no use.
    """
    if not header.strip():
        return None
    _must_be_short("Expo-Expect-Signature", header)
    try:
        found: Any = http_sf.parse(header.encode("latin-1"), tltype="dictionary")
    except ValueError as error:
        raise Malformed("Expo-Expect-Signature is no structured dictionary.") from error
    members = {name: item[0] for name, item in found.items()}
    algorithm = members.get("alg", "rsa-v1_5-sha256")
    if algorithm != "rsa-v1_5-sha256":
        raise Malformed(f"There is no signature by {str(algorithm)[:40]!r}.", 406)
    key = members.get("keyid", "")
    if not isinstance(key, str):
        raise Malformed("The keyid of Expo-Expect-Signature is no string.")
    return Expected(key)


@functools.lru_cache(maxsize=256)
def forms(header: str, protocol: int) -> tuple[Form, ...]:
    """Return the forms that a client accepts, its favourite first (RFC 9110, 12.5.1).

    Among equals multipart comes first, or last for version 0 of the protocol, which lacks it.
    """
    _must_be_short("Accept", header)
    ranges = _weights(header) if header.strip() else {"*/*": 1.0}
    ours = FORMS if protocol else (*FORMS[1:], FORMS[0])
    weights = {form: _weight(form, ranges) for form in ours}
    return tuple(sorted((f for f in ours if weights[f] > 0), key=lambda form: -weights[form]))


def _weight(form: Form, ranges: Mapping[str, float]) -> float:
    """The most specific range decides."""
    for name in (form, f"{form.partition('/')[0]}/*", "*/*"):
        if name in ranges:
            return ranges[name]
    return 0.0


def _weights(header: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in header.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        if name:
            found[name] = max(found.get(name, 0.0), _q(parameters))
    return found


def _q(parameters: list[str]) -> float:
    for parameter in parameters:
        if match := re.fullmatch(r"q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", parameter):
            return float(match[1])
        if parameter.startswith("q="):
            return 0.0
    return 1.0


@functools.lru_cache(maxsize=512)
def encoding(header: str, there: tuple[str, ...]) -> str | None:
    """Return the content encoding to answer with: one of those that are there, by the server's
    preference among the client's favourites, "" for none. None when nothing is acceptable
    (RFC 9110, 12.5.3)."""
    _must_be_short("Accept-Encoding", header)
    weights = _weights(header)
    rest = weights.get("*")
    best, favourite = 0.0, None
    for name in there:
        weight = weights.get(name, rest if rest is not None else 0.0)
        if weight > best:
            best, favourite = weight, name
    plain = weights.get("identity", rest if rest == 0 else None)
    if favourite is not None and (plain is None or best >= plain):
        return favourite
    return None if plain == 0 else ""


def _must_be_short(name: str, header: str) -> None:
    if len(header) > LONGEST:
        raise Malformed(f"{name} has more than {LONGEST} characters.", 431)


def _text(latin: str) -> str:
    """Return a header's text: servers hand the bytes on as Latin-1, people write UTF-8."""
    if latin.isascii():
        return latin
    try:
        return latin.encode("latin-1").decode()
    except UnicodeError:
        return latin
