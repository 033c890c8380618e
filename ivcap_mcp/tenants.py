"""One server per caller, all in one process: nothing that could carry data is shared, because nothing is common.

Catalogue, caches, watchers, journal, tasks, subscriptions and sessions hang on a server (`build_server`), and each
caller has one of their own, over a client of the platform of their own. It is made at their first request and ended
when they have not been seen for a while; their jobs live on the platform.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import TaskGroup
from starlette.applications import Starlette

from ivcap_mcp import telemetry
from ivcap_mcp.auth.caller import Caller
from ivcap_mcp.auth.logins import CallerLogin
from ivcap_mcp.auth.seat import Seat, Seats
from ivcap_mcp.server import IvcapServer

log = logging.getLogger("ivcap_mcp.tenants")

MOST = 1_000
"""Callers with a server at the same time."""
IDLE = 1_800.0
"""Seconds after which a caller's server ends: as long as a session of a legacy client lasts."""
LOOK = 60.0
START = 30.0


class Full(Exception):
    """All places are taken by callers who are using them."""


class Broken(Exception):
    """A caller's server could not start, or ended by a failure; the log says why. The next request tries anew."""


class Tenant:
    """A caller's server.

    Attributes:
        server: It.
        app: Its ASGI app.
        open: Requests that are being answered.
    """

    def __init__(self, mark: str, seat: Seat, server: IvcapServer, app: Starlette) -> None:
        self.mark, self.seat, self.server, self.app = mark, seat, server, app
        self.open, self.used = 0, time.monotonic()
        self.failure: BaseException | None = None
        self._started, self._stop, self._over = anyio.Event(), anyio.Event(), anyio.Event()

    async def live(self) -> None:
        """Run until `stop`."""
        telemetry.callers(1)
        try:
            async with self.seat.ivcap, self.app.router.lifespan_context(self.app):
                self._started.set()
                await self._stop.wait()
        except Exception as error:
            self.failure = error
            log.exception("the server of caller %s failed", self.mark)
        finally:
            telemetry.callers(-1)
            self._started.set()
            self._over.set()

    async def ready(self) -> None:
        """Wait until it has started.

        Raises:
            Broken: It takes too long, or failed.
        """
        try:
            with anyio.fail_after(START):
                await self._started.wait()
        except TimeoutError:
            log.warning("the server of caller %s did not start within %g s", self.mark, START)
            raise Broken from None
        if self.failure is not None:
            raise Broken

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._over.is_set()

    @property
    def given_over(self) -> bool:
        """Whether its caller signed in as somebody else: what it knows is not that person's."""
        return isinstance(self.seat.auth, CallerLogin) and self.seat.auth.given_over

    def stop(self) -> None:
        """End it; its jobs go on."""
        self.server.backend.changes.close()
        self._stop.set()


class Tenants:
    """The servers of all callers.

    Args:
        seats: As whom the platform is asked.
        build: Makes a caller's server over their seat.
        app: Makes its ASGI app.
        most: Servers at the same time.
        idle: Seconds after which one that is not used ends.
    """

    def __init__(
        self,
        seats: Seats,
        build: Callable[[str, Seat], IvcapServer],
        app: Callable[[IvcapServer], Starlette],
        *,
        most: int = MOST,
        idle: float = IDLE,
    ) -> None:
        self._seats, self._build, self._app = seats, build, app
        self._most, self._idle = most, idle
        self._tenants: dict[str, Tenant] = {}
        self._tasks: TaskGroup | None = None

    @property
    def all(self) -> tuple[Tenant, ...]:
        """Those there are now."""
        return tuple(self._tenants.values())

    def spawn(self, work: Callable[..., Coroutine[Any, Any, None]], *given: Any) -> None:
        """Start what is nobody's server, and ends with all of them."""
        if self._tasks is None:
            raise RuntimeError("the app got no lifespan events, which start its work")
        self._tasks.start_soon(work, *given)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Their lifetime."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            tasks.start_soon(self._sweep)
            try:
                yield
            finally:
                for tenant in self.all:
                    tenant.stop()
                with anyio.move_on_after(5, shield=True):
                    for tenant in self.all:
                        await tenant._over.wait()
                tasks.cancel_scope.cancel()

    @asynccontextmanager
    async def serving(self, mark: str, caller: Caller | None) -> AsyncIterator[Tenant | None]:
        """The server of a caller, while a request of theirs is answered; `None` if only they could open it.

        Raises:
            Full: There is no room for another one.
            Broken: It could not start.
        """
        tenant = self._tenants.get(mark)
        if tenant is not None and tenant.given_over:
            self._end(tenant)
            tenant = None
        if tenant is None or tenant.over:
            tenant = self._opened(mark, caller)
        if tenant is None:
            yield None
            return
        tenant.open += 1
        try:
            await tenant.ready()
            if tenant.over:
                raise Full
            if caller is not None and tenant.seat.auth is not None:
                await tenant.seat.auth.seen(caller)
            yield tenant
        finally:
            tenant.open -= 1
            tenant.used = time.monotonic()

    def _opened(self, mark: str, caller: Caller | None) -> Tenant | None:
        if self._tasks is None:
            raise RuntimeError("the app got no lifespan events, which start its work")
        if len(self._tenants) >= self._most:
            self._make_room()
        try:
            seat = self._seats.seat(mark, caller)
            if seat is None:
                return None
            server = self._build(mark, seat)
            tenant = self._tenants[mark] = Tenant(mark, seat, server, self._app(server))
        except Exception:
            log.exception("the server of caller %s cannot be made", mark)
            raise Broken from None
        self._tasks.start_soon(tenant.live)
        log.info("caller %s has a server now; there are %d", mark, len(self._tenants))
        return tenant

    def _make_room(self) -> None:
        unused = sorted((tenant for tenant in self.all if not tenant.open), key=lambda tenant: tenant.used)
        if not unused:
            raise Full
        self._end(unused[0])

    def _end(self, tenant: Tenant) -> None:
        del self._tenants[tenant.mark]
        tenant.stop()

    async def _sweep(self) -> None:
        while True:
            await anyio.sleep(min(LOOK, self._idle))
            since = time.monotonic() - self._idle
            for tenant in self.all:
                if tenant.over or (not tenant.open and tenant.used < since):
                    self._end(tenant)
