"""How often somebody may try to come in."""

from __future__ import annotations

import collections
import time
from collections.abc import Callable

from shipway.kit import errors

MOST_KNOWN = 10_000
"""So many addresses and names are remembered; the oldest go."""


class Limit:
    """At most ``most`` tries in ``seconds`` for each who; kept in memory, by one process."""

    def __init__(
        self, most: int, seconds: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._seconds = seconds
        self._now = now
        self._tries: collections.OrderedDict[str, collections.deque[float]] = (
            collections.OrderedDict()
        )

    def count(self, who: str) -> None:
        """Count a try. Raises `errors.Refused` when there were too many."""
        now = self._now()
        tries = self._tries.setdefault(who, collections.deque(maxlen=self._most))
        self._tries.move_to_end(who)
        while len(self._tries) > MOST_KNOWN:
            self._tries.popitem(last=False)
        is_too_often = len(tries) == self._most and now - tries[0] < self._seconds
        if not is_too_often:
            tries.append(now)
            return
        wait = int(self._seconds - (now - tries[0])) + 1
        raise errors.Refused(
            "There were too many tries to sign in.", fix=f"Wait {wait} seconds and try again."
        )

    def forget(self, who: str) -> None:
        """Let somebody begin anew: they came in."""
        self._tries.pop(who, None)
