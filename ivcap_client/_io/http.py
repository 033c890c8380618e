"""The only importer of httpx: sends requests, bounds replies, maps its exceptions to ours."""

from __future__ import annotations

import os
import ssl
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import httpx

from ivcap_client._core.addresses import absolute, is_foreign, is_loopback, shown_origin
from ivcap_client._core.messages import MIB, PLATFORM, BlockingBody, Body, Request, Response, Source
from ivcap_client._core.port import Target
from ivcap_client._io import decoding, foreign
from ivcap_client._io.replies import Pieces
from ivcap_client._io.trust import trusted
from ivcap_client.exception import IvcapConnectionError, IvcapTimeout, NotConnected, ProtocolError

PIECE = MIB
LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=20, keepalive_expiry=30)


class HttpTransport:
    """One pool for blocking callers and one per event loop for async ones, opened on first use; the same again for
    foreign addresses, which share nothing with the platform.

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
        self._pools: dict[bool, httpx.Client] = {}
        self._async_pools: weakref.WeakKeyDictionary[Any, dict[bool, httpx.AsyncClient]] = weakref.WeakKeyDictionary()

    def send(self, request: Request) -> Response:
        with _mapped(request, self._target):
            away, parts = self._parts(request)
            with self._blocking(away).stream(**parts) as reply:
                pieces = Pieces(reply.headers, request, deadline=request.deadline)
                for raw in reply.iter_raw():
                    pieces.add(raw)
                return Response(reply.status_code, pieces.headers, pieces.whole())

    async def send_async(self, request: Request) -> Response:
        with _mapped(request, self._target):
            away, parts = await self._parts_async(request)
            async with self._for_loop(away).stream(**parts) as reply:
                pieces = Pieces(reply.headers, request, deadline=request.deadline)
                async for raw in reply.aiter_raw():
                    pieces.add(raw)
                return Response(reply.status_code, pieces.headers, pieces.whole())

    def open(self, request: Request) -> BlockingBody:
        with _mapped(request, self._target):
            away, parts = self._parts(request)
            pool = self._blocking(away)
            return _BlockingBody(pool.send(pool.build_request(**parts), stream=True), request, self._target)

    async def open_async(self, request: Request) -> Body:
        with _mapped(request, self._target):
            away, parts = await self._parts_async(request)
            pool = self._for_loop(away)
            return _AsyncBody(await pool.send(pool.build_request(**parts), stream=True), request, self._target)

    def close(self) -> None:
        with self._lock:
            self._mind_fork()
            pools, self._pools = self._pools, {}
        for pool in pools.values():
            pool.close()

    async def close_async(self) -> None:
        import asyncio

        with self._lock:
            self._mind_fork()
            pools = self._async_pools.pop(asyncio.get_running_loop(), {})
        for pool in pools.values():
            await pool.aclose()
        self.close()

    def _blocking(self, away: bool) -> httpx.Client:
        with self._lock:
            self._mind_fork()
            if away not in self._pools:
                self._pools[away] = httpx.Client(**self._options(away))
            return self._pools[away]

    def _for_loop(self, away: bool) -> httpx.AsyncClient:
        import asyncio

        loop = asyncio.get_running_loop()
        with self._lock:
            self._mind_fork()
            pools = self._async_pools.setdefault(loop, {})
            if away not in pools:
                pools[away] = httpx.AsyncClient(**self._options(away))
            return pools[away]

    def _mind_fork(self) -> None:
        if self._pid != os.getpid():
            _abandoned.append((self._pools, dict(self._async_pools)))  # kept alive: closing would reach the parent's
            self._pid, self._pools = os.getpid(), {}
            self._async_pools = weakref.WeakKeyDictionary()

    def _options(self, away: bool) -> dict[str, Any]:
        url = self._target.url
        verify: bool | ssl.SSLContext = False
        if away or url.startswith("https"):
            verify = trusted(True if away and self._verify is False else self._verify)
        return {
            # The environment's proxies and certificates count, but nobody's proxy stands in front of this machine.
            "trust_env": away or not is_loopback(url),
            "proxy": self._proxy,
            "follow_redirects": False,
            "limits": LIMITS,
            "verify": verify,
            # A credential is all that tells who we are: cookies are neither kept nor sent.
            "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=())),
        }

    def _parts(self, request: Request) -> tuple[bool, dict[str, Any]]:
        """Whether the request leaves the platform's origin, and what the library is asked."""
        if not is_foreign(self._target, request.target):
            return False, self._asked(request)
        return True, self._pinned(request, foreign.public_address(absolute(self._target, request.target), request.what))

    async def _parts_async(self, request: Request) -> tuple[bool, dict[str, Any]]:
        if not is_foreign(self._target, request.target):
            return False, self._asked(request, asynchronous=True)
        from anyio import to_thread

        url = absolute(self._target, request.target)
        address = await to_thread.run_sync(partial(foreign.public_address, url, request.what), abandon_on_cancel=True)
        return True, self._pinned(request, address)

    def _asked(self, request: Request, *, asynchronous: bool = False) -> dict[str, Any]:
        seconds = request.timeout if request.timeout is not None else self._target.timeout
        content: Any = request.body
        if content is not None and not isinstance(content, bytes):
            content = _pieces_async(content) if asynchronous else _pieces(content)
        return {
            "method": request.method,
            "url": absolute(self._target, request.target),
            "params": list(request.query) or None,
            "headers": {"user-agent": "ivcap-mcp", "accept-encoding": decoding.ACCEPTED, **request.headers},
            "content": content,
            "timeout": httpx.Timeout(seconds, connect=min(seconds, 10.0)),
        }

    def _pinned(self, request: Request, address: str) -> dict[str, Any]:
        """The request to the address that was found to be public; a proxy looks names up itself."""
        parts = self._asked(request)
        url = httpx.URL(parts["url"])
        if self._proxy is None and not any(os.environ.get(name) for name in _PROXIES):
            parts["headers"]["host"] = urlsplit(parts["url"]).netloc
            parts["extensions"] = {"sni_hostname": url.host}
            parts["url"] = url.copy_with(host=address)
        return parts


