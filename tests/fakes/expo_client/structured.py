"""Structured fields as the clients read and write them (RFC 8941, which Expo's SFV 0 names).

Parameters are checked and dropped: no field of the protocol gives them a meaning.
"""

from __future__ import annotations

import base64
import binascii
import string
from collections.abc import Mapping, Sequence

KEY_START = string.ascii_lowercase + "*"
KEY_REST = string.ascii_lowercase + string.digits + "_-.*"
TOKEN_START = string.ascii_letters + "*"
TOKEN_REST = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~:/"
BASE64 = string.ascii_letters + string.digits + "+/="


class Malformed(ValueError):
    """The text is no structured field; a client then acts as if the header were absent."""


class Token(str):
    """A bare word, which is not a string."""

    __slots__ = ()


Bare = str | int | float | bool | bytes
Value = Bare | tuple[Bare, ...]


def parse_list(text: str) -> list[Value]:
    """Return the members of a list. Raises `Malformed`."""
    reader = _Reader(text)
    return [reader.value() for _ in reader.members()]


def parse_dictionary(text: str) -> dict[str, Value]:
    """Return a dictionary; a key that comes twice has its last value. Raises `Malformed`."""
    reader = _Reader(text)
    found: dict[str, Value] = {}
    for _ in reader.members():
        key = reader.key()
        found.pop(key, None)
        if reader.take("="):
            found[key] = reader.value()
        else:
            reader.parameters()
            found[key] = True
    return found


def simple_dictionary(text: str) -> dict[str, str | int | float | bool] | None:
    """Return what a client keeps of a dictionary: strings, numbers and booleans.

    None stands for a text that is no dictionary (ResponseHeaderData of both clients).
    """
    try:
        found = parse_dictionary(text)
    except Malformed:
        return None
    return {
        key: value
        for key, value in found.items()
        if isinstance(value, str | int | float) and not isinstance(value, Token)
    }


def string_item(text: str) -> str:
    """Write a string. Raises `Malformed` for what a string cannot hold."""
    if any(not " " <= character <= "~" for character in text):
        raise Malformed(f"{text!r} has characters that a string cannot hold")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def string_list(texts: Sequence[str]) -> str:
    return ", ".join(string_item(text) for text in texts)


def string_dictionary(entries: Mapping[str, str]) -> str:
    """Write a dictionary of strings. Raises `Malformed` for an unsound key or value."""
    written = []
    for key, value in entries.items():
        _Reader(key).whole_key()
        written.append(f"{key}={string_item(value)}")
    return ", ".join(written)


class _Reader:
    def __init__(self, text: str) -> None:
        if not text.isascii():
            raise Malformed("not ASCII")
        self._text = text.strip(" ")
        self._at = 0

    def members(self) -> _Members:
        return _Members(self)

    def ended(self) -> bool:
        return self._at >= len(self._text)

    def take(self, character: str) -> bool:
        if self._text.startswith(character, self._at):
            self._at += len(character)
            return True
        return False

    def skip(self, characters: str) -> None:
        while not self.ended() and self._text[self._at] in characters:
            self._at += 1

    def between(self) -> None:
        """Read the comma between two members."""
        self.skip(" \t")
        if self.ended():
            return
        if not self.take(","):
            raise self.wrong("a comma")
        self.skip(" \t")
        if self.ended():
            raise self.wrong("a member after the comma")

    def wrong(self, wanted: str) -> Malformed:
        return Malformed(f"{self._text!r} lacks {wanted} at {self._at}")

    def key(self) -> str:
        if self.ended() or self._text[self._at] not in KEY_START:
            raise self.wrong("a key")
        return self._run(KEY_REST)

    def whole_key(self) -> None:
        self.key()
        if not self.ended():
            raise self.wrong("nothing more")

    def value(self) -> Value:
        if self.take("("):
            return self._inner()
        item = self._bare()
        self.parameters()
        return item

    def parameters(self) -> None:
        while self.take(";"):
            self.skip(" ")
            self.key()
            if self.take("="):
                self._bare()

    def _inner(self) -> tuple[Bare, ...]:
        items: list[Bare] = []
        while True:
            self.skip(" ")
            if self.take(")"):
                self.parameters()
                return tuple(items)
            items.append(self._bare())
            self.parameters()
            if self.ended() or self._text[self._at] not in " )":
                raise self.wrong("a space or a bracket")

    def _run(self, allowed: str) -> str:
        start = self._at
        self.skip(allowed)
        return self._text[start : self._at]

    def _bare(self) -> Bare:
        first = self._text[self._at : self._at + 1]
        if first == '"':
            return self._string()
        if first == ":":
            return self._bytes()
        if first == "?":
            return self._boolean()
        if first and (first == "-" or first in string.digits):
            return self._number()
        if first and first in TOKEN_START:
            return Token(self._run(TOKEN_REST))
        raise self.wrong("an item")

    def _string(self) -> str:
        self._at += 1
        read: list[str] = []
        while not self.ended():
            character = self._text[self._at]
            self._at += 1
            if character == '"':
                return "".join(read)
            if character == "\\":
                character = self._text[self._at : self._at + 1]
                self._at += 1
                if not character or character not in '"\\':
                    raise self.wrong("a quote or a backslash after the backslash")
            elif not " " <= character <= "~":
                raise self.wrong("a printable character")
            read.append(character)
        raise self.wrong("a closing quote")

    def _bytes(self) -> bytes:
        self._at += 1
        text = self._run(BASE64)
        if not self.take(":"):
            raise self.wrong("a closing colon")
        try:
            return base64.b64decode(text, validate=True)
        except binascii.Error as error:
            raise self.wrong("sound base64") from error

    def _boolean(self) -> bool:
        self._at += 1
        for text, value in (("1", True), ("0", False)):
            if self.take(text):
                return value
        raise self.wrong("0 or 1")

    def _number(self) -> int | float:
        sign = -1 if self.take("-") else 1
        whole = self._run(string.digits)
        if not whole:
            raise self.wrong("a digit")
        if not self.take("."):
            if len(whole) > 15:
                raise self.wrong("at most 15 digits")
            return sign * int(whole)
        fraction = self._run(string.digits)
        if not 1 <= len(fraction) <= 3 or len(whole) > 12:
            raise self.wrong("one to three digits after the point")
        return sign * float(f"{whole}.{fraction}")


class _Members:
    """Walks over the members of a list or dictionary; the caller reads each one."""

    def __init__(self, reader: _Reader) -> None:
        self._reader = reader
        self._first = True

    def __iter__(self) -> _Members:
        return self

    def __next__(self) -> None:
        if not self._first:
            self._reader.between()
        self._first = False
        if self._reader.ended():
            raise StopIteration
