"""MCP spoken by hand, so that a client's own cost does not hide a server's: JSON-RPC lines, and POSTs."""

from __future__ import annotations

import asyncio
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
PATIENCE = 60.0


def request(number: int, method: str, **params: Any) -> bytes:
    said = {"jsonrpc": "2.0", "id": number, "method": method, "params": {**params, "_meta": META}}
    return json.dumps(said).encode()


class Line:
    """A server on the other end of two pipes."""

    def __init__(self, command: Sequence[str], env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env, bufsize=0
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._in, self._out = self.process.stdin, self.process.stdout.fileno()
        self._held = bytearray()
        self._number = 0

    def ask(self, method: str, **params: Any) -> tuple[bytes, float]:
        """The reply as it came, and the seconds it took; it is not parsed, so that only the server is measured."""
        self._number += 1
        mark = f'"id":{self._number},'.encode()
        started = time.perf_counter()
        self._in.write(request(self._number, method, **params) + b"\n")
        while True:
            line = self._line()
            if mark in line[:60].replace(b" ", b"") or mark in line[-60:].replace(b" ", b""):
                return line, time.perf_counter() - started

    def _line(self) -> bytes:
        searched = 0
        while (end := self._held.find(b"\n", searched)) < 0:
            searched = len(self._held)
            if not select.select([self._out], [], [], PATIENCE)[0]:
                raise TimeoutError("the server does not answer")
            piece = os.read(self._out, 1 << 20)
            if not piece:
                raise ConnectionError("the server is gone")
            self._held += piece
        line = bytes(self._held[:end])
        del self._held[: end + 1]
        return line

    def close(self) -> None:
        self._in.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def line(command: Sequence[str], env: dict[str, str]) -> Iterator[Line]:
    found = Line(command, env)
    try:
        yield found
    finally:
        found.close()


def pages(server: Line) -> tuple[list[dict[str, Any]], float]:
    """All tools, page by page, and the seconds the server took for them."""
    tools: list[dict[str, Any]] = []
    spent, cursor = 0.0, None
    while True:
        reply, seconds = server.ask("tools/list", **({"cursor": cursor} if cursor else {}))
        spent += seconds
        result = json.loads(reply)["result"]
        tools += result["tools"]
        cursor = result.get("nextCursor")
        if not cursor:
            return tools, spent


async def calls_per_second(url: str, tool: str, arguments: dict[str, Any], *, concurrency: int, calls: int) -> float:
    """Call a tool over Streamable HTTP on `concurrency` connections until `calls` were answered."""
    body = request(1, "tools/call", name=tool, arguments=arguments)
    parts = urlsplit(url)
    head = (
        f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\naccept: application/json, text/event-stream\r\n"
        f"content-type: application/json\r\nmcp-protocol-version: {VERSION}\r\nmcp-method: tools/call\r\n"
        f"mcp-name: {tool}\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode()
    left = iter(range(calls))

    async def worker() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for _ in left:
            writer.write(head + body)
            said = await asyncio.wait_for(_reply(reader), PATIENCE)
            if b'"isError":true' in said or b'"result"' not in said:
                raise RuntimeError(f"a call failed: {said[:1000]!r}")
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return calls / (time.perf_counter() - started)


async def _reply(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b" 200 " not in head[:20]:
        raise RuntimeError(f"a call was refused: {head[:300]!r}")
    if b"transfer-encoding: chunked" not in head:
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        return await reader.readexactly(length)
    whole = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        whole += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return whole