_PROXIES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
_abandoned: list[Any] = []


def _pieces(source: Source) -> Iterator[bytes]:
    while piece := source.read(PIECE):
        yield piece


async def _pieces_async(source: Source) -> AsyncIterator[bytes]:
    while piece := source.read(PIECE):
        yield piece


@contextmanager
def _mapped(request: Request, target: Target) -> Iterator[None]:
    """The library's exceptions as ours. Messages name what was tried and where, never headers, paths or queries."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
        raise NotConnected(
            f"could not {request.what}: no connection to {_asked_one(request, target)} ({_said(error)})"
        ) from None
    except httpx.TimeoutException:
        limit = f"{request.timeout:.1f} s" if request.timeout is not None else "the time allowed"
        raise IvcapTimeout(
            f"could not {request.what}: {_asked_one(request, target)} did not answer within {limit}"
        ) from None
    except decoding.Unreadable as error:
        raise ProtocolError(f"could not {request.what}: the reply's encoding is broken ({_said(error)})") from None
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise ProtocolError(f"could not {request.what}: not an address that can be asked ({_said(error)})") from None
    except httpx.TransportError as error:
        raise IvcapConnectionError(f"could not {request.what}: the connection broke ({_said(error)})") from None


def _asked_one(request: Request, target: Target) -> str:
    """Who was asked, with the address: somebody with several platforms must see which."""
    where = shown_origin(absolute(target, request.target))
    return where if is_foreign(target, request.target) and request.peer == PLATFORM else f"{request.peer} at {where}"


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


class _BlockingBody:
    def __init__(self, reply: httpx.Response, request: Request, target: Target) -> None:
        self._all = Pieces(reply.headers, request)
        self._reply, self._request, self._target, self._rest = reply, request, target, b""
        self._raw = reply.iter_raw()
        self._pieces: Iterator[bytes] = iter(())
        self.status, self.headers = reply.status_code, self._all.headers

    def read(self, size: int = 65536) -> bytes:
        with _mapped(self._request, self._target):
            while not self._rest:
                self._rest = next(self._pieces, b"")
                if not self._rest:
                    raw = next(self._raw, None)
                    if raw is None:
                        self._all.end()
                        return b""
                    self._pieces = self._all.decoded(raw)
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    def close(self) -> None:
        self._reply.close()


class _AsyncBody:
    def __init__(self, reply: httpx.Response, request: Request, target: Target) -> None:
        self._all = Pieces(reply.headers, request)
        self._reply, self._request, self._target, self._rest = reply, request, target, b""
        self._raw = reply.aiter_raw().__aiter__()
        self._pieces: Iterator[bytes] = iter(())
        self.status, self.headers = reply.status_code, self._all.headers

    async def read(self, size: int = 65536) -> bytes:
        with _mapped(self._request, self._target):
            while not self._rest:
                self._rest = next(self._pieces, b"")
                if not self._rest:
                    raw = await anext(self._raw, None)
                    if raw is None:
                        self._all.end()
                        return b""
                    self._pieces = self._all.decoded(raw)
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    async def close(self) -> None:
        await self._reply.aclose()
