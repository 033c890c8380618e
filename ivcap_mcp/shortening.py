"""What fits into an answer: how much a value takes, and a shorter one in place of one that takes too much."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import anyio

from ivcap_mcp.text import clip


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


def fitted(value: Any, most: int) -> tuple[Any, int | None]:
    """A value that takes at most `most` bytes as JSON.

    Returns:
        The value and `None` if it fits; else a shortened copy, and the true size in bytes.
    """
    size = len(_dumped(value))
    if size <= most:
        return value, None
    for items in (200, 100, 50, 20, 10, 5, 2, 1):
        shorter = _shortened(value, items, 40 * items, 6)
        if len(_dumped(shorter)) <= most:
            return shorter, size
    return clip(json.dumps(_shortened(value, 1, 40, 2), ensure_ascii=False, default=str), most // 4), size


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, default=str).encode()


def _shortened(value: Any, items: int, characters: int, depth: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= characters else f"{value[:characters]}… ({len(value)} characters)"
    if depth == 0 and isinstance(value, (Mapping, list)):
        return f"… ({len(value)} {'entries' if isinstance(value, list) else 'keys'})"
    if isinstance(value, Mapping):
        kept = {
            str(key)[:200]: _shortened(value[key], items, characters, depth - 1) for key in list(value)[: 4 * items]
        }
        return kept if len(value) <= 4 * items else {**kept, "…": f"{len(value)} keys in all"}
    if isinstance(value, list):
        listed = [_shortened(one, items, characters, depth - 1) for one in value[:items]]
        return listed if len(value) <= items else [*listed, f"… ({len(value)} entries in all)"]
    return value
