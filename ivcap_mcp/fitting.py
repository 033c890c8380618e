"""Values and answers made to fit a budget; an answer as it is written, not as it would be in its shortest form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ivcap_mcp.rendering import rendered
from ivcap_mcp.text import clip

MOST_URN = 200

MOST_CURSOR = 300
"""Bytes kept for a cursor; a longer one may make the answer as much longer."""


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
    return _told_only(value, most), size


def _told_only(value: Any, most: int) -> Any:
    """What is left of a value for which there is no room; its type stays, since callers have promised it."""
    if isinstance(value, Mapping):
        return {"…": f"{len(value)} keys in all"}
    if isinstance(value, list):
        return [f"… ({len(value)} entries in all)"]
    return clip(str(value), most // 4)


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, default=str).encode()


def _shortened(value: Any, items: int, characters: int, depth: int) -> Any:
    if isinstance(value, str):
        # Half a URN names nothing.
        whole = len(value) <= characters or (value.startswith("urn:") and len(value) <= MOST_URN)
        return value if whole else f"{value[:characters]}… ({len(value)} characters)"
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


def fit(told: dict[str, Any], part: str, most: int) -> dict[str, Any]:
    """The answer with one part of it shortened until its text has at most `most` bytes.

    What had to be shortened is said: `shortened`, and in `size` the bytes the part has in full (in `full_size` where
    the answer has a size of its own).
    """
    true_size = "full_size" if "size" in told else "size"
    if len(rendered(told).encode()) <= most:
        return told
    rest = len(rendered(told | {part: None, "shortened": True, true_size: 0}).encode())
    room, shorter = most - rest, told
    while room > 100:
        shown, size = fitted(told[part], room)
        shorter = told | {part: shown} | ({"shortened": True, true_size: size} if size is not None else {})
        if len(rendered(shorter).encode()) <= most:
            return shorter
        room = room * 3 // 4
    shown, size = fitted(told[part], 100)
    return told | {part: shown, "shortened": True, true_size: size}


def leading(told: dict[str, Any], part: str, most: int) -> int:
    """How many of the first items of a list fit into the answer whole, beside a cursor that goes on after them.

    Items are dropped rather than shortened: what is dropped is on the next page.
    """
    few, many = 0, len(told[part])
    if len(rendered(told).encode()) <= most:
        return many
    rest = told | {"cursor": "x" * MOST_CURSOR, "shortened": True, "size": 10**9}
    while few < many:
        middle = (few + many + 1) // 2
        if len(rendered(rest | {part: told[part][:middle]}).encode()) <= most:
            few = middle
        else:
            many = middle - 1
    return few
