"""MCP spoken by hand over sockets and pipes, so that it can be broken off anywhere."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from tests.benchmarks.raw_mcp import META, VERSION
from tests.soak.soak import LONG, TOOL, Soak, Watched, started, until

LEGACY = "2025-11-25"
JOB = re.compile(rb"urn:ivcap:job:[0-9a-f-]{36}")


def message(number: int, method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def call_of(number: int, seconds: float, *, modern: bool = True, tool: str = TOOL, **given: Any) -> dict[str, Any]:
    """A call of a tool that asks for progress."""
    meta = {**(META if modern else {}), "progressToken": f"p{number}"}
    arguments = given or {"seconds": seconds}
    return message(number, "tools/call", name=tool, arguments=arguments, _meta=meta)


INITIALIZE = message(
    0, "initialize", protocolVersion=LEGACY, capabilities={}, clientInfo={"name": "soak", "version": "1"}
)


class Post:
    """One POST on a connection of its own."""

    def __init__(self, server: Watched, session: str = "", *, modern: bool = True) -> None:
        self._server, self._session, self._modern = server, session, modern

    async def __aenter__(self) -> Post:
        parts = urlsplit(self._server.url)
        self.reader, self.writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 26)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.writer.close()

    async def send(self, said: dict[str, Any], *, method: str = "POST") -> None:
        parts = urlsplit(self._server.url)
        body = json.dumps(said).encode() if said else b""
        lines = [
            f"{method} {parts.path} HTTP/1.1",
            f"host: {parts.netloc}",
            "accept: application/json, text/event-stream",
            "content-type: application/json",
            f"authorization: Bearer {self._server.token}",
            f"content-length: {len(body)}",
            f"mcp-protocol-version: {VERSION if self._modern else LEGACY}",
        ]
        if self._modern:
            lines += [f"mcp-method: {said['method']}"]
            lines += [f"mcp-name: {said['params']['name']}"] if "name" in said["params"] else []
        lines += [f"mcp-session-id: {self._session}"] if self._session else []
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await self.writer.drain()

    async def head(self) -> bytes:
        async with asyncio.timeout(LONG):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def job(self) -> bytes:
        """The job's URN, as soon as it is told."""
        seen = b""
        async with asyncio.timeout(LONG):
            while not (found := JOB.search(seen)):
                piece = await self.reader.read(65536)
                if not piece:
                    raise ConnectionError(f"the server ended the answer: {seen[-500:]!r}")
                seen += piece
        return found[0]

    async def whole(self) -> bytes:
        """Head and body of the answer, chunks and all."""
        async with asyncio.timeout(LONG):
            head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
            if b"content-length:" in head:
                return head + await self.reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
            body = b""
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                body += await self.reader.readexactly(size)
                await self.reader.readexactly(2)
            return head + body

    def cut(self, *, rudely: bool) -> None:
        """Break the connection off: with a reset, or by closing it."""
        if rudely:
            own: socket.socket = self.writer.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


async def session(server: Watched) -> str:
    """A legacy session, initialized."""
    async with Post(server, modern=False) as post:
        await post.send(INITIALIZE)
        head = await post.whole()
    found = re.search(rb"mcp-session-id: (\w+)", head)
    if not found:
        raise ConnectionError(f"no session: {head[:500]!r}")
    made = found[1].decode()
    async with Post(server, made, modern=False) as post:
        await post.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        await post.head()
    return made


async def ask(server: Watched, said: dict[str, Any]) -> bytes:
    """One modern request over HTTP and its whole answer."""
    async with Post(server) as post:
        await post.send(said)
        return await post.whole()


async def wait_for_tool(server: Watched) -> None:
    """Wait until the trivial tool is listed."""
    listing = message(1, "tools/list", _meta=META)

    async def there() -> bool:
        return b'"name":"trivial"' in await ask(server, listing)

    await until(there, "the trivial tool being listed")


class Line:
    """A server on the other end of two pipes."""

    def __init__(self, server: Watched) -> None:
        self.server = server
        self.answers: dict[Any, dict[str, Any]] = {}
        self.jobs: dict[Any, str] = {}
        self.strays: list[bytes] = []
        self._changed = asyncio.Event()
        self._ear: asyncio.ReadTransport | None = None

    def write(self, *said: dict[str, Any]) -> None:
        assert self.server.process.stdin is not None
        self.server.process.stdin.write(b"".join(json.dumps(one).encode() + b"\n" for one in said))

    async def send(self, *said: dict[str, Any]) -> None:
        await asyncio.to_thread(self.write, *said)

    async def answer(self, number: int) -> dict[str, Any]:
        await self._until(lambda: number in self.answers)
        return self.answers[number]

    async def job(self, number: int) -> str:
        await self._until(lambda: number in self.jobs)
        return self.jobs[number]

    async def _until(self, holds: Any) -> None:
        async with asyncio.timeout(LONG):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def read(self) -> None:
        """Take what the server says until it says no more."""
        stdout = self.server.process.stdout
        assert stdout is not None
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=1 << 26)
        self._ear, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), stdout)
        try:
            while line := await reader.readline():
                self._take(line)
                self._changed.set()
        finally:
            self._ear.close()

    def deafen(self) -> None:
        """Close the end that reads what the server says."""
        # Not the file below: the loop would watch whatever gets its number next.
        assert self._ear is not None
        self._ear.close()

    def _take(self, line: bytes) -> None:
        try:
            told = json.loads(line)
        except ValueError:
            self.strays.append(line)
            return
        if "id" in told and "method" not in told:
            self.answers[told["id"]] = told
        elif told.get("method") == "notifications/progress" and (found := JOB.search(line)):
            self.jobs.setdefault(int(told["params"]["progressToken"][1:]), found[0].decode())


@asynccontextmanager
async def line(soak: Soak, base: Any, **env: str) -> AsyncIterator[Line]:
    """A server over stdio, initialized (legacy) and with the tool listed; ended with the block."""
    server = started(soak, base, env=env, pipes=True)
    found = Line(server)
    reading = asyncio.create_task(found.read())
    try:
        await found.send(INITIALIZE, {"jsonrpc": "2.0", "method": "notifications/initialized"})
        await found.answer(0)
        number = 1_000_000

        async def there() -> bool:
            nonlocal number
            number += 1
            await found.send(message(number, "tools/list"))
            return any(tool["name"] == TOOL for tool in (await found.answer(number))["result"]["tools"])

        await until(there, "the trivial tool being listed")
        yield found
    finally:
        hang_up(server)
        await server.ended()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


def hang_up(server: Watched) -> None:
    """Close the client's side of the pipes, as a client that ends or dies does."""
    stdin = server.process.stdin
    if stdin is not None and not stdin.closed:
        stdin.close()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
