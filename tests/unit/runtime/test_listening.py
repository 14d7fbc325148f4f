"""The kernel's table of sockets, as text."""

from __future__ import annotations

import pathlib
from typing import NoReturn

import pytest

from shipway.runtime import listening

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000   994        0 1 1 0
   1: 0100007F:1F91 0100007F:1F90 01 00000000:00000000 00:00000000 00000000   993        0 2 1 0
"""


def test_only_those_who_listen_count(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tcp").write_text(TABLE)
    monkeypatch.setattr(listening, "_TABLES", (tmp_path / "tcp", tmp_path / "none"))
    monkeypatch.setattr(listening, "_asked", refuse)
    assert listening.users() == {8080: {994}}


def refuse(_: int) -> NoReturn:
    raise OSError
