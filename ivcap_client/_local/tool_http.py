"""One HTTP/1.1 exchange with a tool, on the runner's event loop.

asyncio streams with h11, which uvicorn brings anyway: a hundred open jobs then cost a hundred sockets and no threads,
where `http.client` would hold a worker thread for each reply that is still coming. One connection per exchange: tools
are on loopback, where a connection costs less than keeping a pool honest about tools that were restarted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import h11

MOST_READ_WHOLE = 4 * 1024 * 1024
"""Bytes of a reply that `read_whole` takes; descriptions and error bodies are small."""

_PIECE = 256 * 1024


class ToolUnreachable(Exception):
    """No whole answer came: refused, cut off, or not HTTP."""


@dataclass(slots=True)
class Reply:
    """A reply whose body is still coming. Header names are lower case."""

    status: int
    headers: dict[str, str]
    _reader: asyncio.StreamReader
    _connection: h11.Connection = field(repr=False)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it arrives."""
        while True:
            event = await _next(self._connection, self._reader)
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                return

    async def read_whole(self, most: int = MOST_READ_WHOLE) -> bytes:
        """The whole body.

        Raises:
            ToolUnreachable: It is larger than `most` bytes.
        """
        parts, size = [], 0
        async for piece in self.pieces():
            size += len(piece)
            if size > most:
                raise ToolUnreachable(f"the tool's reply is larger than {most} bytes")
            parts.append(piece)
        return b"".join(parts)


@asynccontextmanager
async def exchange(
    port: int, method: str, target: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> AsyncIterator[Reply]:
    """Send one request to 127.0.0.1:`port` and hand out the reply; the connection is closed on leaving.

    Raises:
        ToolUnreachable: Nobody listens, or the connection ended before the reply did.
    """
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_PIECE)
    except OSError as problem:
        raise ToolUnreachable(f"the tool does not answer on its port: {problem}") from problem
    try:
        connection = h11.Connection(h11.CLIENT)
        lines = [("Host", f"127.0.0.1:{port}"), ("Connection", "close"), ("Content-Length", str(len(body)))]
        lines += list((headers or {}).items())
        writer.write(connection.send(h11.Request(method=method, target=target, headers=lines)) or b"")
        if body:
            writer.write(connection.send(h11.Data(data=body)) or b"")
        writer.write(connection.send(h11.EndOfMessage()) or b"")
        try:
            # A server that refuses early answers before it has read everything: listen while sending.
            sending = asyncio.ensure_future(writer.drain())
            event = await _next(connection, reader)
            while not isinstance(event, h11.Response):
                if isinstance(event, h11.ConnectionClosed):
                    raise ToolUnreachable("the tool closed the connection without an answer")
                event = await _next(connection, reader)
        finally:
            sending.cancel()
        found = {name.decode("ascii"): value.decode("latin-1") for name, value in event.headers}
        yield Reply(event.status_code, found, reader, connection)
    finally:
        writer.close()


async def _next(connection: h11.Connection, reader: asyncio.StreamReader) -> object:
    try:
        while (event := connection.next_event()) is h11.NEED_DATA:
            connection.receive_data(await reader.read(_PIECE))
    except OSError as problem:
        raise ToolUnreachable(f"the tool's answer broke off: {problem}") from problem
    except h11.RemoteProtocolError as problem:
        ended = connection.trailing_data[1]
        told = "the tool closed the connection before its answer was whole" if ended else f"not HTTP: {problem}"
        raise ToolUnreachable(told) from problem
    return event
