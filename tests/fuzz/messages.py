"""Messages that are more or less JSON-RPC, over both transports: each is answered rightly, and so is the next."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import anyio
from mcp.server.stdio import stdio_server

from ivcap_client import LocalIVCAP
from ivcap_mcp import Settings, build_server
from ivcap_mcp.draining import CountedWrites, DrainedReads, Pending
from ivcap_mcp.http import http_app
from ivcap_mcp.lines import Lines
from tests.benchmarks.raw_mcp import META, VERSION
from tests.fuzz import chance as by
from tests.fuzz.fuzzing import Check, Part

NAMES = ("jsonrpc", "id", "method", "params", "_meta", "name", "arguments", "uri", "cursor", "progressToken", "result")
METHODS = (
    "initialize", "ping", "tools/list", "tools/call", "resources/list", "resources/read", "resources/templates/list",
    "resources/subscribe", "resources/unsubscribe", "prompts/list", "prompts/get", "completion/complete",
    "logging/setLevel", "tasks/get", "tasks/cancel", "tasks/update", "notifications/initialized", "server/discover",
    "notifications/cancelled", "notifications/progress", "subscriptions/listen", "sampling/createMessage", "no/such",
)  # fmt: skip
PARAMS: dict[str, Any] = {
    "initialize": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "fuzz", "version": "1"},
    },
    "tools/call": {"name": "list_artifacts", "arguments": {"limit": 2}},
    "resources/read": {"uri": "urn:ivcap:artifact:00000000-0000-4000-8000-000000000003"},
    "resources/subscribe": {"uri": "urn:ivcap:artifact:00000000-0000-4000-8000-000000000003"},
    "prompts/get": {"name": "trace_result", "arguments": {"urn": "urn:x:y"}},
    "completion/complete": {
        "ref": {"type": "ref/prompt", "name": "run_service"}, "argument": {"name": "service", "value": ""},
    },
    "tasks/get": {"taskId": "urn:ivcap:job:00000000-0000-4000-8000-000000000002"},
    "notifications/cancelled": {"requestId": 7},
    "logging/setLevel": {"level": "debug"},
}  # fmt: skip
PING = 10**9
"""Ids from here on are ours."""


def make(chance: Random) -> tuple[str, bytes]:
    """The transport, and a message."""
    method = chance.choice(METHODS)
    params = {**PARAMS.get(method, {}), **({"_meta": META} if chance.random() < 0.5 else {})}
    good = {"jsonrpc": "2.0", "id": chance.randrange(100), "method": method, "params": params}
    said = by.encoded(chance, by.mutated(chance, good, NAMES))
    if chance.random() < 0.05:
        said = by.damaged(chance, said * chance.choice((1, 2, 50)))
    return chance.choice(("stdio", "http")), said


@asynccontextmanager
async def opened() -> AsyncIterator[Check]:
    with tempfile.TemporaryDirectory() as place:
        async with over_stdio(Path(place) / "stdio") as stdio, over_http(Path(place) / "http") as http:

            async def check(tried: tuple[str, bytes]) -> None:
                transport, said = tried
                await (stdio if transport == "stdio" else http)(said)

            yield check


def settings(folder: Path) -> Settings:
    return Settings(
        state_dir=folder / "state", local=True, refresh=60, first_list=1, max_wait=5, new_job=0.0, most_subscriptions=5
    )


def answered(line: bytes) -> dict[str, Any]:
    """A message of the server, which must be one."""
    told = json.loads(line)
    assert isinstance(told, dict), line[:500]
    assert told.get("jsonrpc") == "2.0", line[:500]
    assert ("method" in told) != ("result" in told or "error" in told), line[:500]
    if "error" in told:
        error = told["error"]
        assert isinstance(error["code"], int), line[:500]
        assert isinstance(error["message"], str), line[:500]
        assert len(line) < 30_000, f"an error of {len(line)} bytes"
        assert b'File \\"' not in line, line[:2000]
    return told


@asynccontextmanager
async def over_stdio(folder: Path) -> AsyncIterator[Any]:
    """A server at the end of two pipes, as `serve_stdio` sets it up, in this process."""
    ours, theirs = os.pipe(), os.pipe()
    number = PING
    async with LocalIVCAP(folder / "store", offline=True) as ivcap, anyio.create_task_group() as tasks:
        server = build_server(ivcap, settings(folder))
        reader = asyncio.StreamReader(limit=1 << 26)
        listening = os.fdopen(theirs[0], "rb", buffering=0)
        ear, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), listening
        )

        async def serve() -> None:
            with os.fdopen(ours[0], "rb") as heard, os.fdopen(theirs[1], "w", encoding="utf-8") as spoken:
                lines: Any = Lines(heard)
                async with stdio_server(stdin=lines, stdout=anyio.wrap_file(spoken)) as (read, write):
                    pending = Pending()
                    reads = DrainedReads(read, write, pending, 3.0, on_end=lambda: None)
                    await server.run(reads, CountedWrites(write, pending), server.create_initialization_options())

        tasks.start_soon(serve)

        def put(*said: bytes) -> None:
            for one in said:
                view = memoryview(one)
                while view:
                    view = view[os.write(ours[1], view) :]

        async def check(said: bytes) -> None:
            nonlocal number
            number += 1
            ping = {"jsonrpc": "2.0", "id": number, "method": "ping", "params": {"_meta": META}}
            await asyncio.to_thread(put, said.replace(b"\n", b" "), b"\n", json.dumps(ping).encode(), b"\n")
            async with asyncio.timeout(15):
                while answered(await reader.readline()).get("id") != number:
                    pass

        try:
            yield check
        finally:
            await asyncio.to_thread(os.close, ours[1])
            with anyio.move_on_after(5):
                await reader.read(-1)
            tasks.cancel_scope.cancel()
            ear.close()
            await asyncio.sleep(0)
            listening.close()


@asynccontextmanager
async def over_http(folder: Path) -> AsyncIterator[Any]:
    """The ASGI app, asked as a server would ask it."""
    async with LocalIVCAP(folder / "store", offline=True) as ivcap, anyio.create_task_group() as tasks:
        app: Any = http_app(build_server(ivcap, settings(folder)), stateless=True)
        to_app: asyncio.Queue[Any] = asyncio.Queue()
        up, down = asyncio.Event(), asyncio.Event()

        async def lifespan_send(message: Any) -> None:
            (up if "startup" in message["type"] else down).set()

        tasks.start_soon(app, {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, to_app.get, lifespan_send)
        await to_app.put({"type": "lifespan.startup"})
        await up.wait()

        async def check(said: bytes) -> None:
            for modern in (True, False):
                status, body = await asked(app, said, modern)
                assert status < 500, (status, body[:2000])
                for line in (
                    body.splitlines() if body.startswith((b"event:", b"data:", b"id:", b":")) else [b"data:" + body]
                ):
                    if line.startswith(b"data:") and line[5:].strip():
                        answered(line[5:].strip())

        try:
            yield check
        finally:
            await to_app.put({"type": "lifespan.shutdown"})
            with anyio.move_on_after(5):
                await down.wait()
            tasks.cancel_scope.cancel()


async def asked(app: Any, said: bytes, modern: bool) -> tuple[int, bytes]:
    """One POST; a stream that stays open is left after a moment, as clients do."""
    headers = [
        (b"host", b"127.0.0.1"), (b"content-type", b"application/json"),
        (b"accept", b"application/json, text/event-stream"), (b"content-length", str(len(said)).encode()),
    ]  # fmt: skip
    if modern:
        headers += [(b"mcp-protocol-version", VERSION.encode()), *routing(said)]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/mcp", "raw_path": b"/mcp", "query_string": b"", "root_path": "", "headers": headers,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {},
    }  # fmt: skip
    status, body, given, gone = 0, bytearray(), False, asyncio.Event()

    async def receive() -> dict[str, Any]:
        nonlocal given
        if given:
            await gone.wait()
            return {"type": "http.disconnect"}
        given = True
        return {"type": "http.request", "body": said, "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)
        body.extend(message.get("body", b""))
        if b"subscriptions/acknowledged" in body:
            gone.set()

    task = asyncio.ensure_future(app(scope, receive, send))
    try:
        async with asyncio.timeout(15):
            await task
    finally:
        gone.set()
    return status, bytes(body)


def routing(said: bytes) -> list[tuple[bytes, bytes]]:
    """The headers that repeat what the message says, where it says it."""
    try:
        told = json.loads(said)
        method, params = told["method"], told.get("params") or {}
        named = params.get("name") or params.get("uri") or params.get("taskId")
        found = [(b"mcp-method", method.encode("ascii"))]
        return found + ([(b"mcp-name", named.encode("ascii"))] if named else [])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []


PART = Part("messages", 15_000, 700, make, opened)
