"""How large an input may be, found out without recursion and without writing it out."""

from __future__ import annotations

from typing import Any, Final

MOST_BYTES: Final = 1_000_000
"""Largest input, in bytes of JSON."""
MOST_LEVELS: Final = 64
"""Deepest input: an object of plain values is one level."""


def too_much(arguments: Any) -> tuple[str, str] | None:
    """Return what is too much about an input, and what is wanted instead; `None` if it may be checked."""
    size = 0
    pending = [(arguments, 0)]
    while pending:
        value, level = pending.pop()
        if isinstance(value, dict | list):
            level += 1
            if level > MOST_LEVELS:
                return f"an input nested deeper than {MOST_LEVELS} levels", "a flatter one"
            size += 2 + 2 * len(value)
            pending.extend((each, level) for each in (value.values() if isinstance(value, dict) else value))
            size += sum(len(str(name)) + 2 for name in value) if isinstance(value, dict) else 0
        else:
            size += _length(value)
        if size > MOST_BYTES:
            told = "less; upload large data as an artifact and pass its URN"
            return f"an input of more than {MOST_BYTES} bytes", told
    return None


def _length(value: object) -> int:
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode(errors="replace"))
    if isinstance(value, int) and not isinstance(value, bool):
        return value.bit_length() // 3
    return 4


def sizes_of(value: Any) -> dict[int, int]:
    """Return the rough size in bytes of each larger part of a value that is at most 64 levels deep."""
    sizes: dict[int, int] = {}

    def size(each: Any) -> int:
        if isinstance(each, dict):
            own = sum(len(key) + size(inner) for key, inner in each.items())
        elif isinstance(each, list):
            own = sum(map(size, each))
        else:
            own = _length(each)
        if own > 200:
            sizes[id(each)] = own
        return own + 4

    size(value)
    return sizes
