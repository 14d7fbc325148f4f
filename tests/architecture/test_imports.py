"""The map of ARCHITECTURE.md, held by import-linter: its contracts stand in pyproject.toml."""

from __future__ import annotations

import pathlib

import pytest
from importlinter import cli

ROOT = pathlib.Path(__file__).parents[2]


def test_nobody_imports_up_the_map(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    status = cli.lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == 0, capsys.readouterr().out
