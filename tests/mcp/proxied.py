"""A platform as its own process, and a proxy in front of it that plays the bad days of networks and deployments."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ivcap_client import IVCAP, Job
from ivcap_client.platform import stop_platform
from tests.mcp.clients import Served, end

ROOT = Path(__file__).parents[2]
TOOL = Path(__file__).parent.parent / "local" / "tools" / "plain_tool.py"
ORDERS = re.compile(r"/1/services2/[^/]+/jobs$")
LISTS = re.compile(r"/1/(services2/[^/]+/jobs|aspects)$")
EVENTS = re.compile(r"/1/services2/[^/]+/jobs/[^/]+/events$")
READS = re.compile(r"/1/services2/[^/]+/jobs/[^/]+$")
SERVE = """
import sys, pathlib
from ivcap_client.platform import serve_platform
serve_platform(pathlib.Path(sys.argv[1]), port=0, services=[f"plain={{python}} {sys.argv[2]}"],
               on_ready=lambda url, open: print(url, flush=True))
"""


@contextmanager
def platform(base: Path) -> Iterator[str]:
    """A platform with the plain tool; gives its URL."""
    with open(base.parent / "platform.log", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(base), str(TOOL)], stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url, (base.parent / "platform.log").read_text()
            yield url
        finally:
            try:
                stop_platform(base, force=True)
            finally:
                end(process)
                process.stdout.close()  # type: ignore[union-attr]


@dataclass
class Proxy:
    """Passes requests on, unless it is told otherwise.

    Attributes:
        upstream: The platform.
        strip: Drop the headers that mark an order.
        untold: Leave orders and times out of the service's list of jobs, as some deployments do.
        lag: Seconds for which lists do not show a new job.
        order: What becomes of orders: `pass`; taken, but the reply is `drop`ped, cut in `half`, replaced by `502`, or
            never sent (`hold`); not taken: `gone` (502).
        twin: Somebody orders the same at the same moment.
        events: Status that refuses event streams; 0: let them pass.
        cut: Event streams are cut after this many bytes; 0: never.
        hanging: Paths of requests that get no answer.
        down: Paths of requests that get 503.
        no_cancel: The platform's description names no way to cancel.
        admits: Whether a token counts; the platform behind asks for none.
        seen: Method and path of each request.
    """

    upstream: str
    strip: bool = False
    untold: bool = False
    lag: float = 0.0
    order: str = "pass"
    twin: bool = False
    events: int = 0
    cut: int = 0
    hanging: str = ""
    down: str = ""
    no_cancel: bool = False
    admits: Callable[[str], bool] | None = None
    seen: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""
    _server: asyncio.Server | None = None
    _open: set[asyncio.Task[None]] = field(default_factory=set)

    def count(self, method: str, path: re.Pattern[str]) -> int:
        """How many requests like that were seen."""
        return sum(one == method and bool(path.match(where)) for one, where in self.seen)

    def gone(self) -> None:
        """Nobody listens here any more."""
        assert self._server is not None
        self._server.close()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Proxy]:
        server = self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            while self._open:  # who was waiting to be accepted may still come in
                for task in self._open:
                    task.cancel()
                await asyncio.gather(*self._open, return_exceptions=True)
                await asyncio.sleep(0)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._served(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _served(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
                await self._answer(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()  # closing would wait for a client that may not read
            raise
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        method, target, _ = first.split()
        path = unquote(target.split("?")[0])
        headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.seen.append((method, path))
        if self.admits is not None and not self.admits(_token(lines)):
            await _reply(writer, 401, b"")
            return
        ordering = method == "POST" and bool(ORDERS.match(path))
        if self.hanging and re.search(self.hanging, f"{method} {path}"):
            await reader.read()  # until the client goes
            return
        if self.down and re.search(self.down, f"{method} {path}"):
            await _reply(writer, 503, b"{}")
            return
        if self.no_cancel and "openapi" in path:
            await _reply(writer, 200, b'{"paths": {}}')
            return
        if self.events and EVENTS.match(path):
            await _reply(writer, self.events, b'{"message": "no"}')
            return
        if self.strip:
            lines = [line for line in lines if not line.lower().startswith(("ivcap-order-id", "idempotency-key"))]
        if ordering and self.order == "gone":
            await _reply(writer, 502, b"<html>bad gateway</html>")
            return
        if EVENTS.match(path):
            await self._stream(first, lines, writer)
            return
        reply = await self._asked(first, lines, body)
        if ordering and self.twin:
            bare = [line for line in lines if not line.lower().startswith(("ivcap-order-id", "idempotency-key"))]
            await self._asked(first, bare, body)
        if ordering and self.order == "hold":
            await reader.read()
        elif ordering and self.order == "half":
            writer.write(reply[: len(reply) - 40])
            await writer.drain()
        elif ordering and self.order == "502":
            await _reply(writer, 502, b"<html>bad gateway</html>")
        elif not (ordering and self.order == "drop"):
            writer.write(self._aged(reply) if method == "GET" and LISTS.match(path) else reply)
            await writer.drain()

    async def _asked(self, first: str, lines: list[str], body: bytes) -> bytes:
        async with self._through(first, lines, body) as reader:
            return await reader.read()

    async def _stream(self, first: str, lines: list[str], writer: asyncio.StreamWriter) -> None:
        sent = 0
        async with self._through(first, lines, b"") as reader:
            while piece := await reader.read(4096):
                writer.write(piece)
                await writer.drain()
                sent += len(piece)
                if self.cut and sent > self.cut:
                    self.cut = 0
                    return

    @asynccontextmanager
    async def _through(self, first: str, lines: list[str], body: bytes) -> AsyncIterator[asyncio.StreamReader]:
        reader, writer = await self._upstream(first, lines, body)
        try:
            yield reader
        finally:
            # Also where the request was cancelled half-way: a socket left open is found by whoever collects it later.
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _upstream(
        self, first: str, lines: list[str], body: bytes
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self.upstream.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        kept = [line for line in lines if line and not line.lower().startswith(("connection:", "host:"))]
        head = "\r\n".join([first, f"Host: {host}:{port}", *kept, "Connection: close", "", ""])
        writer.write(head.encode("latin-1") + body)
        return reader, writer

    def _aged(self, reply: bytes) -> bytes:
        """A list without what is too new for it, and without what some deployments do not tell."""
        if not self.lag and not self.untold:
            return reply
        head, _, body = reply.partition(b"\r\n\r\n")
        value = json.loads(body)
        value["items"] = [one for one in value["items"] if self._shown(one)]
        if self.untold:
            for one in value["items"]:
                for name in ("order", "requested-at"):
                    one.pop(name, None)
        text = json.dumps(value).encode()
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
        return b"\r\n".join([*lines, b"content-length: %d" % len(text), b"", text])

    def _shown(self, item: dict[str, Any]) -> bool:
        content = item.get("content") if isinstance(item.get("content"), dict) else item
        requested = content.get("requested-at") if content else None
        return requested is None or datetime.fromisoformat(requested).timestamp() < time.time() - self.lag


def _token(lines: list[str]) -> str:
    given = [line.split(": ", 1)[1] for line in lines if line.lower().startswith("authorization: ")]
    return given[0].removeprefix("Bearer ") if given else ""


async def _reply(writer: asyncio.StreamWriter, status: int, body: bytes) -> None:
    head = f"HTTP/1.1 {status} no\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


async def jobs_of(url: str, body: dict[str, Any]) -> list[Job]:
    """The jobs on a platform that were ordered with this input."""
    async with IVCAP(url, token="t") as ivcap:
        listed = [job async for job in ivcap.list_jobs(limit=None)]
        read = [await ivcap.job(job.urn, job.service).refresh_async() for job in listed]
    return [job for job in read if job.request == body]


@dataclass
class Remote(Served):
    """The server as a process, whose platform is a deployment."""

    url: str = ""

    def arguments(self, *more: str) -> list[str]:
        http = ["--auth", "none"] if "http" in more else []  # over stdio nobody is asked who they are
        return ["-m", "ivcap_mcp", *more, "--url", self.url, *http, *self.extra]

    def environment(self) -> dict[str, str]:
        own = {"IVCAP_JWT": "t", "IVCAP_STATE_DIR": str(self.folder / "state"), "PYTHONPATH": str(ROOT)}
        return {**os.environ, **own}
