"""One watcher per job, however many calls wait for it: events in, told to all; the ended job at the end."""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from ivcap_client import IVCAP, Event, Job
from ivcap_client.exception import IvcapTimeout

log = logging.getLogger("ivcap_mcp.watch")


@dataclass(frozen=True, slots=True)
class Polling:
    """Told once when a job can only be polled, so that who waits knows why it is quiet."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The job has ended; `job` was read with its result."""

    job: Job


@dataclass(frozen=True, slots=True)
class Failed:
    """Watching failed; the job may well go on."""

    error: Exception


News = Event | Polling | Ended | Failed


@dataclass(slots=True)
class _Watch:
    job: Job
    scope: anyio.CancelScope
    listeners: set[MemoryObjectSendStream[News]] = field(default_factory=set)
    told: list[News] = field(default_factory=list)
    over: bool = False

    def tell(self, news: News) -> None:
        self.told.append(news)
        del self.told[:-200]
        for listener in list(self.listeners):
            # Unbounded, so this never blocks: what a job tells is bounded by its listener's patience, not by a buffer.
            listener.send_nowait(news)


class Watchers:
    """The watchers of one server. Watching stops when nobody listens any more; the job does not."""

    def __init__(self, ivcap: IVCAP, tasks: TaskGroup) -> None:
        self._ivcap, self._tasks = ivcap, tasks
        self._watches: dict[str, _Watch] = {}

    @property
    def watched(self) -> frozenset[str]:
        """URNs of the jobs being watched."""
        return frozenset(self._watches)

    @asynccontextmanager
    async def listen(self, job: Job) -> AsyncIterator[MemoryObjectReceiveStream[News]]:
        """What `job` tells, from its beginning as far as it is remembered."""
        watch = self._watches.get(job.urn)
        if watch is None or watch.over:
            watch = self._watches[job.urn] = _Watch(job, anyio.CancelScope())
            self._tasks.start_soon(self._follow, watch)
        send, receive = anyio.create_memory_object_stream[News](math.inf)
        for news in watch.told:
            send.send_nowait(news)
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
        stream = watch.job.events()
        try:
            with watch.scope:
                said = False
                while True:
                    try:
                        event = await stream.next_async(timeout=30)
                    except IvcapTimeout:
                        continue
                    if stream.streaming is False and not said:
                        said = True
                        watch.tell(Polling())
                    if event is None:
                        break
                    watch.tell(event)
                watch.tell(Ended(await watch.job.refresh_async()))
        except Exception as error:
            log.warning("watching %s failed: %s", watch.job.urn, error)
            watch.tell(Failed(error))
        finally:
            watch.over = True
            self._forget(watch)
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                await stream.close_async()

    def _forget(self, watch: _Watch) -> None:
        if self._watches.get(watch.job.urn) is watch:
            del self._watches[watch.job.urn]
