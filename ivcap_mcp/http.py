"""Serving over Streamable HTTP: an ASGI app to mount or to run, with a token in front of it."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import signal
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings

from ivcap_client.exception import ConfigError
from ivcap_mcp import connections, uploads
from ivcap_mcp.secret import kept_secret
from ivcap_mcp.server import IvcapServer

log = logging.getLogger("ivcap_mcp.http")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = ("127.0.0.1", "localhost", "::1")
SHORTEST_TOKEN = 16
"""Characters below which what is kept is no token of ours: a write cut off, or a file emptied."""
DRAIN = 5
"""Seconds that requests under way may take when the server is told to end."""


def http_app(
    server: IvcapServer,
    *,
    tokens: Sequence[str] = (),
    hosts: Iterable[str] = LOOPBACK,
    origins: Iterable[str] = (),
    stateless: bool = False,
) -> App:
    """An ASGI app that serves MCP at `/mcp`, health at `/healthz` and `/readyz`.

    Args:
        server: What `build_server` made.
        tokens: Bearer tokens, one of which each request must carry; none: anybody is served.
        hosts: Names under which this server may be addressed; any port.
        origins: Origins of web pages that may talk to it, beside those of `hosts`.
        stateless: Keep no sessions for legacy clients.
    """
    named = [f"[{host}]" if ":" in host else host for host in hosts]
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=[*named, *(f"{host}:*" for host in named)],
        allowed_origins=[
            *origins,
            *(f"{scheme}://{host}{port}" for host in named for scheme in ("http", "https") for port in ("", ":*")),
        ],
    )
    server.backend.handoffs.sealed_with(tokens)
    app = server.streamable_http_app(transport_security=security, stateless_http=stateless)
    return _Door(app, server, [hashlib.sha256(token.encode()).digest() for token in tokens])


class _Door:
    """Lets in who knows a token. Tokens are compared by hash in constant time, and are never logged."""

    def __init__(self, app: App, server: IvcapServer, tokens: list[bytes]) -> None:
        self._app, self._server, self._tokens = app, server, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == "/healthz":
            await _json(send, 200, {"status": "ok"})
        elif scope["path"] == "/readyz":
            await self._ready(send)
        elif uploads.PREFIX in scope["path"]:
            await self._server.backend.handoffs(scope, receive, send)  # its address is the permission
        elif self._tokens and not self._known(scope):
            told = {"error": "a bearer token is needed: the server printed it when it started"}
            await _json(send, 401, told, (b"www-authenticate", b'Bearer realm="ivcap-mcp"'))
        elif scope["method"] == "GET" and (session := _session(scope)):
            # The stream on which a legacy client hears of changes: as long as it is open, somebody reads.
            with self._server.backend.changes.read_by(session):
                await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _known(self, scope: Scope) -> bool:
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, token = given.partition(b" ")
        digest = hashlib.sha256(token.strip()).digest()
        matches = [hmac.compare_digest(digest, known) for known in self._tokens]
        return scheme.lower() == b"bearer" and any(matches)

    async def _ready(self, send: Send) -> None:
        backend = self._server.backend
        failure = backend.catalog.failure
        if backend.stopping or failure is not None:
            await _json(send, 503, {"status": "stopping" if backend.stopping else "the platform does not answer"})
        else:
            await _json(send, 200, {"status": "ready"})


def _session(scope: Scope) -> str:
    """The legacy session a request names; empty without."""
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"mcp-session-id"), "")


async def _json(send: Send, status: int, value: object, *headers: tuple[bytes, bytes]) -> None:
    body = json.dumps(value).encode()
    common = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*common, *headers]})
    await send({"type": "http.response.body", "body": body})


class _Uvicorn(uvicorn.Server):
    """Ends listen streams before it waits for requests to finish: they would otherwise keep it for ever."""

    def __init__(self, config: uvicorn.Config, server: IvcapServer, ready: Callable[[str], None] | None) -> None:
        super().__init__(config)
        self._mcp, self._told = server, ready

    async def startup(self, sockets: list[Any] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._told is not None:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self._told(f"http://[{host}]:{port}/mcp" if ":" in host else f"http://{host}:{port}/mcp")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # As in the base, but not noted to be raised again at the end: to end when told so is no failure.
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        self._mcp.backend.stopping = True
        self._mcp.backend.changes.close()
        await super().shutdown(sockets)


async def serve_http(
    server: IvcapServer, app: App, host: str, port: int, on_ready: Callable[[str], None] | None = None
) -> None:
    """Serve until a signal ends the process.

    Args:
        server: What `build_server` made.
        app: What `http_app` made of it.
        host: Address to bind.
        port: Port to bind; 0: a free one.
        on_ready: Told the URL once it is served.

    Raises:
        ConfigError: The address cannot be had.
    """
    import socket

    try:
        # Bound here, so that a port in use is our error and not a line in uvicorn's log.
        bound = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host} port {port}: {error.strerror}. Choose another with --port"
        ) from None
    # Inherited by connections: asyncio sets it only on sockets that name their protocol, and `create_server`'s do not.
    # Without it each small answer waits 40 ms for the client's delayed ACK.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    await _Uvicorn(connections.config(app, DRAIN), server, on_ready).serve([bound])


def own_token(folder: Path) -> str:
    """This user's token for HTTP servers: made at first use, readable by the user only.

    Raises:
        ConfigError: It cannot be read or kept.
    """
    return kept_secret(folder / "http-token")
