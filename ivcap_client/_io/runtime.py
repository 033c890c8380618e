"""The two ports: one blocks, one awaits. Both speak through the same kind of transport."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar

from ivcap_client._core.messages import BlockingBody, Body, Request, Response
from ivcap_client._core.port import Target

P = ParamSpec("P")
T = TypeVar("T")


class Transport(Protocol):
    """Carries requests to a platform, for blocking and for async callers."""

    def send(self, request: Request) -> Response: ...
    def open(self, request: Request) -> BlockingBody: ...
    async def send_async(self, request: Request) -> Response: ...
    async def open_async(self, request: Request) -> Body: ...
    def close(self) -> None: ...
    async def close_async(self) -> None: ...


class Once:
    """Does work for all who ask for it at the same time: one does it, the others get its outcome. One per client."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[tuple[int, str], _Running] = {}

    def do(self, key: str, work: Callable[[], T]) -> T:
        """Do it, or wait for the one who does it.

        Raises:
            BaseException: What the work raised, in all who waited for it.
            RuntimeError: The work asked for itself, and would wait for ever.
        """
        # What another process was doing when this one was forked from it never ends here.
        place = (os.getpid(), key)
        while True:
            with self._lock:
                running = self._running.get(place)
                if running is None:
                    mine = self._running[place] = _Running()
                    break
            if running.thread == threading.get_ident():
                raise RuntimeError("a credential's renew() made a request that needs the credential it was to renew")
            running.over.wait()
            if running.failure is not None:
                raise running.failure
            if running.outcome:
                return running.outcome[0]  # type: ignore[no-any-return]
        try:
            mine.outcome.append(work())
            return mine.outcome[0]  # type: ignore[no-any-return]
        except Exception as failure:
            mine.failure = failure
            raise
        finally:
            # An interrupt of this thread leaves neither outcome nor failure: one of the others then does the work.
            with self._lock:
                del self._running[place]
            mine.over.set()


class _Running:
    """Work being done, and what came of it."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.over = threading.Event()
        self.outcome: list[Any] = []
        self.failure: Exception | None = None


class BlockingPort:
    """Answers in place: a coroutine of the core that awaits only this never suspends."""

    def __init__(self, target: Target, transport: Transport, once: Once) -> None:
        self.target, self._transport, self._once = target, transport, once

    async def send(self, request: Request) -> Response:
        return self._transport.send(request)

    async def open(self, request: Request) -> Body:
        return _Awaitable(self._transport.open(request))

    async def offload(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return work(*args, **kwargs)

    async def exchange(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return work(*args, **kwargs)

    def wire(self, request: Request) -> Response:
        return self._transport.send(request)

    async def once(self, key: str, work: Callable[[], T]) -> T:
        return self._once.do(key, work)

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - blocking is what this port is for

    def now(self) -> float:
        return time.monotonic()


class _Awaitable:
    """A blocking body under the names of an awaitable one."""

    def __init__(self, body: BlockingBody) -> None:
        self._body, self.status, self.headers = body, body.status, body.headers

    async def read(self, size: int = 65536) -> bytes:
        return self._body.read(size)

    async def close(self) -> None:
        self._body.close()


class AsyncPort:
    """Awaits under whatever event loop runs; blocking work goes to a worker thread."""

    def __init__(self, target: Target, transport: Transport, once: Once) -> None:
        self.target, self._transport, self._once = target, transport, once

    async def send(self, request: Request) -> Response:
        return await self._transport.send_async(request)

    async def open(self, request: Request) -> Body:
        return await self._transport.open_async(request)

    async def offload(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        from functools import partial

        from anyio import to_thread

        return await to_thread.run_sync(partial(work, *args, **kwargs))

    async def exchange(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        from functools import partial

        from anyio import to_thread

        return await to_thread.run_sync(partial(work, *args, **kwargs), abandon_on_cancel=True)

    def wire(self, request: Request) -> Response:
        return self._transport.send(request)

    async def once(self, key: str, work: Callable[[], T]) -> T:
        # Who is cancelled leaves it to the others: renewing a credential may take as long as a time-out.
        return await self.exchange(self._once.do, key, work)

    async def sleep(self, seconds: float) -> None:
        import anyio

        await anyio.sleep(seconds)

    def now(self) -> float:
        return time.monotonic()
