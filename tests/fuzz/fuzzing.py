"""What a fuzzed part is, how its cases come about, and what is said of one that fails.

A case depends on nothing but the seed, the part's name and its number, so it can be made again from these three.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from random import Random
from typing import Any

Check = Callable[[Any], Awaitable[None]]
"""Tries one case; raises if the answer is anything but a result or a clean error."""
SLOWEST = 20.0
"""Seconds for one case, beyond which it counts as a failure: what is hostile must not keep a server busy."""
MOST_FAILURES = 5


@dataclass(frozen=True, slots=True)
class Part:
    """Something that takes what comes from outside.

    Attributes:
        name: How it is called on the command line.
        full: Cases of a full run.
        quick: Cases of a short one.
        make: From a source of chance to a case. Pure.
        open: Sets up what is fuzzed, for many cases.
    """

    name: str
    full: int
    quick: int
    make: Callable[[Random], Any]
    open: Callable[[], AbstractAsyncContextManager[Check]]


@dataclass(slots=True)
class Run:
    """What became of a part."""

    name: str
    cases: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    failures: list[str] = field(default_factory=list)


def case(part: Part, seed: int, number: int) -> Any:
    """The case of this number."""
    return part.make(Random(f"{seed} {part.name} {number}"))


async def run(part: Part, seed: int, numbers: range) -> Run:
    """Try the cases; stop after a few that failed."""
    found, began = Run(part.name), time.monotonic()
    async with part.open() as check:
        for number in numbers:
            tried, start = case(part, seed, number), time.monotonic()
            try:
                await check(tried)
                took = time.monotonic() - start
                assert took < SLOWEST, f"it took {took:.0f} s"
            except Exception as problem:
                found.failures.append(told(part, seed, number, tried, problem))
                sys.stderr.write(found.failures[-1])
            found.cases += 1
            found.slowest = max(found.slowest, time.monotonic() - start)
            if len(found.failures) >= MOST_FAILURES:
                break
    found.seconds = time.monotonic() - began
    return found


def told(part: Part, seed: int, number: int, tried: Any, problem: Exception) -> str:
    """A failure: what was tried, what happened, and how to see it again."""
    shown = repr(tried)
    lines = traceback.format_exception(problem)
    return (
        f"\n{part.name}, case {number}: {shown[:2_000]}{'…' if len(shown) > 2_000 else ''}\n"
        f"{''.join(lines)[-4_000:]}"
        f"again: python -m tests.fuzz --only {part.name} --seed {seed} --case {number}\n"
        f"(if it passes alone, what came before matters: --from {max(0, number - 200)} --to {number})\n"
    )
