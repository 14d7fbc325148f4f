"""Tables of cases, each named after the rule that it proves and where the rule stands.

Sources: ``Expo Updates 0`` and ``1`` are Expo's specifications, ``SFV`` is RFC 8941; ``Android``
and ``iOS`` are what expo-updates 57 does on them; ``RFC`` is HTTP; ``Shipway`` is a promise of
our own (issue 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest


def each(names: str, *cases: tuple[Any, ...]) -> pytest.MarkDecorator:
    """Run a test for every case: (rule, source, values…)."""
    params: Sequence[Any] = [
        pytest.param(*values, id=f"{rule} ({source})") for rule, source, *values in cases
    ]
    return pytest.mark.parametrize(names.split(), params)
