"""What a terminal gets and a file or a pipe does not: colour, aligned columns, a QR code."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from typing import TextIO

COLOURS = {"good": "32", "bad": "31", "warn": "33", "dim": "2", "strong": "1"}


def lively(out: TextIO) -> bool:
    """Whether the output is a terminal that redraws lines."""
    return out.isatty() and os.environ.get("TERM") != "dumb"


class Paint:
    """Colours for one output, or none: `NO_COLOR` (no-color.org), a pipe, a file, a dumb terminal."""

    def __init__(self, out: TextIO) -> None:
        self.on = lively(out) and not os.environ.get("NO_COLOR")

    def __call__(self, text: str, how: str) -> str:
        return f"\x1b[{COLOURS[how]}m{text}\x1b[0m" if self.on else text


def pairs(rows: Iterable[Sequence[str]]) -> str:
    """Names and values in two columns, one pair a line; a value of several lines stays in its column."""
    rows = list(rows)
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{name:<{width}}  {value}".replace("\n", "\n" + " " * (width + 2)) for name, value in rows)


def qr(text: str, out: TextIO) -> str:
    """A QR code drawn in half blocks; empty where the output cannot show one that a phone can read."""
    encoding = (getattr(out, "encoding", None) or "").lower().replace("-", "")
    if not lively(out) or not encoding.startswith("utf"):
        return ""
    import segno

    code = segno.make(text, error="l", micro=False)
    across, down = code.symbol_size(border=2)
    size = shutil.get_terminal_size()
    if across > size.columns or down // 2 + 6 > size.lines:
        return ""
    import io

    drawn = io.StringIO()
    code.terminal(out=drawn, compact=True, border=2)
    lines = drawn.getvalue().rstrip("\n").split("\n")
    # Dark on light whatever the terminal's own colours are, since not every phone reads the reverse.
    return "\n".join(f"\x1b[97;40m{line}\x1b[0m" if Paint(out).on else line for line in lines)


def span(seconds: float) -> str:
    """A time in the unit that says it best."""
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
