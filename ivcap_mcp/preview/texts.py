"""Bytes → text, if they are text; and how a text begins."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import Any

from ivcap_mcp.text import clip, stripped

BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MOST_LINES = 40
MOST_LINE = 300
UNUSUAL = 0.02
"""Share of control characters from which something is no text."""


def decoded(data: bytes) -> tuple[str, str] | None:
    """The text and the name of its encoding; `None` where these are no text.

    The data may be cut anywhere, also inside a character. What is not Unicode is taken for Latin-1.
    """
    for mark, encoding in BOMS:
        if data.startswith(mark):
            text = codecs.getincrementaldecoder(encoding)("replace").decode(data)
            return (text, encoding.removesuffix("-sig")) if _readable(text) else None
    try:
        text, encoding = codecs.getincrementaldecoder("utf-8")().decode(data), "utf-8"
    except UnicodeDecodeError:
        text, encoding = data.decode("latin-1"), "latin-1 (a guess: it is not UTF-8)"
        if any("\x7f" < char < "\xa0" for char in text):
            text, encoding = data.decode("cp1252", "replace"), "cp1252 (a guess: it is not UTF-8)"
    return (text, encoding) if _readable(text) else None


def _readable(text: str) -> bool:
    if "\0" in text:
        return False
    unusual = sum(1 for char in text[:20_000] if (char < " " and char not in "\t\n\r\f\x1b") or char == "\ufffd")
    return unusual <= UNUSUAL * min(len(text), 20_000)


def head(text: str, whole: bool) -> dict[str, Any]:
    """The first lines."""
    lines = text.splitlines()
    shown = [clip(line, MOST_LINE) for line in lines[:MOST_LINES]]
    told: dict[str, Any] = {"lines": shown}
    if whole:
        told["line_count"] = len(lines)
    elif len(lines) <= 1:
        told["note"] = "There is no line break in what was read."
    return told


def seen(value: Any, depth: int = 12) -> Any:
    """The value without characters that are not seen, and without what JSON cannot say; also keys."""
    if isinstance(value, str):
        return stripped(value)
    if isinstance(value, Mapping):
        if depth == 0:
            return f"… ({len(value)} keys)"
        return {stripped(str(key)): seen(one, depth - 1) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [seen(one, depth - 1) for one in value] if depth else f"… ({len(value)} entries)"
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return str(value)
    return value if value is None or isinstance(value, (bool, int, float)) else stripped(str(value))


def hexadecimal(data: bytes) -> list[str]:
    """Lines of 16 bytes, as numbers and as characters."""
    return [
        f"{at:04x}  {data[at : at + 16].hex(' '):47}  "
        + "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data[at : at + 16])
        for at in range(0, len(data), 16)
    ]
