"""What fits into an answer: how much a value takes, and a shorter one in place of one that takes too much."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio

from ivcap_mcp.fitting import fitted


def is_little(value: Any, most: int = 4000) -> bool:
    """Whether a value takes few characters, found without writing it: a thread for it would cost more than it does."""
    left, waiting = most, [value]
    while waiting and left > 0:
        one = waiting.pop()
        left -= 8
        if isinstance(one, str):
            left -= len(one)
        elif isinstance(one, Mapping):
            left -= 4 * len(one)
            if left > 0:
                waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple):
            left -= len(one)
            if left > 0:
                waiting += one
    return left > 0


async def fitted_in_time(value: Any, most: int) -> tuple[Any, int | None]:
    """`fitted`, in a thread where it may take long."""
    return fitted(value, most) if is_little(value) else await anyio.to_thread.run_sync(fitted, value, most)
