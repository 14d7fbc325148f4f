"""The answers of a board, put together once and then sent as they are.

Every byte that is signed was signed when it was published; only its wrapping is made here.
Forms: Expo Updates 1. The multipart reader of iOS needs CRLF everywhere, also at the end, and
looks for ``expo-signature`` in lower case.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shipway.intake.asking import Expected, Form, Malformed
from shipway.updates import manifests, model
from shipway.updates.board import Board
from shipway.updates.model import Choice, Entry, Signed
from shipway.updates.signing import ALGORITHM

Headers = tuple[tuple[bytes, bytes], ...]

MOST_KEPT = 512
"""So many answers of one board stay put together."""

VARY = (
    "accept, expo-platform, expo-runtime-version, expo-protocol-version, expo-channel-name,"
    " expo-current-update-id, expo-embedded-update-id, expo-recent-failed-update-ids,"
    " expo-expect-signature, eas-client-id"
)

NO_MULTIPART = (
    "The newest here is a directive, which only multipart/mixed can carry: accept that too."
)


@dataclass(frozen=True)
class Answer:
    """A whole answer, ready to be sent."""

    status: int
    headers: Headers
    body: bytes


class Answers:
    """The answers of one board."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self._kept: dict[tuple[object, ...], Answer] = {}

    def get(
        self, choice: Choice, forms: Sequence[Form], expected: Expected | None, protocol: int
    ) -> Answer:
        """Return the answer of a choice. Raises `Malformed` when the client can take none."""
        entry, multipart = choice.entry, "multipart/mixed" in forms
        key = (entry.id if entry else "", forms[0], multipart, expected, protocol)
        if (found := self._kept.get(key)) is None:
            found = self._made(choice, forms, expected, protocol)
            # An invented key must not fill the room of those that devices have.
            if len(self._kept) < MOST_KEPT and self._is_ours(expected):
                self._kept[key] = found
        return found

    def _is_ours(self, expected: Expected | None) -> bool:
        return expected is None or not expected.key or expected.key in self.board.chains

    def _made(
        self, choice: Choice, forms: Sequence[Form], expected: Expected | None, protocol: int
    ) -> Answer:
        if choice.kind == "manifest":
            assert choice.entry
            return self._manifest(choice.entry, forms[0], expected, protocol)
        if protocol == 0:
            raise Malformed("There is no update, and version 0 of the protocol cannot say so.", 404)
        if choice.kind == "embedded":
            assert choice.entry
            if "multipart/mixed" not in forms:
                raise Malformed(NO_MULTIPART, 406)
            return self._directive(choice.entry.signed, expected, protocol)
        if "multipart/mixed" in forms and self._can_sign(self.board.no_update, expected):
            return self._directive(self.board.no_update, expected, protocol)
        return Answer(204, self._headers(protocol), b"")

    def _manifest(
        self, entry: Entry, form: Form, expected: Expected | None, protocol: int
    ) -> Answer:
        signature = self._signature(entry.signed, expected)
        body = entry.signed.body.encode()
        if form == "multipart/mixed":
            told = _extensions(self.board, entry)
            parts = [_part("manifest", body, signature), _part("extensions", told)]
            return self._multipart([*parts, *self._chain(expected)], protocol)
        headers: dict[str, str] = {"content-type": f"{form}; charset=utf-8"}
        if signature:
            headers["expo-signature"] = signature
        return Answer(200, self._headers(protocol, len(body), **headers), body)

    def _directive(self, signed: Signed, expected: Expected | None, protocol: int) -> Answer:
        signature = self._signature(signed, expected)
        part = _part("directive", signed.body.encode(), signature)
        return self._multipart([part, *self._chain(expected)], protocol)

    def _multipart(self, parts: Sequence[bytes], protocol: int) -> Answer:
        boundary = hashlib.sha256(b"".join(parts)).hexdigest()[:40]
        line = f"--{boundary}".encode()
        body = b"".join(line + b"\r\n" + part + b"\r\n" for part in parts) + line + b"--\r\n"
        kind = {"content-type": f"multipart/mixed; boundary={boundary}"}
        return Answer(200, self._headers(protocol, len(body), **kind), body)

    def _chain(self, expected: Expected | None) -> list[bytes]:
        if expected is None or not (chain := self.board.chains.get(self._key(expected), "")):
            return []
        return [_part("certificate_chain", chain.encode(), kind="application/x-pem-file")]

    def _can_sign(self, signed: Signed, expected: Expected | None) -> bool:
        return expected is None or self._key(expected) in signed.signatures

    def _signature(self, signed: Signed, expected: Expected | None) -> str:
        """Return the header of the signature that a client expects, or "" when it expects none.

        Raises `Malformed` when this was not signed by that key: nothing else would be taken.
        """
        if expected is None:
            return ""
        key = self._key(expected)
        if not (found := signed.signatures.get(key)):
            known = ", ".join(sorted(signed.signatures)) or "none"
            raise Malformed(f"Nothing here is signed by key {key[:64]!r}. Keys: {known}.", 406)
        return f'sig="{found}", keyid="{key}", alg="{ALGORITHM}"'

    def _key(self, expected: Expected) -> str:
        """The key that is meant; the newest one when the client names none."""
        return expected.key or next(reversed(list(self.board.chains)), "")

    def _headers(self, protocol: int, length: int | None = None, **more: str) -> Headers:
        headers = {
            "expo-protocol-version": str(protocol),
            "expo-sfv-version": "0",
            "expo-manifest-filters": f'{model.BRANCH}="{self.board.branch}"',
            "cache-control": "private, max-age=0",
            "vary": VARY,
            "x-content-type-options": "nosniff",
            **more,
        }
        if self.board.headers is not None:
            headers["expo-server-defined-headers"] = dictionary(self.board.headers)
        if length is not None:
            headers["content-length"] = str(length)
        return tuple((name.encode(), value.encode()) for name, value in headers.items())


def dictionary(members: Mapping[str, str]) -> str:
    """Return a structured dictionary of strings (RFC 8941, 3.2)."""
    # Checked when it was set: printable ASCII, in which JSON quotes as structured fields do.
    return ", ".join(f"{name}={json.dumps(value)}" for name, value in members.items())


def problem(sentence: str) -> bytes:
    """Return what an error says: clients ask for JSON (`Expo-JSON-Error`)."""
    return json.dumps({"error": sentence}).encode()


def _extensions(board: Board, entry: Entry) -> bytes:
    keys: list[str] = []
    if board.asset_headers:
        found = json.loads(entry.signed.body)
        keys = [asset["key"] for asset in (found["launchAsset"], *found["assets"])]
    return manifests.extensions(board.asset_headers, keys).encode()


def _part(name: str, body: bytes, signature: str = "", kind: str = "application/json") -> bytes:
    lines = [f'content-disposition: form-data; name="{name}"', f"content-type: {kind}"]
    if signature:
        lines.append(f"expo-signature: {signature}")
    return "\r\n".join([*lines, "", ""]).encode() + body
