"""The REST API of a local platform, and the address its tools report to: one plain ASGI app.

Who may ask: a tool, by the secret in its path; the runner's own clients, by the runner's token; everybody else by the
platform's token, or, on a foreground platform without one, whoever reaches the port, except foreign web pages.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, ParamSpec, TypeVar
from urllib.parse import quote, unquote, urlsplit

from .._core.messages import MIB, BlockingBody, Request, Source
from .dispatch import STREAMS, Dispatcher
from .event_stream import EventStream
from .exchanges import Exchange, Gone, Message, Receive, Send, Stalled, TooLarge, fail
from .job_record import LocalJob
from .job_results import is_json
from .platform import LocalPlatform
from .runner_routes import RunnerRoutes
from .sidecar import Sidecar
from .sign_in import SignIn
from .streams import Inflow

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

MOST_BODY = 64 * MIB
PIECE = MIB
MOST_HELD = 20.0
"""Seconds a job request may be held, whatever its `Timeout` says."""

_BLOB = re.compile(r"/1/artifacts/[^/]+/blob\Z")
_EVENTS = re.compile(r"/1/services2/([^/]+)/jobs/([^/]+)/events\Z")
_JOBS = re.compile(r"/1/services2/[^/]+/jobs\Z")
_LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}
_FROM_US = {"x-base-url", "ivcap-job-id"}
_EXPOSED = (
    "Location, Upload-Offset, Upload-Length, Tus-Resumable, IVCAP-Job-Id, IVCAP-Job-URL, IVCAP-Order-Id, Content-Range"
)


class Gateway:
    """Routes requests to the platform, the dispatcher and the runner's own routes.

    Args:
        platform: Answers what is data.
        dispatcher: Runs jobs.
        runner: The runner's own routes.
        token: The runner's token; with it everything may be asked.
        public: `None`: the REST API needs the runner's token. Empty: it is open. Else: the token it needs.
        hosts: Host names by which it may be addressed besides the loopback ones; `None`: any.
        port: Loopback port, as tools know it.
    """

    def __init__(
        self,
        platform: LocalPlatform,
        dispatcher: Dispatcher,
        runner: RunnerRoutes,
        *,
        token: str,
        public: str | None,
        hosts: set[str] | None,
        port: int,
    ) -> None:
        self._platform, self._dispatcher, self._runner = platform, dispatcher, runner
        self._token, self._public, self._hosts, self._port = token, public, hosts, port
        self._sidecar = Sidecar(dispatcher, self._data, platform)
        self._events = EventStream(dispatcher)
        self._sign_in = None if public is None else SignIn(public)
        # A pool of its own: handlers that wait for the disk must not keep jobs from being started or ended.
        self._threads = ThreadPoolExecutor(24, thread_name_prefix="platform")
        self._streams = ThreadPoolExecutor(STREAMS, thread_name_prefix="uploads")  # which may stall, so on their own

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send, self._port, self._dispatcher.limits.stall)
        try:
            await self._route(exchange)
        except TooLarge:
            await fail(exchange, 413, f"the body is larger than {MOST_BODY // MIB} MiB")
        except Stalled as problem:
            log.info("%s %s: %s", exchange.method, exchange.path, problem)
            if not exchange.started:
                await fail(exchange, 408, str(problem))
        except Gone:
            log.info("%s %s: the client went away", exchange.method, exchange.path)
        except Exception:
            log.exception("%s %s", exchange.method, exchange.path)
            if not exchange.started:
                await fail(exchange, 500, "the local platform failed; its log says why")

    def close(self) -> None:
        """Let go of the threads; requests under way end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._streams.shutdown(wait=False, cancel_futures=True)

    async def _route(self, exchange: Exchange) -> None:
        head, _, rest = exchange.path.removeprefix("/s/").partition("/")
        if exchange.path.startswith("/s/"):  # the secret is the credential, and no page can know it
            await self._sidecar(exchange, head, f"/{rest}")
            return
        if not self._host_fits(exchange):
            await fail(exchange, 403, "this Host or Origin is not served")
            return
        if exchange.method == "OPTIONS" and "access-control-request-method" in exchange.headers:
            await self._preflight(exchange)
            return
        if self._sign_in is not None and self._sign_in.serves(exchange.path):
            await self._sign_in(exchange)
            return
        own = self._has(exchange, self._token)
        if exchange.path.startswith("/.runner/"):
            if own:
                await self._runner(exchange)
            else:
                await exchange.reply(401, {"www-authenticate": "Bearer"})
            return
        if not (own or self._public == "" or (self._public is not None and self._has(exchange, self._public))):
            await exchange.reply(401, {"www-authenticate": "Bearer"})
            return
        for name in _FROM_US:
            exchange.headers.pop(name, None)
        await self._data(exchange, exchange.path, exchange.outer_base(), self._platform)

    async def _data(self, exchange: Exchange, path: str, base: str, platform: LocalPlatform) -> None:
        plain = unquote(path)
        if exchange.method == "GET" and (found := _EVENTS.match(plain)):
            await self._events(exchange, found[1], found[2])
        elif exchange.method == "GET" and _BLOB.match(plain):
            await self._download(exchange, path, base, platform)
        elif exchange.method == "PATCH" and _BLOB.match(plain):
            await self._upload(exchange, path, base, platform)
        elif exchange.method == "POST" and _JOBS.match(plain):
            await self._create_job(exchange, path, base, platform)
        else:
            body = await exchange.read_whole(MOST_BODY)
            answer = await self._thread(platform.handle, self._request(exchange, path, base, body))
            await exchange.reply(answer.status, answer.headers, answer.body)

    def _request(self, exchange: Exchange, path: str, base: str, body: bytes | Source | None) -> Request:
        return Request(
            exchange.method,
            path,
            query=tuple(exchange.query),
            headers={**exchange.headers, "x-base-url": base},
            body=body,
            what=f"{exchange.method} {path}",
        )

    async def _upload(self, exchange: Exchange, path: str, base: str, platform: LocalPlatform) -> None:
        flow = Inflow(self._dispatcher.limits.stall)
        feeding = asyncio.ensure_future(flow.feed(exchange.pieces()))
        answer = None
        try:
            with suppress(ConnectionResetError):  # told again, and with its reason, by who fed it
                handle = partial(platform.handle, self._request(exchange, path, base, flow))
                answer = await asyncio.get_running_loop().run_in_executor(self._streams, handle)
        finally:
            flow.give_up()
            await asyncio.wait([feeding])
            lost = feeding.exception()
        if lost is not None or answer is None:
            raise lost or Gone("the body broke off")
        await exchange.reply(answer.status, answer.headers, answer.body)

    async def _download(self, exchange: Exchange, path: str, base: str, platform: LocalPlatform) -> None:
        body: BlockingBody = await self._thread(platform.open, self._request(exchange, path, base, None))
        try:
            await exchange.begin(body.status, body.headers)
            gone = asyncio.ensure_future(exchange.gone())
            try:
                while (piece := await self._thread(body.read, PIECE)) and not gone.done():
                    await exchange.write(piece, more=True)
            finally:
                gone.cancel()
            await exchange.write(b"", more=False)
        finally:
            await self._thread(body.close)

    async def _create_job(self, exchange: Exchange, path: str, base: str, platform: LocalPlatform) -> None:
        body = await exchange.read_whole(MOST_BODY)
        if self._runner.leaving:
            # Before the job is there: the one who asks again is answered by the next platform, and orders once.
            exchange.extra = {**exchange.extra, "retry-after": "1"}
            await fail(exchange, 503, "this platform is stopping; ask again in a moment")
            return
        hold = _seconds(exchange.headers.get("timeout", ""))
        # Held here and not in a handler's thread: a waiting client then costs no thread.
        exchange.headers["timeout"] = "0"
        answer = await self._thread(platform.handle, self._request(exchange, path, base, body))
        if answer.status == 202 and hold > 0:
            job = str(json.loads(answer.body)["job-id"])
            ended = await self._events.ended(job, min(hold, MOST_HELD))
            if ended is not None and ended.status == "succeeded" and _inline(ended):
                output = Request(
                    "GET", f"{path}/{quote(job, safe='')}/output", headers={"x-base-url": base}, what="read output"
                )
                answer = await self._thread(platform.handle, output)
        await exchange.reply(answer.status, answer.headers, answer.body)

    def _host_fits(self, exchange: Exchange) -> bool:
        if self._hosts is None:
            return True
        allowed = _LOOPBACK | self._hosts
        if _name(exchange.headers.get("host", "")) not in allowed:
            return False
        origin = exchange.headers.get("origin")
        if origin is None:
            return True
        if _name(urlsplit(origin).netloc) not in allowed:
            return False
        exchange.extra = {
            "access-control-allow-origin": origin,
            "access-control-expose-headers": _EXPOSED,
            "vary": "Origin",
        }
        return True

    async def _preflight(self, exchange: Exchange) -> None:
        asked = exchange.headers.get("access-control-request-headers", "")
        headers = {
            "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
            "access-control-allow-headers": asked if re.fullmatch(r"[A-Za-z0-9, -]*", asked) else "",
            "access-control-max-age": "600",
        }
        await exchange.reply(204, headers)

    def _has(self, exchange: Exchange, token: str) -> bool:
        kind, _, given = exchange.headers.get("authorization", "").partition(" ")
        return kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())

    async def _thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        call: Callable[[], Any] = partial(work, *args, **kwargs)
        result: T = await loop.run_in_executor(self._threads, call)
        return result


def _inline(job: LocalJob) -> bool:
    """Whether clients expect this job's result as the answer to its creation: only JSON is."""
    return job.result_urn is None and is_json(job.result_content_type or "")


def _name(netloc: str) -> str:
    """The host of `host:port`, lower case."""
    return re.sub(r":\d+\Z", "", netloc).lower()


def _seconds(text: str) -> float:
    """A `Timeout` header; clients send `3.0` as well as `3`, and what cannot be read asks for nothing."""
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0 < value < 1e9 else 0.0
