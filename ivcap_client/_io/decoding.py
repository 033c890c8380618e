"""Content encodings undone with a bound: a small reply cannot become a large one before somebody notices."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Protocol

PIECE = 256 * 1024
"""Bytes decoded in one step."""

ACCEPTED = "gzip, deflate"


class Unreadable(ValueError):
    """The bytes do not follow their encoding, or nobody here knows it."""


class Decoder(Protocol):
    """Turns bytes as they came into bytes as they were meant."""

    def feed(self, piece: bytes) -> Iterator[bytes]: ...
    def end(self) -> None:
        """Say that nothing follows.

        Raises:
            Unreadable: Something should have followed.
        """
        ...


def decoder(encoding: str) -> Decoder:
    """The decoder for a `Content-Encoding`.

    Raises:
        Unreadable: It is neither gzip nor deflate; no other was asked for.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return _Identity()
    if name in ("gzip", "x-gzip", "deflate"):
        return _Inflate(gzip="gzip" in name)
    raise Unreadable(f"the encoding {name[:50]!r} was not asked for")


class _Identity:
    def feed(self, piece: bytes) -> Iterator[bytes]:
        yield piece

    def end(self) -> None:
        pass


class _Inflate:
    def __init__(self, *, gzip: bool) -> None:
        self._gzip, self._begun = gzip, False
        self._zlib = zlib.decompressobj(31 if gzip else 15)

    def feed(self, piece: bytes) -> Iterator[bytes]:
        left = piece
        while left or self._zlib.unconsumed_tail:
            if self._zlib.eof:
                if not self._gzip:
                    return  # whatever follows the one stream there may be
                self._zlib = zlib.decompressobj(31)  # a gzip file may have several members
            try:
                out = self._zlib.decompress(left, PIECE)
            except zlib.error as error:
                if self._gzip or self._begun:
                    raise Unreadable(str(error)) from None
                # "deflate" means zlib, but some servers send the bare format.
                self._zlib, self._begun = zlib.decompressobj(-15), True
                continue
            self._begun = True
            left = self._zlib.unused_data if self._zlib.eof else self._zlib.unconsumed_tail
            if out:
                yield out

    def end(self) -> None:
        if self._begun and not self._zlib.eof:
            raise Unreadable("it ends too early")
