"""A line between a client and the platform's gateway: passes requests on, unless a fault is on it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from tests.described.recorder import Exchange

T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """One request as it came in."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    reader: asyncio.StreamReader

    async def gone(self) -> None:
        """Wait until the client has given up."""
        with suppress(ConnectionError):
            await self.reader.read()


@dataclass(frozen=True)
class Answer:
    """One reply of the gateway, whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    def sent(self) -> bytes:
        """As it goes out."""
        lines = [f"{name}: {value}" for name, value in self.headers.items() if name != "transfer-encoding"]
        # A reply to HEAD keeps the length it has.
        lines += [] if "content-length" in self.headers or self.status == 204 else [f"content-length: {len(self.body)}"]
        return "\r\n".join([f"HTTP/1.1 {self.status} told", *lines, "", ""]).encode("latin-1") + self.body


def answer(status: int, body: bytes = b"{}", **headers: str) -> Answer:
    """A reply made up here; header names with `_` for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"content-type": "application/json", **named, "content-length": str(len(body))}, body)


Fault = Callable[["Line", Asked, asyncio.StreamWriter], Awaitable[None]]
"""Answers a request badly; the connection is closed after it."""


@dataclass
class Line:
    """One client's way to the gateway.

    Attributes:
        gateway: Passes requests on.
        fault: What is wrong with it.
        since: Number of the first request, from 0, that the fault meets.
        once: Only that request meets it.
        refuses: Nobody listens any more from that request on.
        seen: Method and path of each request.
        taken: The same of those that the gateway carried out.
        exchanges: What was said to the gateway, and what it said.
        elsewhere: An address that must never be asked.
        hurried: The client gave a request up that no fault was on: it had too little time for this machine.
    """

    gateway: Gateway
    fault: Fault | None = None
    since: int = 0
    once: bool = False
    refuses: bool = False
    seen: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    elsewhere: str = ""
    hurried: bool = False
    url: str = ""
    _server: asyncio.Server | None = None
    _kept: socket.socket | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def open(self) -> Line:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**20)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        if self.refuses and self.since == 0:
            self._refuse()
        return self

    def _refuse(self) -> None:
        """Listen no more, and keep the port, lest another line be given it."""
        assert self._server is not None
        where = self._server.sockets[0].getsockname()
        self._server.close()
        self._kept = socket.socket()
        self._kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._kept.bind(where)

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        if self._kept is not None:
            self._kept.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def forward(self, asked: Asked) -> Answer:
        """What the gateway says to it."""
        found = await self.gateway.ask(asked)
        self.exchanges.append(
            Exchange(asked.method, asked.target, asked.headers, asked.body, found.status, found.headers, found.body)
        )
        if found.status < 300:
            self.taken.append(f"{asked.method} {asked.target.split('?')[0]}")
        return found

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
                while await self._exchange(reader, writer):
                    continue
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether another may follow on the same connection."""
        method, target, headers = await _head(reader)
        number = len(self.seen)
        self.seen.append(f"{method} {target}")
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        asked = Asked(method, target, headers, body, reader)
        if self.fault is not None and (number == self.since if self.once else number >= self.since):
            await self.fault(self, asked, writer)
            return False
        found = await self.forward(asked)
        self.hurried |= reader.at_eof()
        if self.refuses and number + 1 >= self.since:
            self._refuse()
            for other in self._writers - {writer}:
                other.transport.abort()
            writer.write(replace(found, headers={**found.headers, "connection": "close"}).sent())
            await writer.drain()
            return False
        writer.write(found.sent())
        await writer.drain()
        return True


class Gateway:
    """The platform's gateway, asked over connections that are kept."""

    def __init__(self, url: str) -> None:
        host, port = url.removeprefix("http://").split(":")
        self._where = host, int(port)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, asked: Asked) -> Answer:
        while self._idle:
            with suppress(ConnectionError, asyncio.IncompleteReadError):  # an idle connection may have been ended
                return await self._asked(asked, *self._idle.pop())
        return await self._asked(asked, *await asyncio.open_connection(*self._where, limit=2**24))

    async def _asked(self, asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Answer:
        lines = [f"{name}: {value}" for name, value in asked.headers.items() if name != "connection"]
        head = "\r\n".join([f"{asked.method} {asked.target} HTTP/1.1", *lines, "", ""])
        try:
            writer.write(head.encode("latin-1") + asked.body)
            await writer.drain()
            found = await _answer(reader, asked.method)
        except BaseException:
            writer.close()
            raise
        self._idle.append((reader, writer))
        return found

    def close(self) -> None:
        for _, writer in self._idle:
            writer.transport.abort()


class Loop:
    """An event loop on a thread of its own, in which the lines live."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def close(self) -> None:
        async def cancelled() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self.do(cancelled())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()


async def _head(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str]]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return method, target, {name.strip().lower(): value.strip() for name, value in pairs}


async def _answer(reader: asyncio.StreamReader, method: str) -> Answer:
    _, status, headers = await _head(reader)
    if method == "HEAD" or status in ("204", "304"):
        body = b""
    elif headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Answer(int(status), headers, body)


def as_json(found: Answer) -> Any:
    """The reply's JSON; `None` where it has none."""
    if "json" not in found.headers.get("content-type", "") or not found.body:
        return None
    return json.loads(found.body)
