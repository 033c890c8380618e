"""Connections over HTTP that cannot be held for nothing: by clients that send slowly, or that do not read.

The server below bounds only the pause between two requests. Here are bounds for what else a client can drag out: the
time until a request's head is there, the pace of its body, and the time for which an answer finds no reader. A stream
of events may be silent for as long as it likes; only one that cannot be delivered ends.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["MOST_CONNECTIONS", "BoundedConnection", "Patience", "bounded", "most_connections"]

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 2_000
"""Connections and requests at the same time, fewer where the process may open fewer files; others are answered 503."""
FILES_KEPT = 200
"""Files for everything but clients: the platform's connections, the journal, what is being read."""
_PIECE = 4 * 1024
_TOO_SLOW = b'{"error": "the request came too slowly; again?"}'
_HEAD = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class Patience:
    """How slow a client may be. Times in seconds.

    Attributes:
        head: From a connection's or a request's beginning until its head is complete.
        look: Pause between two looks at a body that is coming in.
        least: Bytes of a body that must come between two looks.
        unread: How long an answer may wait for a client that does not read it.
    """

    head: float = 15.0
    look: float = 20.0
    least: int = 10_000
    unread: float = 60.0


class BoundedConnection(H11Protocol):
    """One client's connection."""

    patience: ClassVar[Patience] = Patience()
    too_slow: ClassVar[bytes] = _TOO_SLOW

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._came = 0
        self._waiting: dict[str, asyncio.TimerHandle] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """From now on a head is waited for."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Count what came, and wait for what is to follow it."""
        self._came += len(data)
        # In small pieces until the head is there: the parser compares with its bound only what is not complete yet.
        while self.conn.their_state is h11.IDLE and len(data) > _PIECE:
            super().data_received(data[:_PIECE])
            data = data[_PIECE:]
            if self.transport.is_closing():
                return
        super().data_received(data)
        state = self.conn.their_state
        if state is h11.IDLE and self.conn.trailing_data[0]:
            self._await_head()
        elif state is not h11.IDLE:
            self._stop("head")
        if state is h11.SEND_BODY and "body" not in self._waiting:
            self._look_again()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        for name in list(self._waiting):
            self._stop(name)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """What was sent is not read."""
        super().pause_writing()
        self._start("unread", self.patience.unread, self._unread)

    def resume_writing(self) -> None:
        """It was read."""
        self._stop("unread")
        super().resume_writing()

    def _await_head(self) -> None:
        if "head" not in self._waiting:
            self._start("head", self.patience.head, self._too_slow)

    def _look_again(self) -> None:
        self._start("body", self.patience.look, self._look, self._came)

    def _look(self, before: int) -> None:
        self._stop("body")
        if self.conn.their_state is not h11.SEND_BODY:
            return
        # While it is us who do not take the body, nothing is asked of the client.
        if self.flow.read_paused or self._came - before >= self.patience.least:
            self._look_again()
        else:
            self._too_slow()

    def _too_slow(self) -> None:
        self._stop("head")
        if self.transport.is_closing():
            return
        log.info("a client was cut off: its request came too slowly")
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(_HEAD % len(self.too_slow) + self.too_slow)
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def _unread(self) -> None:
        self._stop("unread")
        log.info("a client was cut off: it does not read its answer")
        self.transport.abort()

    def _start(self, name: str, seconds: float, work: Any, *given: Any) -> None:
        self._stop(name)
        self._waiting[name] = self.loop.call_later(seconds, work, *given)

    def _stop(self, name: str) -> None:
        if (timer := self._waiting.pop(name, None)) is not None:
            timer.cancel()


def bounded(bounds: Patience, refusal: bytes = _TOO_SLOW) -> type[BoundedConnection]:
    """What each connection of a server is, within other bounds.

    Args:
        bounds: How slow a client may be.
        refusal: The answer in JSON to one that is slower.
    """

    class Bounded(BoundedConnection):
        patience, too_slow = bounds, refusal

    return Bounded


def most_connections() -> int:
    """How many clients can be served at the same time by a process that may open so many files."""
    try:
        import resource
    except ImportError:  # Windows knows no such bound
        return MOST_CONNECTIONS
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if soft < 0 else max(50, min(MOST_CONNECTIONS, soft - FILES_KEPT))
