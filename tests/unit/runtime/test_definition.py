"""A service as files: nothing of a caller's is read by a shell or run by the keeper."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shlex
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipway.kit import errors
from shipway.runtime.drivers import definition
from shipway.runtime.model import Kind, Owner, Service

SERVICE = Service(
    owner=Owner(Kind.SERVER, "tiny", "staging"),
    name="server.tiny",
    argv=("run", "it's", "$(reboot)"),
    env={"SECRET": "s3cret; reboot"},
)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=50)


def plan(service: Service = SERVICE) -> definition.Plan:
    return definition.Plan(
        service=service,
        becoming=("setpriv", "--reuid=1", "--"),
        logging_as=("setpriv", "--reuid=1", "--"),
        ids=(os.geteuid(), os.getegid()),
        cwd=pathlib.Path("/owners/it's"),
        log=pathlib.Path("/logs/server.tiny"),
        end_group=True,
    )


def written(tmp_path: pathlib.Path, service: Service = SERVICE) -> pathlib.Path:
    folder = tmp_path / service.name
    definition.write(plan(service), folder)
    return folder


def last_line(folder: pathlib.Path) -> str:
    return (folder / "run").read_text().splitlines()[-1]


def test_privileges_go_before_any_variable_is_set(tmp_path: pathlib.Path) -> None:
    words = shlex.split(last_line(written(tmp_path)))
    assert words == [
        "exec", "setpriv", "--reuid=1", "--", "s6-envdir", "-f", "env", "env",
        "--chdir=/owners/it's", "run", "it's", "$(reboot)",
    ]  # fmt: skip


@given(argv=st.lists(TEXT.filter(lambda x: "=" not in x and x), min_size=1, max_size=5))
def test_words_stay_words(argv: list[str]) -> None:
    service = dataclasses.replace(SERVICE, argv=tuple(argv))
    definition.check(service)
    line = definition._becoming_the_service(plan(service))
    assert shlex.split(line)[-len(argv) :] == argv


def test_only_the_owner_reads_its_variables(tmp_path: pathlib.Path) -> None:
    folder = written(tmp_path)
    holding = [
        path
        for path in folder.rglob("*")
        if path.is_file() and "s3cret" in path.read_text(errors="replace")
    ]
    assert holding == [folder / "env" / "SECRET"]
    assert stat.S_IMODE(holding[0].stat().st_mode) == 0o400
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("*.json")} == {0o600}


def test_what_is_known_of_a_service_is_read_back(tmp_path: pathlib.Path) -> None:
    about = definition.about(written(tmp_path))
    assert about.owner == SERVICE.owner
    assert about.owner.kind is Kind.SERVER
    assert (about.signal, about.grace, about.uid) == ("SIGTERM", 30.0, os.geteuid())


@pytest.mark.parametrize(
    "changes", [{"env": {}}, {"argv": ("run",)}, {"grace": 1.0}, {"stop_signal": "SIGINT"}]
)
def test_every_change_is_another_definition(changes: dict[str, object]) -> None:
    other = dataclasses.replace(SERVICE, **changes)  # type: ignore[arg-type]
    assert definition.digest(plan(other)) != definition.digest(plan())
    assert definition.digest(plan()) == definition.digest(plan())


def test_every_problem_is_named_at_once() -> None:
    bad = dataclasses.replace(SERVICE, name="../x", argv=(), env={"A B": "\0"}, stop_signal="TERM")
    with pytest.raises(errors.Invalid) as caught:
        definition.check(bad)
    assert len(caught.value.problems) == 5


def test_a_log_lacks_the_secrets_of_its_service_in_every_spelling(tmp_path: pathlib.Path) -> None:
    service = dataclasses.replace(SERVICE, secrets=("a/secret word", "of two\nlong-ish lines"))
    before = os.umask(0o077)  # as strict as whoever started the steward
    try:
        log = written(tmp_path, service) / "log"
    finally:
        os.umask(before)

    hidden = (log / "secrets").read_text().splitlines()
    assert {"a/secret word", "a%2Fsecret%20word", "of two\\nlong-ish lines", "long-ish lines"} <= {
        *hidden
    }
    modes = {log: 0o711, log / "secrets": 0o400, log / "mask.py": 0o444}
    assert {path: stat.S_IMODE(path.stat().st_mode) for path in modes} == modes
    opening, running = (log / "run").read_text().splitlines()[1:]
    assert opening == "exec 3<mask.py"
    assert shlex.split(running)[1:8] == [
        "setpriv", "--reuid=1", "--", "/usr/bin/python3", "-IS", "/proc/self/fd/3", "secrets",
    ]  # fmt: skip


def test_a_service_without_secrets_logs_as_before(tmp_path: pathlib.Path) -> None:
    log = written(tmp_path) / "log"
    assert sorted(file.name for file in log.iterdir()) == ["run"]
    assert shlex.split((log / "run").read_text().splitlines()[-1])[4] == "s6-log"
