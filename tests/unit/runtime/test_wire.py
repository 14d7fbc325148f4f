"""What is said between keeper and caller arrives as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.kit import errors
from shipway.runtime import wire
from shipway.runtime.model import Kind, Owner, Sandbox, Service, Task

OWNER = Owner(Kind.BUILD, "tiny")


@given(data=st.binary(max_size=300), line=st.text(max_size=100))
def test_bytes_and_lines_come_through(data: bytes, line: str) -> None:
    request = wire.Write(owner=OWNER, path="a", data=data, mode=0o600)
    assert wire.parse(request.model_dump_json().encode()) == request
    frame = wire.Frame(data=data)
    assert wire.Frame.model_validate_json(frame.encoded()) == frame
    spoken = wire.Frame(line=line.encode(errors="replace").decode())
    assert wire.Frame.model_validate_json(spoken.encoded()) == spoken
    assert spoken.encoded().count(b"\n") == 1


def test_a_task_comes_through_whole() -> None:
    box = Sandbox(readable=("a",), mounted_as={"a": "b"}, network=True)
    task = Task(
        owner=OWNER, argv=("a", "b"), key="k", env={"A": "b"}, stdin=b"\xff\x00", sandbox=box
    )
    request = wire.Run(task=task)
    parsed = wire.parse(request.model_dump_json().encode())
    assert isinstance(parsed, wire.Run)
    assert parsed.task == task
    service = Service(owner=OWNER, name="s", argv=("a",), env={"A": "b"}, grace=1.5)
    assert wire.parse(wire.Keep(service=service).model_dump_json().encode()) == wire.Keep(
        service=service
    )


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b'{"verb": "run"}',
        b'{"verb": "provide", "owner": {"kind": "nobody"}}',
        b'{"verb": "drop", "name": "a", "also": 1}',
        b'{"verb": "write", "owner": {"kind": "api"}, "path": "a", "data": "", "mode": 2541}',
    ],
)
def test_what_is_not_understood_is_refused(line: bytes) -> None:
    with pytest.raises(errors.Invalid) as caught:
        wire.parse(line)
    assert caught.value.problems


@pytest.mark.parametrize(
    "error",
    [
        errors.Invalid("bad", problems=("one", "two"), fix="mend"),
        errors.Refused("one", "two", fix="mend"),
        errors.Denied("no"),
        errors.NotFound("none"),
        errors.Conflict("taken"),
        errors.Unavailable("away"),
        errors.Failed("broke", fix="mend"),
    ],
)
def test_errors_come_through(error: errors.ShipwayError) -> None:
    back = wire.error_of(wire.Problem.model_validate_json(wire.problem(error).model_dump_json()))
    assert type(back) is type(error)
    assert str(back) == str(error)
