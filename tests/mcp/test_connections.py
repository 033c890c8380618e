"""Clients that send slowly, do not read, or come in crowds: each is cut off or refused, and the others are served."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from ivcap_client import LocalIVCAP
from ivcap_client.connections import BoundedConnection, Patience, most_connections
from ivcap_mcp import Settings, build_server, connections
from ivcap_mcp.http import http_app
from tests.mcp.clients import until

pytestmark = pytest.mark.anyio


class Brief(BoundedConnection):
    """Tenths of seconds instead of many."""

    patience = Patience(head=0.3, look=0.3, least=100, unread=0.3)


@asynccontextmanager
async def served(app: Any, **more: Any) -> AsyncIterator[int]:
    """The port at which an app is served as ours is."""
    config = connections.config(app, 2, Brief)
    for name, value in more.items():
        setattr(config, name, value)
    web = uvicorn.Server(config)
    running = asyncio.ensure_future(web._serve())
    try:
        await until(lambda: web.started or running.done(), "the server listening")
        yield web.servers[0].sockets[0].getsockname()[1]
    finally:
        web.should_exit = web.force_exit = True
        await running


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    async with LocalIVCAP(tmp_path / "store") as ivcap:
        server = build_server(ivcap, Settings(state_dir=tmp_path / "state", local=True))
        async with served(http_app(server)) as found:
            yield found
            server.backend.changes.close()


@asynccontextmanager
async def line(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def rest(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the server closes the connection."""
    async with asyncio.timeout(30):
        try:
            return await reader.read(-1)
        except ConnectionError:
            return b"reset"


async def health(port: int) -> bytes:
    async with line(port) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
        return await rest(reader)


async def dripping(writer: asyncio.StreamWriter, piece: bytes) -> None:
    """Send a little now and then, for ever."""
    with contextlib.suppress(ConnectionError):
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)


HEAD = b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"


@pytest.mark.parametrize(
    ("first", "drip"),
    [
        (b"", b""),
        (b"G", b""),
        (b"POST /mcp HTTP/1.1\r\n", b"a"),
        (b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\n", b"x: y\r\n"),
        (HEAD + b"content-length: 1000000\r\n\r\n{", b""),
        (HEAD + b"content-length: 1000000\r\n\r\n{", b" "),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\nGET /hea", b"l"),
    ],
)
async def test_a_request_that_comes_too_slowly_is_cut_off(port: int, first: bytes, drip: bytes) -> None:
    async with line(port) as (reader, writer):
        writer.write(first)
        sending = asyncio.ensure_future(dripping(writer, drip))
        said = await rest(reader)
        sending.cancel()
    assert said == b"reset" or b" 408 " in said or said.startswith(b"HTTP/1.1 200")
    assert b" 200 " in await health(port)


async def test_a_slow_second_request_on_a_connection_is_cut_off_too(port: int) -> None:
    async with line(port) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        assert b" 200 " in await reader.readuntil(b"}")
        sending = asyncio.ensure_future(dripping(writer, b"x"))
        said = await rest(reader)
        sending.cancel()
    assert said == b"reset" or b" 408 " in said


async def test_a_body_that_comes_at_a_fair_pace_is_taken_however_long_it_takes(port: int) -> None:
    said = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"a": "x" * 3000}}).encode()
    async with line(port) as (reader, writer):
        accept = b"accept: application/json, text/event-stream\r\nconnection: close\r\n"
        writer.write(HEAD + accept + b"content-length: %d\r\n\r\n" % len(said))
        for at in range(0, len(said), 100):
            writer.write(said[at : at + 100])
            await writer.drain()
            await asyncio.sleep(0.02)
        answer = await rest(reader)
    assert b" 408 " not in answer
    assert answer.startswith(b"HTTP/1.1 ")


async def test_a_client_that_does_not_read_its_answer_is_cut_off() -> None:
    ended = asyncio.Event()

    async def endless(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await_end := asyncio.ensure_future(receive())) and not await_end.done():
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            await asyncio.sleep(0)
            if await_end.done():
                break
            await_end.cancel()
        ended.set()

    async with served(endless, lifespan="off") as found, asyncio.timeout(30):
        with socket.create_connection(("127.0.0.1", found)) as deaf:
            deaf.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            await ended.wait()


async def test_a_silent_stream_of_events_is_left_alone() -> None:
    async def quiet(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b": here\n\n", "more_body": True})
        await asyncio.sleep(1.2)  # several times as long as anything else may take
        await send({"type": "http.response.body", "body": b"data: late\n\n"})

    async with served(quiet, lifespan="off") as found, line(found) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        async with asyncio.timeout(30):
            assert await reader.readuntil(b"late\n\n")


@pytest.mark.parametrize(
    "head",
    [
        b"x-long: " + b"a" * 70_000 + b"\r\n",
        b"".join(b"x-%d: a\r\n" % number for number in range(20_000)),
        b"no colon\r\n",
        b"content-length: -1\r\n",
        b"content-length: 1\r\ncontent-length: 2\r\n",
        b"\x00: \x00\r\n",
    ],
)
async def test_a_head_that_is_too_large_or_none_is_refused(port: int, head: bytes) -> None:
    async with line(port) as (reader, writer):
        with contextlib.suppress(ConnectionError):
            writer.write(HEAD + head + b"\r\n")
            await writer.drain()
        said = await rest(reader)
    assert said == b"reset" or said == b"" or b" 400 " in said or b" 408 " in said
    assert b" 200 " in await health(port)


async def test_more_connections_than_fit_are_told_to_come_back(tmp_path: Path) -> None:
    async with LocalIVCAP(tmp_path / "store") as ivcap:
        server = build_server(ivcap, Settings(state_dir=tmp_path / "state", local=True))
        async with served(http_app(server), limit_concurrency=5) as found:
            held = [await asyncio.open_connection("127.0.0.1", found) for _ in range(8)]
            assert b" 503 " in await health(found)
            for _, writer in held:
                writer.close()

            async def free() -> bool:
                return b" 200 " in await health(found)

            await until(free, "room for others")
            server.backend.changes.close()


def test_a_process_that_may_open_few_files_takes_fewer_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    for soft, wanted in ((1024, 824), (100, 50), (1_000_000, 2000), (resource.RLIM_INFINITY, 2000)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, soft))
        assert most_connections() == wanted
