"""An artifact, or something inside it, as a file that parsers can read and seek, and never exhaust."""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator

from ivcap_mcp.preview.bounds import MIB, MOST_AT_ONCE, MOST_HELD, Budget, Stopped, Unreadable

BLOCK = 64 * 1024
KEPT = 128
"""Blocks of a ranged file kept in memory."""


class Source(io.RawIOBase):
    """Bytes that can be read from anywhere.

    Attributes:
        size: Bytes in all, if known.
        ranged: Any part costs only itself; otherwise what lies before it comes along.
        root: The artifact's own bytes, not something unpacked from them.
        flaw: Why the rest could not be read, though what was read is good.
    """

    size: int | None
    ranged = False
    root = False
    flaw: str | None = None

    def __init__(self, size: int | None) -> None:
        self.size, self._at = size, 0

    def window(self, first: int, length: int) -> bytes:
        """At most `length` bytes from `first` on; fewer only at the end.

        Raises:
            Stopped: They lie too far from the beginning, or are too many.
        """
        raise NotImplementedError

    def pieces(self) -> Iterator[bytes]:
        """All bytes from the beginning, in order; none of them are kept, so read nothing else afterwards."""
        raise NotImplementedError

    def head(self, most: int) -> bytes:
        """The first bytes."""
        return self.window(0, most)

    def end(self) -> int:
        """Bytes in all, read to the end if there is no other way."""
        raise NotImplementedError

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at}.get(whence)
        at = (self.end() if base is None else base) + offset
        if at < 0:
            raise ValueError("a place before the beginning")  # what parsers expect of a file
        self._at = at
        return at

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = max(0, self.end() - self._at) if size is None or size < 0 else size
        if wanted > MOST_AT_ONCE:
            raise Stopped(f"its structure asks to read {wanted} bytes at once, more than {MOST_AT_ONCE // MIB} MiB")
        found = self.window(self._at, wanted)
        self._at += len(found)
        return found


class Ranged(Source):
    """A file of which parts can be fetched.

    Args:
        fetch: Gives at most `length` bytes from `first` on.
        size: Bytes in all.
        budget: What it may spend.
    """

    ranged = True
    root = True

    def __init__(self, fetch: Callable[[int, int], bytes], size: int, budget: Budget) -> None:
        super().__init__(size)
        self._fetch, self._budget, self._length = fetch, budget, size
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    def end(self) -> int:
        return self._length

    def window(self, first: int, length: int) -> bytes:
        last = min(first + length, self._length)
        if first >= last:
            return b""
        numbers = range(first // BLOCK, (last - 1) // BLOCK + 1)
        missing = [number for number in numbers if number not in self._blocks]
        found = {number: self._blocks[number] for number in numbers if number in self._blocks}
        if missing:
            start, stop = missing[0] * BLOCK, min((missing[-1] + 1) * BLOCK, self._length)
            self._budget.spend(stop - start)
            data = self._fetch(start, stop - start)
            for at in range(0, len(data), BLOCK):
                number = missing[0] + at // BLOCK
                found[number] = self._blocks[number] = data[at : at + BLOCK]
        for number in numbers:
            if number in self._blocks:
                self._blocks.move_to_end(number)
        while len(self._blocks) > KEPT:
            self._blocks.popitem(last=False)
        whole = b"".join(found.get(number, b"") for number in numbers)
        return whole[first - numbers[0] * BLOCK : last - numbers[0] * BLOCK]

    def pieces(self) -> Iterator[bytes]:
        at = 0
        while at < self._length:
            length = min(MIB, self._length - at)
            self._budget.spend(length)
            piece = self._fetch(at, length)
            if not piece:
                raise Unreadable(f"it ends after {at} bytes, though the platform says it has {self._length}")
            yield piece
            at += len(piece)


class Streamed(Source):
    """Bytes that come in order: kept as far as they were read, up to 32 MiB.

    Args:
        pieces: The bytes.
        size: Bytes in all, if known.
        root: Whether this is the artifact itself.
    """

    def __init__(self, pieces: Iterator[bytes], size: int | None = None, *, root: bool = False) -> None:
        super().__init__(size)
        self.root = root
        self._pieces, self._held, self._over = pieces, bytearray(), False

    def end(self) -> int:
        if self.size is not None and self.flaw is None:
            return self.size
        self._fill(MOST_HELD + 1)
        if not self._over:
            raise Stopped(f"its end does not come within {MOST_HELD // MIB} MiB, and its structure starts there")
        return len(self._held)

    def window(self, first: int, length: int) -> bytes:
        self._fill(min(first + length, self.size if self.size is not None else first + length))
        return bytes(self._held[first : first + length])

    def _fill(self, end: int) -> None:
        while not self._over and len(self._held) < end:
            if len(self._held) > MOST_HELD:
                raise Stopped(
                    f"this lies further than {MOST_HELD // MIB} MiB from the beginning, and what lies before it would "
                    "have to be read first"
                )
            try:
                piece = next(self._pieces, b"")
            except Unreadable as error:
                if not self._held:
                    raise
                piece, self.flaw = b"", str(error)
            self._over = not piece
            self._held += piece

    def pieces(self) -> Iterator[bytes]:
        held, self._held = bytes(self._held), bytearray()
        if held:
            yield held
        if not self._over:
            yield from self._pieces
        self._over = True
