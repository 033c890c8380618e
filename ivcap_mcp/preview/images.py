"""Size of an image, from its header alone: no decoder of ours ever sees the rest."""

from __future__ import annotations

import struct

MOST_PIXELS = 40_000_000
"""Images with more are not shown inline: a small file may claim a size that fells the client's decoder."""


def dimensions(head: bytes, kind: str) -> tuple[int, int] | None:
    """Width and height in pixels; `None` where the header does not tell."""
    try:
        return {"png": _png, "gif": _gif, "jpeg": _jpeg, "webp": _webp, "bmp": _bmp}[kind](head)
    except (KeyError, struct.error, IndexError):
        return None


def _png(head: bytes) -> tuple[int, int] | None:
    if head[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def _gif(head: bytes) -> tuple[int, int]:
    width, height = struct.unpack("<HH", head[6:10])
    return width, height


def _bmp(head: bytes) -> tuple[int, int]:
    width, height = struct.unpack("<ii", head[18:26])
    return abs(width), abs(height)


def _jpeg(head: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(head):
        if head[at] != 0xFF:
            return None
        mark = head[at + 1]
        if mark == 0xFF:
            at += 1
            continue
        # Start of frame, of any coding; C4, C8 and CC are tables and extensions.
        if 0xC0 <= mark <= 0xCF and mark not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return width, height
        if mark in (0x01, *range(0xD0, 0xD9)):
            at += 2
            continue
        at += 2 + struct.unpack(">H", head[at + 2 : at + 4])[0]
    return None


def _webp(head: bytes) -> tuple[int, int] | None:
    form = head[12:16]
    if form == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if form == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if form == b"VP8 ":
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None
