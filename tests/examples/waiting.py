"""Bounded waiting for something that happens in another process."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(ask: Callable[[], T | None], *, within: float = 30.0, what: str = "it") -> T:
    """Ask every 10 ms until the answer is neither `None` nor false; fail the test after `within` seconds."""
    end = time.monotonic() + within
    while not (answer := ask()):
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen within {within:g} s")
        time.sleep(0.01)
    return answer
