"""What a job tells → progress that only ever rises. Pure: time comes in as an argument."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ivcap_client import Event
from ivcap_mcp.text import clip, stripped

MOST_MESSAGE = 200
NEARLY = 99.0
"""Percent shown when a service says that all is done: its result is still to come."""
MOST_A_SECOND = 10
EARLY = 0.95
"""A sign of life comes a little before it is due, since clocks and wires take their time."""


@dataclass(frozen=True, slots=True)
class Step:
    """One progress message. `total` is 100 once the service told how far it is, else missing."""

    progress: float
    total: float | None
    message: str


@dataclass(slots=True)
class Progress:
    """Turns events into steps.

    A service may count (`progress` of `total`), name its steps, or say nothing; steps nest and may start over. The
    value counts messages until a share of the whole is told, and is a percentage from then on. A share that would
    fall back counts as a small step forward instead; 100 is for the end.
    """

    value: float = 0.0
    total: float | None = None
    recent: list[str] = field(default_factory=list)

    @property
    def full(self) -> bool:
        """Whether the end was told: a platform that goes on talking, or is slow with the result, adds nothing to it."""
        return self.total is not None and self.value >= self.total

    def of(self, event: Event) -> Step:
        """The step for an event."""
        text = clip(stripped(event.text), MOST_MESSAGE)
        if not self.recent or self.recent[-1] != text:
            self.recent.append(text)
            del self.recent[:-10]
        if event.status == "succeeded" and self.total is not None and self.value < self.total:
            self.value = self.total
            return Step(self.value, self.total, text)
        return self._step(_share(event.data), text)

    def beat(self, text: str) -> Step:
        """A sign of life."""
        return self._step(None, clip(stripped(text), MOST_MESSAGE))

    def _step(self, share: float | None, text: str) -> Step:
        if share is not None and self.total is None and self.value < 100:
            self.total = 100.0
        if share is not None and self.total is not None and NEARLY * share > self.value:
            self.value = NEARLY * share
        elif self.total is not None:
            self.value += (self.total - self.value) / 1000
        else:
            self.value += 1
        return Step(self.value, self.total, text)


@dataclass(slots=True)
class Telling:
    """When which step is sent. Pure: times, in seconds on any rising clock, come in as arguments.

    Of events that come faster than they may be sent, only the newest is kept; words are all sent.

    Attributes:
        began: When the call began.
        gap: Shortest time between two messages, the last one excepted.
        heartbeat: Longest silence.
        progress: Makes steps of events.
    """

    began: float
    gap: float = 0.1
    heartbeat: float = 10.0
    progress: Progress = field(default_factory=Progress)
    _waiting: deque[tuple[Step, bool]] = field(default_factory=deque)
    _sent: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_A_SECOND))
    _over: bool = False

    def hear(self, event: Event) -> None:
        """Something a job told; after its end there is nothing more that could rise."""
        if self.progress.full:
            return
        if self._waiting and self._waiting[-1][1]:
            self._waiting.pop()
        self._waiting.append((self.progress.of(event), True))

    def say(self, text: str) -> None:
        """Something we have to tell."""
        if not self.progress.full:
            self._waiting.append((self.progress.beat(text), False))

    def due(self, now: float, *, last: bool = False) -> float:
        """Seconds until there is something to send: infinite where there is not."""
        if self._over:
            return math.inf
        before = self._sent[-1] if self._sent else None
        if not self._waiting:
            if last or self.progress.full:
                return math.inf
            return max(0.0, (self.began if before is None else before) + EARLY * self.heartbeat - now)
        gap = 0.0 if before is None or last else before + self.gap - now
        full = self._sent[0] + 1.0 - now if len(self._sent) == MOST_A_SECOND else 0.0
        return max(0.0, gap, full)

    def take(self, now: float, doing: str = "still running", *, last: bool = False) -> Step | None:
        """The step to be sent now, if one is due; it counts as sent."""
        if self.due(now, last=last) > 0:
            return None
        self._sent.append(now)
        if self._waiting:
            return self._waiting.popleft()[0]
        recent = self.progress.recent
        return self.progress.beat(f"{doing}: {recent[-1]}" if recent else doing)

    def end(self) -> None:
        """The answer is about to be given: nothing comes after it."""
        self._over = True


def _share(data: Any) -> float | None:
    """How far the service says it is, between 0 and 1."""
    options = data.get("options") if isinstance(data, Mapping) else None
    if not isinstance(options, Mapping):
        return None
    total = _number(options.get("total"))
    done = _number(options.get("progress", options.get("processed")))
    if total is not None and done is not None and 0 <= done <= total and total > 0:
        return done / total
    percent = _number(options.get("percentage"))
    return percent / 100 if percent is not None and 0 <= percent <= 100 else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:  # JSON's numbers have no largest one
        return None
