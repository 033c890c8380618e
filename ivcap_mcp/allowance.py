"""How much one caller may ask, so that nobody takes the server from the others."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from dataclasses import dataclass, field

MOST_CALLERS = 10_000
"""Callers whose use is remembered; one that is forgotten starts anew, with a full bucket."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What each caller may do.

    Attributes:
        rate: Requests per minute, in the long run; 0: any number.
        burst: Requests that may come at once.
        at_once: Requests that may be open at the same time, streams among them; 0: any number.
        body: Bytes of a request.
    """

    rate: float = 0.0
    burst: int = 100
    at_once: int = 0
    body: int = 4 * 1024 * 1024


@dataclass(slots=True)
class _Use:
    left: float
    at: float
    open: int = 0


@dataclass(slots=True)
class Uses:
    """What callers have used."""

    limits: Allowance
    _uses: OrderedDict[str, _Use] = field(default_factory=OrderedDict)

    def enter(self, mark: str) -> float:
        """A request comes in. Each one that got 0 needs one `leave`.

        Returns:
            Seconds after which it may come again; 0: it may go on.
        """
        now, limits = time.monotonic(), self.limits
        use = self._uses.setdefault(mark, _Use(limits.burst, now))
        self._uses.move_to_end(mark)
        self._forget()
        if limits.at_once and use.open >= limits.at_once:
            return 1.0
        if limits.rate:
            use.left = min(float(limits.burst), use.left + (now - use.at) * limits.rate / 60)
            use.at = now
            if use.left < 1:
                return max(1.0, math.ceil((1 - use.left) * 60 / limits.rate))
            use.left -= 1
        use.open += 1
        return 0.0

    def leave(self, mark: str) -> None:
        """A request has been answered."""
        self._uses[mark].open -= 1

    def _forget(self) -> None:
        if len(self._uses) <= MOST_CALLERS:
            return
        idle = (mark for mark, use in list(self._uses.items())[:-1] if not use.open)
        while len(self._uses) > MOST_CALLERS and (mark := next(idle, None)):
            del self._uses[mark]
