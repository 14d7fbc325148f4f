"""Variables, guessed from the example files that repositories keep for people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from shipway.appfile import names, survey, words
from shipway.appfile.sections import Section, Value
from shipway.appfile.survey import Part

_ASSIGNMENT = re.compile(r"^(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*)$")
_SECRET = re.compile(r"SECRET|TOKEN|PASSWORD|PASSWD|KEY|DSN|CREDENTIAL|PRIVATE")


def variables(parts: Sequence[Part]) -> Iterator[Section]:
    """Return the variables of the example files, each once, with a guessed kind."""
    seen: set[str] = set(names.PROVIDED) | {"PORT", "HOST"}
    for part in parts:
        file = part.has(".env.example", ".env.sample", ".env.template")
        for line in survey.read_text(part.path / file).splitlines() if file else []:
            match = _ASSIGNMENT.match(line.strip())
            if match and match[1] not in seen:
                seen.add(match[1])
                yield _variable(match[1], match[2].split(" #")[0].strip().strip("'\""))


def _variable(name: str, value: str) -> Section:
    if name == "DATABASE_URL":
        return Section(heading="", told="CHECK: DATABASE_URL is called DB_URL under Shipway.")
    public = name.startswith(names.PUBLIC)
    kind = "public" if public else "secret" if _SECRET.search(name) else "plain"
    if not words.VARIABLE_NAME.fits(name) or names.objection(name, kind):
        return Section(heading="", told=f"CHECK: a variable cannot be called {name[:100]}.")
    keys: dict[str, Value] = {"kind": kind}
    if kind == "secret":
        keys["required"] = True
    elif value and len(value) <= words.LONGEST_TEXT and words.is_clean(value):
        keys["default"] = value
    return Section(heading=f"[variables.{name}]", keys=keys)
