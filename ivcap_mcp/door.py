"""What every request over HTTP passes: who asks, how much they may ask, and whose server answers."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, nullcontext
from typing import Any, Protocol

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from starlette.applications import Starlette

from ivcap_mcp import logs, telemetry, uploads
from ivcap_mcp.allowance import Allowance, Uses
from ivcap_mcp.auth.caller import Caller, Gate, Refused, bearer
from ivcap_mcp.auth.seat import CALLER
from ivcap_mcp.server import IvcapServer
from ivcap_mcp.tenants import Broken, Full
from ivcap_mcp.withdrawal import Held

log = logging.getLogger("ivcap_mcp.http")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

WELL_KNOWN = "/.well-known/"
TOO_MANY = -32000
"""JSON-RPC code of what is refused for its number; HTTP says 429."""
PEEKED = 65_536
"""Bytes of a refused request in which its id is looked for, so that its sender knows what was refused."""
FULL = 10.0
LOOK = 5.0
"""Seconds between two looks whether the token of an open request still counts."""
NO_SERVER = "your server here could not start; the operator finds the reason in the log"
NO_ADDRESS = {"error": "this is no address of an upload"}


class Served(Protocol):
    """A server and its app."""

    server: IvcapServer
    app: Starlette


class House(Protocol):
    """Whose server answers."""

    @property
    def all(self) -> Sequence[Served]: ...
    def running(self) -> AbstractAsyncContextManager[None]: ...
    def serving(self, mark: str, caller: Caller | None) -> AbstractAsyncContextManager[Served | None]: ...


class OneServer:
    """The house of a server that answers everybody."""

    def __init__(self, server: IvcapServer, app: Starlette) -> None:
        self.server, self.app = server, app

    @property
    def all(self) -> Sequence[Served]:
        return (self,)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self.app.router.lifespan_context(self.app):
            yield

    @asynccontextmanager
    async def serving(self, mark: str, caller: Caller | None) -> AsyncIterator[Served | None]:
        yield self


class Door:
    """The ASGI app in front of all others.

    Args:
        house: Whose server answers.
        gate: Who is let in.
        limits: What each caller may do.
        pages: Further apps by the beginning of their paths; their addresses are their permission.
        owner: Whose server an address for uploads belongs to; `None`: nobody's.
    """

    def __init__(
        self,
        house: House,
        gate: Gate,
        limits: Allowance | None = None,
        pages: Mapping[str, App] | None = None,
        owner: Callable[[str], str | None] = lambda path: "",
    ) -> None:
        self._owner = owner
        self._house, self._gate, self._uses = house, gate, Uses(limits or Allowance())
        self._pages = dict(pages or {})
        self._answer = AuthContextMiddleware(self._answered)  # the SDK ties sessions and questions to their caller
        self.stopping, self.look = False, LOOK

    def drain(self) -> None:
        """The server is about to end: calls that wait for a job are answered with its handle, streams end."""
        self.stopping = True
        for one in self._house.all:
            one.server.backend.drain()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lives(receive, send)
            return
        path = scope["path"]
        if scope["type"] != "http":
            return
        if path == "/healthz":
            await told(send, 200, {"status": "ok"})
        elif path == "/readyz":
            await self._ready(send)
        elif path.startswith(WELL_KNOWN):
            published = self._gate.document(path)
            anyone = (b"access-control-allow-origin", b"*")  # clients in browsers read it from other origins
            await told(
                send, 404 if published is None else 200, published or {"error": "nothing is published here"}, anyone
            )
        elif uploads.PREFIX in path:
            await self._bytes(scope, receive, send)
        elif page := next((app for start, app in self._pages.items() if path.startswith(start)), None):
            await page(scope, receive, send)
        else:
            await self._asked(scope, receive, send)

    async def _asked(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            caller = await self._gate.caller(bearer(dict(scope["headers"])))
        except Refused as refused:
            await self._refuse(send, refused)
            return
        mark = caller.mark
        wait = self._uses.enter(mark)
        if wait:
            log.warning("caller %s asks too much, and may ask again in %g s", mark, wait)
            await busy(receive, send, 429, f"too many requests: ask again in {wait:g} s", wait)
            return
        caller_before, logged = CALLER.set(caller), logs.CALLER.set(mark)
        trace = telemetry.joined(dict(scope["headers"]))
        try:
            async with self._house.serving(mark, caller) as served:
                assert served is not None  # there is a caller
                token = AccessToken(token="", client_id=mark, scopes=sorted(caller.scopes), subject=mark)
                scope = {**scope, "user": AuthenticatedUser(token), "ivcap_mcp.app": served.app}
                with _reading(scope, served.server):
                    if self._gate.withdraws:
                        await self._watched(caller, scope, receive, send)
                    else:
                        await self._answer(scope, receive, send)
        except Full:
            log.warning("there is no server for caller %s", mark)
            await busy(receive, send, 503, "this server is full: ask again later", FULL)
        except Broken:
            await busy(receive, send, 503, NO_SERVER, FULL)
        finally:
            telemetry.left(trace)
            logs.CALLER.reset(logged)
            CALLER.reset(caller_before)
            self._uses.leave(mark)

    async def _watched(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        held = Held(receive, send, lambda: self._gate.withdrawn(caller), self.look)
        await self._answer(scope, held.receive, held.send)
        await held.close()
        if held.gone and not held.begun:
            await self._refuse(send, Refused(401, "this token was taken back meanwhile", error="invalid_token"))

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        await scope["ivcap_mcp.app"](scope, receive, send)

    async def _bytes(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Bytes for an address made by `upload_artifact`: the address is the permission."""
        mark, caller = self._owner(scope["path"]), None
        if mark is None:
            await told(send, 404, NO_ADDRESS)
            return
        token = bearer(dict(scope["headers"]))
        if token and mark:
            try:
                caller = await self._gate.caller(token)
            except Refused as refused:
                await self._refuse(send, refused)
                return
            if caller.mark != mark:
                await told(send, 404, NO_ADDRESS)
                return
        before = CALLER.set(caller)
        try:
            async with self._house.serving(mark, caller) as served:
                if served is None:
                    wanted = {"error": "send your access token along: curl -H 'Authorization: Bearer …'"}
                    await told(send, 401, wanted, (b"www-authenticate", b'Bearer realm="ivcap-mcp"'))
                else:
                    await served.server.backend.handoffs(scope, receive, send)
        except Full:
            await told(send, 503, {"error": "this server is full: send it again later"})
        except Broken:
            await told(send, 503, {"error": NO_SERVER})
        finally:
            CALLER.reset(before)

    async def _refuse(self, send: Send, refused: Refused) -> None:
        telemetry.refused(refused.status)
        headers = []
        if refused.status in (401, 403) and (challenge := self._gate.challenge(refused)):
            headers.append((b"www-authenticate", challenge.encode("latin-1", "replace")))
        if refused.retry_after is not None:
            headers.append((b"retry-after", str(math.ceil(refused.retry_after)).encode()))
        await told(send, refused.status, {"error": refused.message}, *headers)

    async def _ready(self, send: Send) -> None:
        backends = [one.server.backend for one in self._house.all]
        stopping = self.stopping or any(backend.stopping for backend in backends)
        # A platform that is away makes no difference between replicas: it counts where there is one server only.
        away = isinstance(self._house, OneServer) and any(backend.catalog.failure is not None for backend in backends)
        if stopping or away:
            await told(send, 503, {"status": "stopping" if stopping else "the platform does not answer"})
        else:
            await told(send, 200, {"status": "ready"})

    async def _lives(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            async with self._house.running():
                await send({"type": "lifespan.startup.complete"})
                await receive()
                self.drain()
        except Exception as error:
            log.exception("the server cannot start or end")
            await send({"type": "lifespan.startup.failed", "message": type(error).__name__})
            raise
        await send({"type": "lifespan.shutdown.complete"})


def _reading(scope: Scope, server: IvcapServer) -> AbstractContextManager[None]:
    """A legacy client's own stream is where it hears of changes: as long as it is open, somebody reads."""
    session = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"mcp-session-id"), "")
    return server.backend.changes.read_by(session) if session and scope["method"] == "GET" else nullcontext()


async def busy(receive: Receive, send: Send, status: int, message: str, wait: float) -> None:
    """Refuse a request for now, as HTTP and as JSON-RPC, with the seconds after which it may come again."""
    telemetry.refused(status)
    error = {"code": TOO_MANY, "message": message, "data": {"retryAfter": math.ceil(wait)}}
    value = {"jsonrpc": "2.0", "id": await _id_of(receive), "error": error}
    await told(send, status, value, (b"retry-after", str(math.ceil(wait)).encode()))


async def _id_of(receive: Receive) -> Any:
    body, more = b"", True
    while more and len(body) <= PEEKED:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    try:
        found = json.loads(body)["id"] if not more else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return found if isinstance(found, (str, int)) else None


async def told(send: Send, status: int, value: object, *headers: Header) -> None:
    """Answer with JSON."""
    body = json.dumps(value).encode()
    common = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*common, *headers]})
    await send({"type": "http.response.body", "body": body})
