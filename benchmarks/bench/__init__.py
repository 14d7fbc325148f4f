"""What the benchmarks share: a Shipway of their own, and how figures are told.

A benchmark is a script, so Python looks for modules beside it; the demo's are one folder up.
"""

from __future__ import annotations

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))
