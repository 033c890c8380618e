"""A load balancer that sends each request to the next replica, whoever asks."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress


def free_port() -> int:
    """A port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


class Robin:
    """The balancer.

    Attributes:
        turns: Which replica answered each request.
    """

    def __init__(self, port: int, upstreams: Sequence[int]) -> None:
        self.port, self.upstreams = port, list(upstreams)
        self.turns: list[int] = []
        self._next = itertools.count()
        self._open: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Robin]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        try:
            yield self
        finally:
            server.close()
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._served(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _served(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            at = next(self._next) % len(self.upstreams)
            self.turns.append(at)
            answer, up = await asyncio.open_connection("127.0.0.1", self.upstreams[at])
            kept = [line for line in lines if line and not line.lower().startswith("connection:")]
            up.write("\r\n".join([first, *kept, "Connection: close", "", ""]).encode("latin-1") + body)
            gone = asyncio.ensure_future(reader.read())  # a client that goes is gone for the replica too
            gone.add_done_callback(lambda _: up.close())
            try:
                while piece := await answer.read(65536):
                    writer.write(piece)
                    await writer.drain()
            finally:
                gone.cancel()
                up.close()
        writer.close()
