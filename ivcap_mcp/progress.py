"""What a job tells → progress that only ever rises. Pure: time comes in as an argument."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ivcap_client import Event
from ivcap_mcp.text import clip, stripped

MOST_MESSAGE = 200
NEARLY = 99.0
"""Percent shown when a service says that all is done: its result is still to come."""


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
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
