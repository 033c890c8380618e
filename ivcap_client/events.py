"""What a job tells while it runs, for `for` and `async for`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import ivcap_client
from ivcap_client._core import following, jobs
from ivcap_client._core.events import Event
from ivcap_client._core.port import Port, run

__all__ = ["Event", "EventStream"]


class EventStream:
    """Events of one job, in order, each once."""

    def __init__(self, job: ivcap_client.Job, after: str, timeout: float | None) -> None:
        self._job, self._timeout = job, timeout
        self._follower: following.Follower | None = None
        self._after = after
        self._deadline: float | None = None

    @property
    def streaming(self) -> bool | None:
        """Whether events come as they happen; `False`: only the status, by polling; `None`: not known yet."""
        return self._follower.streaming if self._follower else None

    def __iter__(self) -> Iterator[Event]:
        try:
            while (event := run(self._next(self._job._port))) is not None:
                yield event
        finally:
            run(self._close())

    async def __aiter__(self) -> AsyncIterator[Event]:
        try:
            while (event := await self._next(self._job._async_port)) is not None:
                yield event
        finally:
            await self._close()

    async def next_async(self, *, timeout: float | None = None) -> Event | None:
        """The next event, `None` after the last. `IvcapTimeout` when `timeout` seconds are over; then call it again."""
        port = self._job._async_port
        follower = await self._begun(port)
        return await follower.next(port, deadline=None if timeout is None else port.now() + timeout)

    async def close_async(self) -> None:
        """End the stream early."""
        await self._close()

    async def _begun(self, port: Port) -> following.Follower:
        if self._follower is None:
            service = self._job.service or await jobs.service_of(port, self._job.id)
            self._deadline = None if self._timeout is None else port.now() + self._timeout
            self._follower = following.Follower(service, self._job.id, after=self._after)
        return self._follower

    async def _next(self, port: Port) -> Event | None:
        follower = await self._begun(port)
        return await follower.next(port, deadline=self._deadline)

    async def _close(self) -> None:
        if self._follower is not None:
            await self._follower.close()
