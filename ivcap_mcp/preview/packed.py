"""gzip, bzip2 and xz, unpacked a little at a time: a bomb is stopped, not survived."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterator
from typing import Any

from ivcap_mcp.preview import kinds
from ivcap_mcp.preview.bounds import MIB, MOST_UNPACKED, Budget, Unreadable
from ivcap_mcp.preview.source import Source, Streamed

PIECE = 256 * 1024
MOST_MEMORY = 128 * MIB
"""What an xz stream may ask its reader to set aside."""
MOST_LAYERS = 3


def unpacked(source: Source, name: str, until: float) -> tuple[Source, str, list[str]]:
    """What lies under the layers of compression.

    Returns:
        The content, its name without the endings of the layers, and the layers from the outside in.

    Raises:
        Unreadable: There are more than three layers.
    """
    layers: list[str] = []
    while (kind := kinds.of_bytes(source.head(300))) in kinds.PACKED:
        if len(layers) == MOST_LAYERS:
            raise Unreadable(f"it is compressed more than {MOST_LAYERS} times over")
        layers.append(str(kind))
        budget = Budget(MOST_UNPACKED, until, "unpacked")
        source, name = Streamed(_unpack(source.pieces(), str(kind), budget)), kinds.without_packing(name)
    return source, name, layers


def _unpack(pieces: Iterator[bytes], kind: str, budget: Budget) -> Iterator[bytes]:
    inner, fresh, ended = _reader(kind), True, False
    for piece in pieces:
        while piece := piece.lstrip(b"\0") if fresh and ended else piece:  # padding between streams
            try:
                for out in _given(inner, piece):
                    budget.spend(len(out))
                    yield out
            except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
                if fresh and ended:
                    return  # what follows the last stream is not ours
                raise Unreadable(f"its {kind} data is damaged: {error}") from None
            fresh = False
            left = b""
            if inner.eof:
                left, inner, fresh, ended = inner.unused_data, _reader(kind), True, True
            piece = left
    if not fresh:
        raise Unreadable(f"its {kind} data ends early: it is cut off")


def _reader(kind: str) -> Any:
    if kind == "gzip":
        return zlib.decompressobj(wbits=31)
    if kind == "bzip2":
        return bz2.BZ2Decompressor()
    return lzma.LZMADecompressor(memlimit=MOST_MEMORY)


def _given(inner: Any, data: bytes) -> Iterator[bytes]:
    """What comes out for some input, at most 256 KiB at a time."""
    while True:
        out = inner.decompress(data, PIECE)
        data = getattr(inner, "unconsumed_tail", b"")  # the other two keep it themselves
        if out:
            yield out
        if inner.eof or (not data and len(out) < PIECE):
            return
