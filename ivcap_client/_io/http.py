"""The only importer of httpx: sends requests, bounds replies, maps its exceptions to ours."""

from __future__ import annotations

import os
import ssl
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from ivcap_client._core.call import absolute, is_loopback
from ivcap_client._core.messages import MIB, BlockingBody, Body, Request, Response, Source
from ivcap_client._core.port import Target
from ivcap_client.exception import IvcapConnectionError, IvcapTimeout, NotConnected, ProtocolError

PIECE = MIB
LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=20, keepalive_expiry=30)


class HttpTransport:
    """One pool for blocking callers and one per event loop for async ones, opened on first use.

    A pool is never shared across a fork: its sockets would mix up two processes' replies. The parent's is dropped
    unclosed, since closing would end connections that the parent still uses.

    Args:
        target: Where requests go; its time-out is the default for connecting.
        verify: `True`, or the path of a CA bundle that is trusted beside the system's.
        proxy: URL of a proxy; by default the environment's.
    """

    def __init__(self, target: Target, *, verify: bool | str = True, proxy: str | None = None) -> None:
        self._target, self._verify, self._proxy = target, verify, proxy
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._pool: httpx.Client | None = None
        self._async_pools: weakref.WeakKeyDictionary[Any, httpx.AsyncClient] = weakref.WeakKeyDictionary()

    def send(self, request: Request) -> Response:
        with _mapped(request), self._blocking().stream(**self._parts(request)) as reply:
            return Response(reply.status_code, _headers(reply), _whole(reply.iter_bytes(PIECE), request))

    async def send_async(self, request: Request) -> Response:
        with _mapped(request):
            async with self._for_loop().stream(**self._parts(request, asynchronous=True)) as reply:
                pieces = bytearray()
                async for piece in reply.aiter_bytes(PIECE):
                    pieces += piece
                    _bounded(len(pieces), request)
                return Response(reply.status_code, _headers(reply), bytes(pieces))

    def open(self, request: Request) -> BlockingBody:
        pool = self._blocking()
        with _mapped(request):
            reply = pool.send(pool.build_request(**self._parts(request)), stream=True)
        return _BlockingBody(reply, request)

    async def open_async(self, request: Request) -> Body:
        pool = self._for_loop()
        with _mapped(request):
            reply = await pool.send(pool.build_request(**self._parts(request, asynchronous=True)), stream=True)
        return _AsyncBody(reply, request)

    def close(self) -> None:
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None and self._pid == os.getpid():
            pool.close()

    async def close_async(self) -> None:
        import asyncio

        pool = self._async_pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.aclose()
        self.close()

    def _blocking(self) -> httpx.Client:
        with self._lock:
            self._mind_fork()
            if self._pool is None:
                self._pool = httpx.Client(**self._options())
            return self._pool

    def _for_loop(self) -> httpx.AsyncClient:
        import asyncio

        loop = asyncio.get_running_loop()
        with self._lock:
            self._mind_fork()
            pool = self._async_pools.get(loop)
            if pool is None:
                pool = self._async_pools[loop] = httpx.AsyncClient(**self._options())
            return pool

    def _mind_fork(self) -> None:
        if self._pid != os.getpid():
            _abandoned.append((self._pool, dict(self._async_pools)))  # kept alive: closing would reach the parent's
            self._pid, self._pool = os.getpid(), None
            self._async_pools = weakref.WeakKeyDictionary()

    def _options(self) -> dict[str, Any]:
        url = self._target.url
        return {
            # The environment's proxies and certificates count, but nobody's proxy stands in front of this machine.
            "trust_env": not is_loopback(url),
            "proxy": self._proxy,
            "follow_redirects": False,
            "limits": LIMITS,
            "verify": _trusted(self._verify) if url.startswith("https") or self._target.foreign_data else False,
        }

    def _parts(self, request: Request, *, asynchronous: bool = False) -> dict[str, Any]:
        seconds = request.timeout if request.timeout is not None else self._target.timeout
        content: Any = request.body
        headers = {"user-agent": "ivcap-mcp", **request.headers}
        if content is not None and not isinstance(content, bytes):
            content = _pieces_async(content) if asynchronous else _pieces(content)
        return {
            "method": request.method,
            "url": absolute(self._target, request.target),
            "params": list(request.query) or None,
            "headers": headers,
            "content": content,
            "timeout": httpx.Timeout(seconds, connect=min(seconds, 10.0)),
        }


_abandoned: list[Any] = []


def _trusted(verify: bool | str) -> ssl.SSLContext | bool:
    """The system's certificates, and the named bundle beside them."""
    if verify is False:
        return False
    context = ssl.create_default_context()
    if not context.get_ca_certs():
        import certifi  # some Python builds find no system store

        context.load_verify_locations(certifi.where())
    if isinstance(verify, str):
        context.load_verify_locations(verify)
    return context


def _pieces(source: Source) -> Iterator[bytes]:
    while piece := source.read(PIECE):
        yield piece


async def _pieces_async(source: Source) -> AsyncIterator[bytes]:
    while piece := source.read(PIECE):
        yield piece


def _headers(reply: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in reply.headers.items()}


def _whole(pieces: Iterator[bytes], request: Request) -> bytes:
    body = bytearray()
    for piece in pieces:
        body += piece
        _bounded(len(body), request)
    return bytes(body)


def _bounded(size: int, request: Request) -> None:
    if size > request.most:
        raise ProtocolError(
            f"could not {request.what}: the reply is larger than the {request.most // MIB} MiB allowed for it"
        )


@contextmanager
def _mapped(request: Request) -> Iterator[None]:
    """The library's exceptions as ours. Messages name what was tried, never headers."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
        raise NotConnected(f"could not {request.what}: no connection to the platform ({_said(error)})") from None
    except httpx.TimeoutException:
        limit = f"{request.timeout:.1f} s" if request.timeout is not None else "the time allowed"
        raise IvcapTimeout(f"could not {request.what}: the platform did not answer within {limit}") from None
    except httpx.DecodingError as error:
        raise ProtocolError(f"could not {request.what}: the reply's encoding is broken ({_said(error)})") from None
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise ProtocolError(f"could not {request.what}: not an address that can be asked ({_said(error)})") from None
    except httpx.TransportError as error:
        raise IvcapConnectionError(f"could not {request.what}: the connection broke ({_said(error)})") from None


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


class _BlockingBody:
    def __init__(self, reply: httpx.Response, request: Request) -> None:
        self._reply, self._request, self._rest = reply, request, b""
        self._pieces = reply.iter_bytes()
        self.status, self.headers = reply.status_code, _headers(reply)

    def read(self, size: int = 65536) -> bytes:
        if not self._rest:
            with _mapped(self._request):
                self._rest = next(self._pieces, b"")
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    def close(self) -> None:
        self._reply.close()


class _AsyncBody:
    def __init__(self, reply: httpx.Response, request: Request) -> None:
        self._reply, self._request, self._rest = reply, request, b""
        self._pieces = reply.aiter_bytes().__aiter__()
        self.status, self.headers = reply.status_code, _headers(reply)

    async def read(self, size: int = 65536) -> bytes:
        if not self._rest:
            with _mapped(self._request):
                try:
                    self._rest = await self._pieces.__anext__()
                except StopAsyncIteration:
                    self._rest = b""
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    async def close(self) -> None:
        await self._reply.aclose()
