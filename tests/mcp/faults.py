"""What a platform can do wrong instead of answering, by name."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

from tests.mcp.outside import Asked, Fault, Outside, Writer, head, reply

TRAP = "http://127.0.0.1:9/elsewhere"
JSON = {"content-type": "application/json"}
NONE_OF_IT: tuple[Any, ...] = (
    None,
    True,
    -1,
    "text",
    [],
    [[]],
    {},
    {"items": 5},
    {"items": [None, 1, "x", [], {}]},
    {"items": [{"id": 7, "entity": [], "schema": {}, "content": [1], "valid-from": 99, "status": {}}]},
    {"id": ["urn"], "status": 5, "size": "many", "data-href": 12, "result-content": [], "service": {}},
    {"job-id": {"a": 1}, "id": None, "location": ["x"], "retry-later": "soon"},
)


def _status(status: int, value: object, **headers: str) -> Fault:
    async def fault(platform: Outside, asked: Asked, writer: Writer) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        await reply(
            writer, status, body, {"connection": "close", **{k.replace("_", "-"): v for k, v in headers.items()}}
        )

    return fault


async def _echoes(platform: Outside, asked: Asked, writer: Writer) -> None:
    """Tells in its refusal what it was sent, the credential too, as debug pages do."""
    told = {"name": "bad", "message": f"refused {asked.method} with {json.dumps(asked.headers)}"}
    await reply(writer, 400, json.dumps(told).encode(), {"connection": "close"})


async def _cut_json(platform: Outside, asked: Asked, writer: Writer) -> None:
    await reply(writer, 200, b'{"items": [{"id": "urn:ivcap:', {"connection": "close"})


async def _cut_line(platform: Outside, asked: Asked, writer: Writer) -> None:
    writer.write(head(200, {**JSON, "content-length": "5000"}) + b'{"items": [')
    await writer.drain()


async def _reset(platform: Outside, asked: Asked, writer: Writer) -> None:
    writer.transport.abort()


async def _no_http(platform: Outside, asked: Asked, writer: Writer) -> None:
    writer.write(b"\x00\x01SSH-2.0-OpenSSH\r\n" * 10)
    await writer.drain()


async def _silent(platform: Outside, asked: Asked, writer: Writer) -> None:
    await asyncio.sleep(120)


async def _slow(platform: Outside, asked: Asked, writer: Writer) -> None:
    """A byte now and then, each in time by itself."""
    writer.write(head(200, {**JSON, "content-length": "100000"}))
    for _ in range(600):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.2)


async def _endless(platform: Outside, asked: Asked, writer: Writer) -> None:
    kind = "text/event-stream" if asked.step == "events" else "application/json"
    writer.write(head(200, {"content-type": kind, "transfer-encoding": "chunked"}))
    piece = b"[" * 65536
    for _ in range(16_000):  # a gigabyte, if anybody takes it
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        await writer.drain()


async def _deep(platform: Outside, asked: Asked, writer: Writer) -> None:
    await reply(writer, 200, b'{"items":' + b"[" * 100_000 + b"]" * 100_000 + b"}", {"connection": "close"})


@cache
def _bombs() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(b" " * 1_000_000) for _ in range(300)) + packer.flush()


async def _bomb(platform: Outside, asked: Asked, writer: Writer) -> None:
    await reply(writer, 200, _bombs(), {"content-encoding": "gzip", "connection": "close"})


async def _not_gzip(platform: Outside, asked: Asked, writer: Writer) -> None:
    await reply(writer, 200, b"this is not compressed", {"content-encoding": "gzip", "connection": "close"})


def _types() -> Fault:
    """Each time another value that is not what was wanted."""
    number = 0

    async def fault(platform: Outside, asked: Asked, writer: Writer) -> None:
        nonlocal number
        number += 1
        await reply(writer, 200, json.dumps(NONE_OF_IT[number % len(NONE_OF_IT)]).encode(), {"connection": "close"})

    return fault


FAULTS: dict[str, Callable[[], Fault]] = {
    "500 in JSON": lambda: _status(500, {"name": "fault", "message": "Traceback (most recent call last):\n  File"}),
    "500 in HTML": lambda: _status(500, b"<html><h1>Oops</h1>", content_type="text/html"),
    "503 for ever": lambda: _status(503, {"message": "later"}),
    "429 for a day": lambda: _status(429, {"message": "slow down"}, retry_after="86400"),
    "401 from now on": lambda: _status(401, {"message": "token expired"}),
    "400 that echoes": lambda: _echoes,
    "200 in HTML": lambda: _status(200, b"<html>log in here</html>", content_type="text/html"),
    "204 and nothing": lambda: _status(204, b""),
    "redirect elsewhere": lambda: _status(307, b"", location=TRAP),
    "redirect in a circle": lambda: _status(307, b"", location="?again"),
    "JSON cut off": lambda: _cut_json,
    "line cut off": lambda: _cut_line,
    "wrong types": _types,
    "too deep": lambda: _deep,
    "reset": lambda: _reset,
    "no HTTP": lambda: _no_http,
    "not gzip": lambda: _not_gzip,
    "gzip bomb": lambda: _bomb,
    "silent": lambda: _silent,
    "slow bytes": lambda: _slow,
    "endless": lambda: _endless,
}
