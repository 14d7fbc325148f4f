from __future__ import annotations

import pathlib
import stat
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shipway.environments import vault
from shipway.kit import errors


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("home")
    vault.Vault.create(folder)
    return folder


def test_the_private_key_is_the_owners_alone(home: pathlib.Path) -> None:
    assert stat.S_IMODE((home / "secrets").stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "secrets" / "vault.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "secrets.pub").stat().st_mode) == 0o644
    assert sorted(path.name for path in (home / "secrets").iterdir()) == ["vault.key"]


def test_creating_again_keeps_the_key(home: pathlib.Path) -> None:
    sealed = vault.Vault.at(home).seal("hunter2")
    assert vault.Vault.create(home).open(sealed) == "hunter2"


def test_a_lost_public_key_is_made_again_from_the_private_one(tmp_path: pathlib.Path) -> None:
    sealed = vault.Vault.create(tmp_path).seal("hunter2")
    (tmp_path / "secrets.pub").unlink()
    assert vault.Vault.create(tmp_path).open(sealed) == "hunter2"


def test_keys_that_do_not_belong_together_are_told(
    home: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    vault.Vault.create(tmp_path)
    (tmp_path / "secrets.pub").write_bytes((home / "secrets.pub").read_bytes())
    with pytest.raises(errors.Failed, match="do not belong together"):
        vault.Vault.create(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_what_is_sealed_is_opened(home: pathlib.Path, text: str) -> None:
    sealed = vault.Vault.at(home).seal(text)
    assert vault.Vault.at(home, opens=True).open(sealed) == text
    assert sealed != vault.Vault.at(home).seal(text)


def test_who_only_seals_cannot_open(home: pathlib.Path) -> None:
    sealing = vault.Vault.at(home)
    with pytest.raises(errors.Denied, match="Only the worker"):
        sealing.open(sealing.seal("hunter2"))


def test_changed_bytes_are_not_opened(home: pathlib.Path) -> None:
    worker = vault.Vault.at(home, opens=True)
    sealed = bytearray(worker.seal("hunter2"))
    sealed[-1] ^= 1
    with pytest.raises(errors.Failed, match="was changed since"):
        worker.open(bytes(sealed))
    with pytest.raises(errors.Failed, match="was changed since"):
        worker.open(b"short")


def test_a_missing_or_broken_key_is_told(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.Unavailable, match="shipway up"):
        vault.Vault.at(tmp_path).seal("hunter2")
    (tmp_path / "secrets.pub").write_text("no key")
    with pytest.raises(errors.Failed, match="is no key"):
        vault.Vault.at(tmp_path).seal("hunter2")


def test_neither_key_nor_secret_is_in_what_is_printed(home: pathlib.Path) -> None:
    worker = vault.Vault.at(home, opens=True)
    assert repr(worker) == "Vault(opens=True)"


def test_likeness_tells_equal_from_different_within_one_scope(home: pathlib.Path) -> None:
    sealing = vault.Vault.at(home)
    same = sealing.likeness("hunter2", "shop")
    assert same == sealing.likeness("hunter2", "shop")
    assert same != sealing.likeness("hunter3", "shop")
    assert same != sealing.likeness("hunter2", "shoe")


def test_fresh_secrets_are_long_and_never_the_same() -> None:
    assert len({vault.fresh() for _ in range(100)}) == 100
    assert len(vault.fresh()) >= 32


def test_what_a_process_sealed_or_opened_is_not_in_its_log(home: pathlib.Path) -> None:
    code = f"""
import logging, pathlib
from shipway.environments import vault
from shipway.kit import log

log.configure()
of = vault.Vault.at(pathlib.Path({str(home)!r}), opens=True)
api = vault.Vault.at(pathlib.Path({str(home)!r}))
logging.error("opened %s", of.open(bytes.fromhex({api_sealed(home).hex()!r})))
api.seal("sealed-secret")
log.get("part").warning("it", what=["sealed-secret"])
raise ValueError("opened-secret")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    assert "ValueError: ***" in done.stderr
    assert "opened ***" in done.stderr
    assert "what=['***']" in done.stderr
    assert "-secret" not in done.stderr


def api_sealed(home: pathlib.Path) -> bytes:
    return vault.Vault.at(home).seal("opened-secret")
