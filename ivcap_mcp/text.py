"""What "stripped" and "cut" mean for text that comes from services and goes to a model."""

from __future__ import annotations

import re
import unicodedata

MOST_DESCRIPTION = 2_000
"""Longest description of a tool, in characters."""
MOST_PARAMETER = 500
"""Longest description of a parameter, in characters."""

# Format characters (Cf) that are part of the reading: number signs and the like that enclose the digits after them.
# Source: Unicode `PropList.txt`, `Prepended_Concatenation_Mark`.
_READ = frozenset(
    map(chr, [*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD]),
)

# Joiners (ZWNJ, ZWJ, Mongolian vowel separator) decide how letters are shaped in Persian, in the scripts of India and
# in Mongolian, and words there change their meaning without them. Between Latin letters, or in a row, they only hide
# something. So one joiner is kept where it stands between two letters or marks of a script that uses it.
_JOINERS = "\u180e\u200c\u200d"
_JOINER = re.compile(f"[{_JOINERS}]+")
_JOINING_SCRIPTS = (
    (0x0600, 0x08FF),  # Arabic, Syriac, Thaana, N'Ko, Mandaic
    (0x0900, 0x0DFF),  # Devanagari to Sinhala
    (0x0F00, 0x109F),  # Tibetan, Myanmar
    (0x1780, 0x18AF),  # Khmer, Mongolian
    (0x1A20, 0x1AAF),  # Tai Tham
    (0x1B00, 0x1BFF),  # Balinese, Sundanese, Batak
    (0xA800, 0xABFF),  # Syloti Nagri to Meetei Mayek
    (0xFB50, 0xFDFF),  # Arabic presentation forms
    (0xFE70, 0xFEFC),
    (0x11000, 0x11FFF),  # Brahmi and its later relatives
)


def stripped(text: str) -> str:
    """Remove what is not seen when the text is read, and so could hide instructions from a person.

    Gone are control characters except newline and tab, format characters (bidi, zero width, tags), U+2028, U+2029,
    U+E0000 to U+E0FFF, and lone surrogates, which no wire can carry. Kept are the marks that scripts need to be read.
    Stripping twice changes nothing more.
    """
    unseen = {ord(char): None for char in set(text) if _is_unseen(char)}
    if unseen:
        text = text.translate(unseen)
    return _JOINER.sub(_kept_joiner, text)


def clip(text: str, most: int) -> str:
    """Cut text to at most `most` characters, at the end of a word where there is one, and say so with "…"."""
    if len(text) <= most:
        return text
    if most < 1:
        return ""
    end = most - 1
    while end > 0 and unicodedata.combining(text[end]):
        end -= 1  # an accent stays with its letter
    part = text[:end]
    if not text[end].isspace():
        words = re.match(r"(?s)(.*)\s", part)
        if words and len(words[1]) >= most // 2:  # a long word without blanks is cut rather than dropped
            part = words[1]
    return f"{part.rstrip()}…"


def one_line(text: str, most: int) -> str:
    """Strip text, put it on one line, and cut it to `most` characters."""
    return clip(" ".join(stripped(text[: 8 * most + 64]).split()), most)


def _is_unseen(char: str) -> bool:
    if char in "\n\t" or char in _READ or char in _JOINERS:
        return False
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} or 0xE0000 <= ord(char) <= 0xE0FFF


def _kept_joiner(found: re.Match[str]) -> str:
    before = found.string[found.start() - 1 : found.start()]
    after = found.string[found.end() : found.end() + 1]
    one = len(found[0]) == 1
    return found[0] if one and _is_joined(before) and _is_joined(after) else ""


def _is_joined(char: str) -> bool:
    if not char or unicodedata.category(char)[0] not in "LM":
        return False
    return any(first <= ord(char) <= last for first, last in _JOINING_SCRIPTS)
