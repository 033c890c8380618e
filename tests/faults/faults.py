"""What can be wrong with a line, a gateway or a platform. Each answers one request; then the connection ends."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import zlib
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from tests.faults.line import Asked, Fault, Line, answer, as_json

Writer = asyncio.StreamWriter


@dataclass(frozen=True)
class Kind:
    """A fault.

    Attributes:
        means: One line for the page.
        fault: What it does; `None`: nobody listens.
        passes: It may be over at the next request, so that both is tried: once and for good.
        stalls: It lasts until the client gives up.
        heavy: It costs much, so that it meets each kind of request once, and not each operation.
        wire: Each trial is made through both fronts, whose connections are of different kinds.
        changes: What comes is another but permitted answer, so that results may differ from the usual ones.
        auth: Which credential the client has: `fixed` or `renewable`.
    """

    means: str
    fault: Fault | None
    passes: bool = False
    stalls: bool = False
    heavy: bool = False
    wire: bool = False
    changes: bool = False
    auth: str = "fixed"


def status(code: int, body: bytes = b'{"message": "not now"}', **headers: str) -> Fault:
    async def fault(line: Line, asked: Asked, writer: Writer) -> None:
        writer.write(answer(code, body, connection="close", **headers).sent())
        await writer.drain()

    return fault


def abort(writer: Writer) -> None:
    """End the connection with a reset."""
    found = writer.get_extra_info("socket")
    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def reset_before(line: Line, asked: Asked, writer: Writer) -> None:
    abort(writer)


async def reset_after(line: Line, asked: Asked, writer: Writer) -> None:
    await line.forward(asked)
    abort(writer)


async def truncated(line: Line, asked: Asked, writer: Writer) -> None:
    whole = (await line.forward(asked)).sent()
    head = whole.index(b"\r\n\r\n") + 4
    # Of a reply without a body the head is cut.
    writer.write(whole[: head + (len(whole) - head) // 2] if len(whole) > head else whole[: head // 2])
    await writer.drain()


async def stalled(line: Line, asked: Asked, writer: Writer) -> None:
    await line.forward(asked)
    await asked.gone()


async def stalled_midway(line: Line, asked: Asked, writer: Writer) -> None:
    whole = (await line.forward(asked)).sent()
    writer.write(whole[: len(whole) - 2])
    await writer.drain()
    await asked.gone()


async def expired(line: Line, asked: Asked, writer: Writer) -> None:
    """The credential that the client began with is not accepted any more."""
    if asked.headers.get("authorization") == "Bearer renewed":
        found = await line.forward(asked)
        writer.write(replace(found, headers={**found.headers, "connection": "close"}).sent())
        await writer.drain()
        return
    await status(401, b"")(line, asked, writer)


async def elsewhere(line: Line, asked: Asked, writer: Writer) -> None:
    await status(307, b"", location=f"{line.elsewhere}{asked.target}")(line, asked, writer)


@cache
def bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(b" " * 1_000_000) for _ in range(300)) + packer.flush()


async def exploding(line: Line, asked: Asked, writer: Writer) -> None:
    await status(200, bomb(), content_encoding="gzip")(line, asked, writer)


async def large_page(line: Line, asked: Asked, writer: Writer) -> None:
    await status(500, b"<html>" + b"oops " * 2_000_000, content_type="text/html")(line, asked, writer)


def changed(change: Any) -> Fault:
    """The real reply, with its JSON changed."""

    async def fault(line: Line, asked: Asked, writer: Writer) -> None:
        found = await line.forward(asked)
        value = as_json(found)
        if value is not None:
            body = json.dumps(change(value)).encode()
            found = replace(found, body=body, headers={**found.headers, "content-length": str(len(body))})
        writer.write(replace(found, headers={**found.headers, "connection": "close"}).sent())
        await writer.drain()

    return fault


def other_types(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: other_types(one) for name, one in value.items()}
    if isinstance(value, list):
        return [other_types(one) for one in value]
    return 7 if isinstance(value, str) else "seven" if isinstance(value, int | float) else [value]


def nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: nulls(one) for name, one in value.items()}
    return [nulls(one) for one in value] if isinstance(value, list) else None


def unknown_words(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: "sublimated" if name == "status" else unknown_words(one) for name, one in value.items()}
    return [unknown_words(one) for one in value] if isinstance(value, list) else value


FAULTS: dict[str, Kind] = {
    "refused": Kind("nobody listens", None, wire=True),
    "reset before": Kind("the connection is reset and nothing was carried out", reset_before, passes=True),
    "reset after": Kind("the request is carried out, its reply is lost", reset_after, passes=True, wire=True),
    "truncated": Kind("the request is carried out, its reply ends in the middle", truncated, passes=True),
    "429": Kind("too many requests", status(429), passes=True),
    "429 for a moment": Kind("the same with `Retry-After: 0`", status(429, retry_after="0"), passes=True),
    "429 for a day": Kind("the same with `Retry-After: 86400`: not waited for", status(429, retry_after="86400")),
    "500": Kind("the platform failed", status(500), passes=True),
    "502": Kind("a gateway has no platform", status(502, b"<html>bad gateway</html>"), passes=True),
    "503": Kind("not available", status(503, b""), passes=True),
    "504": Kind("a gateway gave up waiting", status(504, b""), passes=True),
    "stall": Kind("the request is carried out and not answered", stalled, passes=True, stalls=True),
    "stall midway": Kind("the reply stops before its last bytes", stalled_midway, passes=True, stalls=True),
    "401, renewable": Kind("the token expired, and another can be had", expired, auth="renewable"),
    "401, fixed": Kind("the token expired", expired),
    "redirect": Kind("307 to another host, which must not be asked", elsewhere),
    "gzip bomb": Kind("300 MB in 300 kB", exploding, heavy=True),
    "10 MB page": Kind("500 with a large page", large_page, heavy=True),
    "invalid JSON": Kind("200 with half of a JSON text", status(200, b'{"items": [{"id": "urn:ivcap:')),
    "HTML": Kind("200 with the page of a login form", status(200, b"<html>log in</html>", content_type="text/html")),
    "other shape": Kind("each JSON reply is a list in a list", changed(lambda value: [[value]])),
    "other types": Kind("numbers for texts, texts for numbers", changed(other_types)),
    "nulls": Kind("null for every value", changed(nulls)),
    "unknown words": Kind("a status nobody knows", changed(unknown_words), changes=True),
}  # fmt: skip
