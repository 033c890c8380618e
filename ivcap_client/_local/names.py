"""Names from outside as file names: legal on every system, inside their directory, never another file's."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

MOST_BYTES = 200
"""Longest file name in UTF-8 bytes. File systems allow 255; the rest is room for " (2)" and temporary marks."""

_MOST_SUFFIX = 24
_FORBIDDEN = re.compile(r'[<>:"|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?\Z", re.IGNORECASE)
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def safe_name(name: str, fallback: str) -> str:
    """Turn any text into the name of a file.

    Args:
        name: What the file was called elsewhere; may be a path, may be anything.
        fallback: Name to use when nothing usable is left; must itself be safe.

    Returns:
        One path component, without separators, control characters or names that mean something to a system,
        at most `MOST_BYTES` long in UTF-8. A safe name comes back as it is.
    """
    parts = [part for part in re.split(r"[/\\]+", name) if part.strip(" .") or part.strip(" .\t")]
    text = unicodedata.normalize("NFC", "_".join(parts))
    text = "".join("_" if unicodedata.category(char) in _HIDDEN_CATEGORIES else char for char in text)
    text = _FORBIDDEN.sub("_", text).strip().rstrip(" .")
    if text.startswith("."):
        text = "_" + text[1:]
    if not text.strip("_"):
        return fallback
    if _RESERVED.match(text):
        text = "_" + text
    return _shortened(text) or fallback


def _shortened(name: str) -> str:
    if len(name.encode()) <= MOST_BYTES:
        return name
    stem, suffix = split(name)
    if len(suffix.encode()) > _MOST_SUFFIX:
        stem, suffix = name, ""
    room = MOST_BYTES - len(suffix.encode())
    # Cutting bytes may cut a character in two; its first half is dropped.
    cut = stem.encode()[:room].decode(errors="ignore").rstrip(" .")
    return cut + suffix


def split(name: str) -> tuple[str, str]:
    """Split a name into stem and suffix; of an archive such as `x.tar.gz` both suffixes belong together."""
    stem, dot, last = name.rpartition(".")
    if not dot or not stem:
        return name, ""
    if stem.lower().endswith(".tar") and len(stem) > 4:
        return stem[:-4], stem[-4:] + dot + last
    return stem, dot + last


def candidates(name: str) -> Iterator[str]:
    """Yield `used.csv`, `used (2).csv`, `used (3).csv` …: names to try until one is free."""
    yield name
    stem, suffix = split(name)
    number = 2
    while True:
        yield f"{stem} ({number}){suffix}"
        number += 1
