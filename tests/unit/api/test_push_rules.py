from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.checkout import SOUND

from shipway.api import push_rules
from shipway.api.push_rules import NOTHING, Update

GIB = 1024**3
ONE, TWO = "1" * 40, "2" * 40


def update(ref: str = "refs/heads/main", **changed: object) -> Update:
    given = {"old": ONE, "new": TWO, "ref": ref, "kind": "commit", "file": SOUND, **changed}
    return Update.model_validate(given)


def refusals(*updates: Update) -> str:
    return "\n".join(push_rules.refusals("tiny", updates))


def test_a_sound_push_lands() -> None:
    assert refusals(update(), update("refs/heads/feature/x", forward=False)) == ""


def test_a_file_that_is_not_valid_tells_every_problem() -> None:
    told = refusals(update(file='name = "tiny"\na = 1\nb = 2\n'))
    assert told.startswith(f"shipway.toml of main ({TWO[:7]}) is not valid:\n  - ")
    assert told.count("unknown key") == 2


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"file": None}, "There is no shipway.toml of main (2222222)"),
        ({"forward": False}, "main only moves forward"),
        ({"new": NOTHING}, "cannot be deleted"),
        ({"kind": "blob"}, "main would point to a blob"),
        ({"kind": ""}, "main would point to a nothing"),
        ({"file": SOUND.replace("tiny", "other")}, "is of 'other'"),
        ({"ref": "refs/tags/v1"}, "Shipway makes the tags"),
        ({"ref": "refs/notes/commits"}, "refs/notes/commits is not a branch"),
        ({"ref": "HEAD"}, "HEAD is not a branch"),
        ({"tree": {"largest": ["a.mp4", 2 * GIB]}}, "a.mp4 of main has 2.0 GiB; a file may have"),
        ({"tree": {"size": 3 * GIB, "largest": ["a", 9]}}, "main unpacks to 3.0 GiB; 2.0 GiB is"),
        ({"tree": {"files": 200_001}}, "main has more than 200,000 files"),
        ({"tree": {"submodules": ["lib"]}}, "lib of main is a submodule"),
        ({"tree": {"pointers": ["a.png", "b.png"]}}, "a.png (and 1 or more others) of main is a"),
    ],
)
def test_reasons(changed: dict[str, object], reason: str) -> None:
    assert reason in refusals(update(**changed))  # type: ignore[arg-type]


def test_another_branch_may_be_deleted() -> None:
    assert refusals(update("refs/heads/x", new=NOTHING, file=None)) == ""


def test_every_reason_is_told_once() -> None:
    told = push_rules.refusals("tiny", [update(f"refs/tags/v{n}") for n in range(3)])
    assert len(told) == 1


@given(st.text())
def test_any_file_is_judged_without_breaking(text: str) -> None:
    refusals(update(file=text))
