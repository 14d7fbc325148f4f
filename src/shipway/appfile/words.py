"""The words that `shipway.toml` is made of, each with the shape that keeps it safe everywhere.

Names become folders, OS users, branches and host names, and folders are joined to paths: what is
let through here need not be feared further down.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pydantic
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

LONGEST_TEXT = 1024


@dataclass(frozen=True)
class Shape:
    """A pattern (of Python and of JSON Schema) with the words that explain it."""

    pattern: str
    expected: str
    example: str
    longest: int = 255
    choices: tuple[str, ...] = ()
    inside: bool = False
    """Whether it is a path that may not leave its folder."""

    def check(self, text: str) -> str:
        """Return the text, or raise what `problems` turns into a sentence."""
        if not self.fits(text):
            raise wrong(self.expected, self._fix(text))
        return text

    def fits(self, text: str) -> bool:
        """Whether a text has this shape, to its very end."""
        pattern = self.pattern.removeprefix("^").removesuffix("$")
        leaves = self.inside and ".." in text.split("/")
        return len(text) <= self.longest and not leaves and bool(re.fullmatch(pattern, text))

    def _fix(self, text: str) -> str:
        close = difflib.get_close_matches(text[:64], self.choices, n=1)
        return f"Did you mean {close[0]}?" if close else f'Write something like "{self.example}".'

    def __get_pydantic_core_schema__(
        self, source: Any, handler: pydantic.GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "pattern": self.pattern, "maxLength": self.longest}


def wrong(expected: str, fix: str) -> PydanticCustomError:
    """Return the error that says what was expected and what to do."""
    return PydanticCustomError("shape", "{expected}", {"expected": expected, "fix": fix})


_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def is_clean(text: str) -> bool:
    """Whether a text has no control characters, nor those that turn or hide what is shown."""
    return not any(unicodedata.category(character) in _UNSEEN for character in text)


def _clean(text: str) -> str:
    if not is_clean(text):
        raise wrong("text without control characters", "Remove them; they are shown escaped here.")
    return text


def _host(host: str) -> str:
    if any(len(label) > 63 for label in host.split(".")) or host.rpartition(".")[2].isdigit():
        raise wrong(
            "a host name that DNS allows, in lower case, without a port",
            'Write something like "staging.example.com".',
        )
    return host


_PART = r"[A-Za-z0-9_@.+][A-Za-z0-9_@.+-]*"
_GLOB = r"[A-Za-z0-9_@.+*][A-Za-z0-9_@.+*-]*"
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"

NAME = Shape(
    r"^[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?$",
    "a name of lower-case letters, digits and hyphens, at most 32 long, beginning with a letter",
    "my-app",
    32,
)

Name = Annotated[str, NAME]
"""The name of an app, of an install step or of a test."""

Text = Annotated[
    str, pydantic.StringConstraints(max_length=LONGEST_TEXT), pydantic.AfterValidator(_clean)
]
"""Free text of one line."""

Word = Annotated[
    str,
    pydantic.StringConstraints(min_length=1, max_length=LONGEST_TEXT),
    pydantic.AfterValidator(_clean),
]
"""One argument of a command."""

Command = Annotated[tuple[Word, ...], pydantic.Field(min_length=1, max_length=64)]
"""A command as a list of arguments. No shell reads it."""

FOLDER = Shape(
    rf"^{_PART}(?:/{_PART})*$",
    'a path relative to the root of the repository, without "..", spaces or a leading "/"',
    "server",
    inside=True,
)

Folder = Annotated[str, FOLDER]
"""A folder or file, relative to the root of the repository, or ``.``."""

Glob = Annotated[
    str,
    Shape(
        rf"^{_GLOB}(?:/{_GLOB})*$",
        'a relative path without "..", in which * may stand for any part of a name',
        "migrations/*.sql",
        inside=True,
    ),
]
"""Files and folders, relative to the folder of the section; ``*`` and ``**`` as in a shell."""

Package = Annotated[
    str,
    Shape(
        r"^(?:\*|(?:@[a-z0-9~_-][a-z0-9._~-]*/)?[a-z0-9~_-][a-z0-9._~-]*)$",
        "the name of an npm package",
        "sharp",
        214,
    ),
]
"""A package of npm; ``*`` is every one."""

Host = Annotated[
    str,
    Shape(
        rf"^(?:localhost|{_LABEL}(?:\.{_LABEL})+)$",
        "a host name that DNS allows, in lower case, without a port",
        "staging.example.com",
        249,  # so that "api." fits in front
    ),
    pydantic.AfterValidator(_host),
]

URL_PATH = Shape(r"^/[A-Za-z0-9._~/-]*$", 'a path that begins with "/"', "/health")

UrlPath = Annotated[str, URL_PATH]

VARIABLE_NAME = Shape(
    r"^[A-Z_][A-Z0-9_]*$",
    "a variable name of upper-case letters, digits and underscores",
    "STRIPE_KEY",
    100,
)

VariableName = Annotated[str, VARIABLE_NAME]

PYTHON_ENTRY = Shape(
    r"^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*$",
    "package.module:function",
    "shop.main:main",
)

PackageName = Annotated[
    str,
    Shape(
        r"^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$",
        "the name of an extra or of a dependency group",
        "postgres",
        100,
    ),
]

SOURCE = Shape(
    rf"^{_PART}(?:/{_PART})*$",
    "a source file relative to the folder",
    "src/server.ts",
    inside=True,
)

NodeVersion = Annotated[
    str, Shape(r"^[0-9]{1,3}(?:\.[0-9]{1,3}){0,2}$", "a version of Node", "24", 11)
]

Filled = Literal["API_URL", "DB_URL", "EXPO_PUBLIC_DOMAIN", "JWT_SECRET", "NODE_ENV"]
"""The variables that Shipway fills: `names.PROVIDED`."""

Whole = Annotated[int, pydantic.Strict()]
Flag = Annotated[bool, pydantic.Strict()]

EnvironmentName = Annotated[
    str,
    Shape(
        r"^(?:development|staging|production)$",
        "one of development, staging and production",
        "staging",
        choices=("development", "staging", "production"),
    ),
]
Platform = Literal["ios", "android", "web"]
Service = Literal["postgres"]
VariableKind = Literal["secret", "plain", "public"]
ServerKind = Literal["python", "node", "command"]
HostTarget = Literal["client", "server"]
