"""One HTTP request as the gateway sees it: an ASGI scope with its doubts settled, and the ways to answer it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from .identity import as_urn

if TYPE_CHECKING:
    from .platform import LocalPlatform

Message: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?\Z|\[[0-9A-Fa-f:.]+\](:\d{1,5})?\Z")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*/?\Z")


class TooLarge(Exception):
    """The body is larger than it may be."""


class Stalled(Exception):
    """Nothing came for too long, although the body is not whole."""


class Gone(ConnectionResetError):
    """The client went away in the middle of its body."""


class Exchange:
    """A request and the way to answer it.

    Attributes:
        method: Upper case.
        path: Still quoted, without scheme and host even if the request line had them.
        query: In order, unquoted.
        headers: Names in lower case; of repeated ones the last.
        own_base: `http://127.0.0.1:<port>`, as tools know us.
        started: Whether the answer has begun.
    """

    def __init__(self, scope: Message, receive: Receive, send: Send, port: int, stall: float) -> None:
        self.method: str = scope["method"]
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        path = raw.decode("latin-1")
        if not path.startswith(
            "/"
        ):  # absolute form, as a proxy gets it: with h11 the whole URL stands where the path should
            path = urlsplit(path).path or "/"
        self.path = path
        self.query: list[tuple[str, str]] = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        self.headers: dict[str, str] = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        self.own_base = f"http://127.0.0.1:{port}"
        self.started = False
        self.extra: dict[str, str] = {}
        self._receive, self._send, self._stall = receive, send, stall
        self._more = True
        self._owes = self.headers.get("content-length", "0") != "0" or "transfer-encoding" in self.headers

    def outer_base(self) -> str:
        """The base URL this client used, through whatever proxy. Source: rest-api §2.6 (`X-Forwarded-*`), §3.3."""
        host = self.headers.get("x-forwarded-host", self.headers.get("host", ""))
        scheme = self.headers.get("x-forwarded-proto", "http")
        prefix = self.headers.get("x-forwarded-prefix", "")
        if not _HOST.match(host) or scheme not in ("http", "https") or not _PREFIX.match(prefix):
            return self.own_base
        return f"{scheme}://{host}{prefix.rstrip('/')}"

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it arrives.

        Raises:
            Gone: The client went away before its end.
            Stalled: It sends nothing more, and does not go either.
        """
        while self._more:
            try:
                async with asyncio.timeout(self._stall):
                    message = await self._receive()
            except TimeoutError as problem:
                self._more = False
                raise Stalled(f"nothing came for {self._stall:g} s, although the body is not whole") from problem
            if message["type"] != "http.request":
                self._more = False
                raise Gone("the client went away before the end of its body")
            self._more = bool(message.get("more_body"))
            self._owes = self._owes and self._more
            if message.get("body"):
                yield message["body"]

    async def read_whole(self, most: int) -> bytes:
        """The whole body.

        Raises:
            TooLarge: It has more than `most` bytes.
            Gone, Stalled: Its end never came.
        """
        told = self.headers.get("content-length", "")
        if told.isdigit() and int(told) > most:
            raise TooLarge
        parts, size = [], 0
        async for piece in self.pieces():
            size += len(piece)
            if size > most:
                raise TooLarge
            parts.append(piece)
        return b"".join(parts)

    async def gone(self) -> None:
        """Return when the client has gone away; only after the body was read."""
        while (await self._receive())["type"] != "http.disconnect":
            continue

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head of the answer."""
        self.started = True
        if self._owes:
            # What is still to come of the body would be read as the next request, or the next request as the body.
            self.extra = {**self.extra, "connection": "close"}
        lines = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in {**headers, **self.extra}.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": lines})

    async def write(self, body: bytes, *, more: bool) -> None:
        """Send a part of the body; `more` False ends it."""
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def reply(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        """Send a whole answer. For HEAD the server drops the body and keeps its length."""
        named = dict(headers)
        if status not in (204, 304):
            named.setdefault("content-length", str(len(body)))
        await self.begin(status, named)
        await self.write(body, more=False)


Answer: TypeAlias = Callable[[Exchange, str, str, "LocalPlatform"], Awaitable[None]]
"""Answers a request for data: the exchange, the path as the platform knows it, the base URL of what it hands out, and
the platform as the asker sees it.
"""


async def send_json(exchange: Exchange, status: int, value: object) -> None:
    """Answer with JSON."""
    await exchange.reply(status, {"content-type": "application/json"}, json.dumps(value).encode())


async def fail(exchange: Exchange, status: int, message: str, **more: str) -> None:
    """Answer with an error as rest-api §6.2 has them; 404 and 409 need an id, else taken from the path."""
    if status in (404, 409):
        more.setdefault("id", as_urn("resource", exchange.path.rpartition("/")[2] or "unknown"))
    await send_json(exchange, status, {"message": message, **more})
