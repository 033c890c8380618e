"""One watcher per job, however many calls wait for it: events in, told to all; the ended job at the end."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from ivcap_client import IVCAP, Event, Job
from ivcap_client.exception import IvcapError, IvcapTimeout, ProtocolError, ResourceNotFound
from ivcap_client.later import later

if TYPE_CHECKING:
    from ivcap_mcp import telemetry
else:
    telemetry = later("ivcap_mcp.telemetry")

log = logging.getLogger("ivcap_mcp.watch")

MOST_TOLD = 200
"""What a job told that is remembered for who comes later."""


@dataclass(frozen=True, slots=True)
class Polling:
    """Told once when a job can only be polled, so that who waits knows why it is quiet."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """The platform cannot be asked at the moment; watching goes on when it can."""

    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The job has ended; `job` was read with its result."""

    job: Job


@dataclass(frozen=True, slots=True)
class Failed:
    """Watching failed; the job may well go on."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Leaving:
    """The server is about to end: nobody should go on waiting."""


News = Event | Polling | Trouble | Ended | Failed | Leaving


@dataclass(slots=True)
class _Watch:
    job: Job
    scope: anyio.CancelScope
    listeners: set[MemoryObjectSendStream[News]] = field(default_factory=set)
    told: list[News] = field(default_factory=list)
    over: bool = False
    quiet: bool = True

    def tell(self, news: News) -> None:
        self.told.append(news)
        del self.told[:-MOST_TOLD]
        for listener in list(self.listeners):
            # Unbounded, so this never blocks: who listens does nothing but take.
            listener.send_nowait(news)


class Watchers:
    """The watchers of one server. Watching stops when nobody listens any more; the job does not.

    Args:
        ivcap: The platform.
        tasks: Where watchers run.
        new_job: Seconds for which a job may be unknown at first.
        first_pause: First pause after a failure, in seconds.
        most_pause: Longest one.
    """

    def __init__(
        self,
        ivcap: IVCAP,
        tasks: TaskGroup,
        *,
        new_job: float = 5.0,
        first_pause: float = 0.25,
        most_pause: float = 5.0,
    ) -> None:
        self._ivcap, self._tasks, self._new_job = ivcap, tasks, new_job
        self._first, self._most = first_pause, most_pause
        self._watches: dict[str, _Watch] = {}
        self._leaving = False

    def leave(self) -> None:
        """Tell all who listen, now or later, that the server is about to end."""
        self._leaving = True
        for watch in list(self._watches.values()):
            watch.tell(Leaving())

    @property
    def watched(self) -> frozenset[str]:
        """URNs of the jobs being watched."""
        return frozenset(self._watches)

    @asynccontextmanager
    async def listen(self, job: Job) -> AsyncIterator[MemoryObjectReceiveStream[News]]:
        """What `job` tells, from its beginning as far as it is remembered."""
        watch = self._watches.get(job.urn)
        if watch is None or watch.over:
            # A handle of its own: what one call makes of its handle is not the others' business.
            own = self._ivcap.job(job.urn, job.service)
            watch = self._watches[job.urn] = _Watch(own, anyio.CancelScope())
            self._tasks.start_soon(self._follow, watch)
        send, receive = anyio.create_memory_object_stream[News](math.inf)
        for news in watch.told:
            send.send_nowait(news)
        if self._leaving:
            send.send_nowait(Leaving())
        watch.listeners.add(send)
        try:
            yield receive
        finally:
            watch.listeners.discard(send)
            send.close()
            receive.close()
            if not watch.listeners:
                watch.scope.cancel()
                self._forget(watch)

    async def _follow(self, watch: _Watch) -> None:
        telemetry.watched(1)
        try:
            with watch.scope:
                await self._followed(watch)
        except Exception as error:
            log.warning("watching %s failed: %s", watch.job.urn, error)
            watch.tell(Failed(error))
        finally:
            telemetry.watched(-1)
            watch.over = True
            self._forget(watch)

    async def _followed(self, watch: _Watch) -> None:
        """Follow over all interruptions; what ends it is the job's end, a refusal, or that nobody listens any more."""
        began, pause = time.monotonic(), self._first
        stream = watch.job.events()
        said = over = False
        try:
            while True:
                try:
                    if over:
                        if (await watch.job.refresh_async()).ended:
                            watch.tell(Ended(watch.job))
                            return
                        log.info("job %s told its end, but is not read as ended yet", watch.job.urn)
                    else:
                        event = await stream.next_async(timeout=30)
                        if stream.streaming is False and not said:
                            said = True
                            watch.tell(Polling())
                        over = event is None
                        if event is not None:
                            watch.tell(event)
                        pause, watch.quiet = self._first, True
                        continue
                except IvcapTimeout:
                    continue  # nothing new in the time allowed
                except ResourceNotFound:
                    # A job just ordered may not be known everywhere yet.
                    if time.monotonic() - began > self._new_job:
                        raise
                    await stream.close_async()
                    stream = watch.job.events()
                except IvcapError as error:
                    if not (error.retryable or isinstance(error, ProtocolError)):
                        raise
                    if watch.quiet:
                        watch.quiet = False
                        watch.tell(Trouble(f"The platform cannot be asked at the moment ({error}); trying again."))
                await anyio.sleep(pause)
                pause = min(pause * 1.5, self._most)
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                await stream.close_async()

    def _forget(self, watch: _Watch) -> None:
        if self._watches.get(watch.job.urn) is watch:
            del self._watches[watch.job.urn]
