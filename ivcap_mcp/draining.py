"""Between the SDK and a line: what was asked is answered also after the client closed its side, what is no message is
answered too, and a client that asks and never reads cannot fill the memory.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from types import TracebackType
from typing import Any

import anyio
from mcp.shared._stream_protocols import ReadStream, WriteStream
from mcp.shared.message import SessionMessage
from mcp_types import ErrorData
from mcp_types.jsonrpc import JSONRPCError, JSONRPCRequest, JSONRPCResponse

from ivcap_mcp.lines import complaint

MOST_PENDING = 2_000
"""Requests without an answer, beyond which more are refused."""
BUSY = -32000
SENDING = 2.0
"""Seconds for which a refusal waits for the client to read; after that refusals are dropped until one is taken."""
LISTENS = "subscriptions/listen"
"""A request that lasts as long as its client: it is not waited for."""


class Pending:
    """Ids of requests that have no answer yet."""

    def __init__(self) -> None:
        self._ids: set[Any] = set()
        self._none = anyio.Event()

    @property
    def full(self) -> bool:
        """Whether there are as many as there may be."""
        return len(self._ids) >= MOST_PENDING

    def asked(self, message: object) -> None:
        if isinstance(message, JSONRPCRequest) and message.method != LISTENS:
            self._ids.add(message.id)

    def answered(self, message: object) -> None:
        if isinstance(message, (JSONRPCResponse, JSONRPCError)):
            self._ids.discard(message.id)
            if not self._ids:
                self._none.set()

    async def none_left(self, patience: float) -> None:
        """Wait until all have their answer, at most `patience` seconds."""
        if self._ids:
            self._none = anyio.Event()
            with anyio.move_on_after(patience):
                await self._none.wait()


class DrainedReads:
    """The client's messages; their end is told only when what came before was answered."""

    def __init__(
        self,
        inner: ReadStream[SessionMessage | Exception],
        writes: WriteStream[SessionMessage],
        pending: Pending,
        patience: float,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        self._inner, self._writes, self._pending, self._patience = inner, writes, pending, patience
        self._on_end, self._stuck = on_end, False

    @property
    def last_context(self) -> contextvars.Context | None:
        """The sender's context, which the SDK restores around a handler."""
        found: contextvars.Context | None = getattr(self._inner, "last_context", None)
        return found

    async def receive(self) -> SessionMessage | Exception:
        while True:
            try:
                item = await self._inner.receive()
            except anyio.EndOfStream:
                await self._pending.none_left(self._patience)
                if self._on_end is not None:
                    self._on_end()
                raise
            if isinstance(item, Exception):
                if (told := complaint(item)) is None:
                    return item
                await self._refuse(told)
            elif isinstance(item.message, JSONRPCRequest) and self._pending.full:
                text = f"{MOST_PENDING} requests are under way: wait for answers before sending more"
                await self._refuse(
                    JSONRPCError(jsonrpc="2.0", id=item.message.id, error=ErrorData(code=BUSY, message=text))
                )
            else:
                self._pending.asked(item.message)
                return item

    async def _refuse(self, told: JSONRPCError) -> None:
        with anyio.move_on_after(0.0 if self._stuck else SENDING) as limit:
            await self._writes.send(SessionMessage(told))
        self._stuck = limit.cancelled_caught

    async def aclose(self) -> None:
        await self._inner.aclose()

    def __aiter__(self) -> DrainedReads:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> DrainedReads:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class CountedWrites:
    """The server's messages; answers are ticked off."""

    def __init__(self, inner: WriteStream[SessionMessage], pending: Pending) -> None:
        self._inner, self._pending = inner, pending

    async def send(self, item: SessionMessage, /) -> None:
        await self._inner.send(item)
        self._pending.answered(item.message)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def __aenter__(self) -> CountedWrites:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
