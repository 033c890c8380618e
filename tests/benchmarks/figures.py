"""What a row of the table holds, and how a goal is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median, quantiles
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    Attributes:
        what: What was measured.
        peer: What it is compared with and its value; `None` where a goal stands for itself.
        ours: Our value.
        unit: Of both: `ms`, `s`, `MB`, `MB/s`, `calls/s`, `requests`, …
        goal: In words; empty for what is told only.
        met: Whether it is; of what has no goal, always.
        note: How it was measured, sizes, and what a reader must know before trusting it.
        ratio: Ours by the peer's.
        spread: First and third quartile of both, where there are many values.
    """

    what: str
    peer: float | None
    ours: float
    unit: str
    goal: str
    met: bool
    note: str = ""
    spread: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        return self.ours / self.peer if self.peer else None

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio}


def at_most(
    what: str,
    ours: Sequence[float],
    peer: Sequence[float],
    *,
    times: float,
    plus: float = 0.0,
    unit: str = "ms",
    note: str = "",
) -> Figure:
    """Medians of two samples in seconds; ours may be `times` the peer's, `plus` seconds more."""
    mine, theirs = median(ours), median(peer)
    goal = f"≤ {times:g}×" + (f" + {plus * 1000:g} ms" if plus else "")  # noqa: RUF001
    scale = {"ms": 1000.0, "s": 1.0, "µs": 1e6}[unit]
    spread = {name: _quartiles(sample, scale) for name, sample in (("ours", ours), ("peer", peer))}
    met = mine <= theirs * times + plus
    return Figure(what, theirs * scale, mine * scale, unit, goal, met, note or f"medians of {len(ours)}", spread)


def at_least(what: str, ours: float, peer: float, *, times: float, unit: str, note: str = "") -> Figure:
    """Two rates; ours must reach `times` the peer's."""
    return Figure(what, peer, ours, unit, f"≥ {times:g}×", ours >= peer * times, note)  # noqa: RUF001


def bounded(
    what: str, ours: float, *, most: float, unit: str, peer: float | None = None, note: str = "", within: str = ""
) -> Figure:
    """A value with an upper bound of its own; the peer's, if any, is for orientation."""
    return Figure(what, peer, ours, unit, within or f"≤ {most:g} {unit}", ours <= most, note)


def noted(what: str, ours: float, peer: float | None, *, unit: str, note: str = "") -> Figure:
    """A value without a goal, beside the peer's from the same run."""
    return Figure(what, peer, ours, unit, "", True, note)


def _quartiles(sample: Sequence[float], scale: float) -> tuple[float, float]:
    if len(sample) < 2:
        return sample[0] * scale, sample[0] * scale
    first, _, third = quantiles(sample, n=4, method="inclusive")
    return first * scale, third * scale
