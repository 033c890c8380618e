"""An answer made to fit its budget as it is written, not as it would be in its shortest form."""

from __future__ import annotations

from typing import Any

from ivcap_mcp.rendering import rendered
from ivcap_mcp.shortening import fitted


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
