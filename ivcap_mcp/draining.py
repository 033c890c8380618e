"""Answers what was asked before the client closed its side: a pipe into the server gets all its replies."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from types import TracebackType
from typing import Any

import anyio
from mcp.shared._stream_protocols import ReadStream, WriteStream
from mcp.shared.message import SessionMessage
from mcp_types.jsonrpc import JSONRPCError, JSONRPCRequest, JSONRPCResponse

LISTENS = "subscriptions/listen"
"""A request that lasts as long as its client: it is not waited for."""


class Pending:
    """Ids of requests that have no answer yet."""

    def __init__(self) -> None:
        self._ids: set[Any] = set()
        self._none = anyio.Event()

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
        pending: Pending,
        patience: float,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        self._inner, self._pending, self._patience, self._on_end = inner, pending, patience, on_end

    @property
    def last_context(self) -> contextvars.Context | None:
        """The sender's context, which the SDK restores around a handler."""
        found: contextvars.Context | None = getattr(self._inner, "last_context", None)
        return found

    async def receive(self) -> SessionMessage | Exception:
        try:
            item = await self._inner.receive()
        except anyio.EndOfStream:
            await self._pending.none_left(self._patience)
            if self._on_end is not None:
                self._on_end()
            raise
        if isinstance(item, SessionMessage):
            self._pending.asked(item.message)
        return item

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
