"""Bytes that arrive on the event loop, read by a worker thread: uploads and large results are never held whole."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator

HIGH = 4 * 1024 * 1024
"""Bytes held before the sender is made to wait."""

LOW = HIGH // 2

HELD_WHOLE = 1024 * 1024
"""Bytes of a result that are passed on in memory; a larger one, or one of unknown size, flows to disk."""


class Inflow:
    """A `Source` whose bytes are fed from the event loop.

    One condition and one event, so a piece costs no round trip between the threads: the reader wakes the loop only when
    it has made room again.
    """

    def __init__(self, stall: float = 60.0) -> None:
        """Hold nothing yet.

        Args:
            stall: Seconds without a byte after which the sender counts as gone.
        """
        self._stall = stall
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._ready = threading.Condition()
        self._ended = False
        self._given_up = False
        self._problem: str | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._loop = asyncio.get_running_loop()

    def read(self, size: int, /) -> bytes:
        """Some bytes, at most `size`; empty at the end. Blocks.

        Raises:
            ConnectionResetError: The sender went away before the end.
        """
        with self._ready:
            while not self._pieces and not self._ended and self._problem is None:
                if not self._ready.wait(self._stall) and not (self._pieces or self._ended or self._problem):
                    self._problem = f"nothing came for {self._stall:g} s"
            if not self._pieces:
                if self._problem is not None:
                    raise ConnectionResetError(self._problem)
                return b""
            piece = self._pieces.popleft()
            if len(piece) > size > 0:
                self._pieces.appendleft(piece[size:])
                piece = piece[:size]
            self._held -= len(piece)
            make_room = self._held < LOW and not self._room.is_set()
        if make_room:
            self._loop.call_soon_threadsafe(self._room.set)
        return piece

    async def feed(self, pieces: AsyncIterator[bytes]) -> None:
        """Pass everything on to the reader; a failure of the sender is raised in the reader."""
        try:
            async for piece in pieces:
                if not piece:
                    continue
                with self._ready:
                    if self._given_up:
                        continue  # nobody reads; the sender is still heard to its end, so that it can read our answer
                    self._pieces.append(piece)
                    self._held += len(piece)
                    self._ready.notify()
                    full = self._held >= HIGH
                    if full:
                        self._room.clear()
                if full:
                    await self._room.wait()
        except BaseException as problem:
            self._end(str(problem) or type(problem).__name__)
            raise
        self._end(None)

    def give_up(self) -> None:
        """The reader is done; what is still coming is thrown away. On the event loop."""
        with self._ready:
            self._given_up = True
            self._pieces.clear()
            self._held = 0
        self._room.set()

    def _end(self, problem: str | None) -> None:
        with self._ready:
            self._ended = problem is None
            self._problem = problem
            self._ready.notify()
