"""Following a job to its end: its event stream, opened again when it breaks, and polling where there is none."""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import Callable

from ivcap_client._core import jobs
from ivcap_client._core.call import open_body
from ivcap_client._core.events import Event, EventParser
from ivcap_client._core.jobs import ENDED, JobRecord
from ivcap_client._core.messages import Body, Request
from ivcap_client._core.port import Port
from ivcap_client._core.retry import WORTH_A_TRY
from ivcap_client.exception import IvcapApiError, IvcapConnectionError, IvcapError, IvcapTimeout, NotInLocalMode
from ivcap_client.urns import identifier, quoted

KEEP_ALIVE = 45.0
"""Seconds without a byte after which a stream counts as dead: platforms send a comment more often than that."""

PATIENCE = 60.0
"""Seconds for which a platform that cannot be reached is asked again: jobs outlive its restarts."""

LAST_LOOK = 5.0
"""Seconds a look at the job may take when the time for waiting is over."""


class Follower:
    """Follows one job to its end, one `next` after the other.

    Events come from the platform's stream, which is opened again from the last one seen when it breaks. Where the
    platform has no stream, or refuses it, the status is polled; `streaming` tells which it is.
    """

    def __init__(
        self, service: str, job: str, *, after: str = "", first_pause: float = 0.25, most_pause: float = 5.0
    ) -> None:
        self.service, self.job = service, job
        self.streaming: bool | None = None
        self.status = ""
        self._after, self._parser = after, EventParser()
        self._body: Body | None = None
        self._within, self._silent = KEEP_ALIVE, False  # read time-out of the open stream; whether it ran out
        self._waiting: deque[Event] = deque()
        self._first, self._most = first_pause, most_pause
        self._pause, self._cuts = first_pause, 0
        self._lost_since: float | None = None

    @property
    def ended(self) -> bool:
        """Whether an end was told."""
        return self.status in ENDED

    async def next(self, port: Port, *, deadline: float | None = None) -> Event | None:
        """The next event, or `None` when the job has ended and everything it told was returned.

        Raises:
            IvcapTimeout: The deadline (on the port's clock) came first; following can go on.
            IvcapError: The platform refused, or could not be reached for `PATIENCE` seconds.
        """
        while True:
            if self._waiting:
                return self._taken(self._waiting.popleft())
            if self.ended:
                await self.close()
                return None
            if deadline is not None and port.now() >= deadline:
                raise IvcapTimeout(f"job {self.job} told nothing new in time")
            if self.streaming is False:
                await self._poll(port, deadline)
            else:
                await self._read(port, deadline)

    async def close(self) -> None:
        """Let go of the stream. Following can go on: it is opened again."""
        body, self._body = self._body, None
        if body is not None:
            await body.close()

    def _taken(self, event: Event) -> Event:
        self._after = event.seq or self._after
        self.status = event.status or self.status
        return event

    async def _read(self, port: Port, deadline: float | None) -> None:
        left = math.inf if deadline is None else deadline - port.now()
        if self._body is not None and left < self._within:
            await self.close()
        try:
            body = self._body
            if body is None:
                # The read time-out is fixed now, and may not overshoot the deadline after a later piece. With
                # half of what is left, the stream is opened again a logarithmic number of times at most.
                self._within = min(KEEP_ALIVE, left if self._silent else max(left / 2, 0.1))
                body = self._body = await self._open(port, deadline)
                self._parser = EventParser()
                self.streaming = True
            piece = await body.read()
        except IvcapTimeout:
            # Nothing came for long: either the deadline is near, or the line is dead; a new one shows which.
            self._silent = True
            await self.close()
            if deadline is None or port.now() < deadline:
                await self._poll(port, deadline, pause=False)
            return
        except IvcapConnectionError:
            piece = b""
        except IvcapApiError as refused:
            if refused.status_code not in WORTH_A_TRY | {204}:
                self.streaming = False  # no stream here, or not for us: 403, 404, 501 and the like
                return
            piece, self._cuts = b"", max(self._cuts, 1)
        except NotInLocalMode:
            self.streaming = False
            return
        if piece:
            self._cuts, self._pause, self._lost_since, self._silent = 0, self._first, None, False
            # A platform that ignores Last-Event-Id tells everything again.
            self._waiting.extend(event for event in self._parser.feed(piece) if not _before(event.seq, self._after))
        else:
            await self.close()
            # The first time, what is missing comes from the stream opened again; after that the job itself is looked
            # at, with a longer pause each time nothing came in between.
            self._cuts += 1
            if self._cuts > 1:
                await self._poll(port, deadline)

    async def _open(self, port: Port, deadline: float | None) -> Body:
        what = "follow job"
        path = f"/1/services2/{quoted(identifier(self.service, what))}/jobs/{quoted(identifier(self.job, what))}/events"
        # Not encoded: what is compressed is held back until there is enough of it.
        headers = {"accept": "text/event-stream", "cache-control": "no-cache", "accept-encoding": "identity"}
        headers |= {"last-event-id": self._after} if self._after else {}
        body = await open_body(
            port, Request("GET", path, headers=headers, what=what, timeout=self._within, deadline=deadline)
        )
        if body.status == 204 or not body.headers.get("content-type", "").startswith("text/event-stream"):
            await body.close()
            raise IvcapApiError(what, 204 if body.status == 204 else 406, detail="the reply is no stream of events")
        return body

    async def _poll(self, port: Port, deadline: float | None, *, pause: bool = True) -> None:
        if pause:
            left = self._pause if deadline is None else min(self._pause, deadline - port.now())
            await port.sleep(max(left, 0.0))
            self._pause = min(self._pause * 1.5, self._most)
        try:
            seen = await jobs.read(port, self.service, self.job, result=False, deadline=deadline)
        except (IvcapConnectionError, IvcapTimeout, IvcapApiError) as failure:
            self._bear(port, failure)
            return
        self._lost_since = None
        if seen.status != self.status:
            data = {"job-urn": self.job, "status": seen.status}
            self._waiting.append(Event("", "ivcap.job.status", "urn:ivcap:schema:job.status.1", data))

    def _bear(self, port: Port, failure: IvcapError) -> None:
        """Let a failure pass that may be over soon; the caller pauses, and asks again."""
        now = port.now()
        self._lost_since = now if self._lost_since is None else self._lost_since
        if not failure.retryable or now - self._lost_since >= PATIENCE:
            raise failure


def _before(seq: str, after: str) -> bool:
    """Whether `seq` was passed already: positions are numbers, zero-padded, or text that only equality tells apart."""
    if seq.isdecimal() and after.isdecimal():
        return int(seq) <= int(after)
    return bool(seq) and seq == after


async def wait(
    port: Port,
    service: str,
    job: str,
    *,
    timeout: float | None,
    tell: Callable[[Event], None] | None = None,
    fresh: bool = False,
) -> JobRecord:
    """Follow a job until it has ended, then read it whole.

    Args:
        port: Way to the platform.
        service: URN of its service.
        job: URN of the job.
        timeout: Seconds; `None` waits without limit. Never overshot by more than the last request.
        tell: Called with each `Event`.
        fresh: The job was ordered just now, so that it need not be looked at before it is followed.

    Returns:
        The ended job with its result; or, when the time was over first, the job as it was last seen.
    """
    began = port.now()
    deadline = None if timeout is None else began + timeout
    seen = JobRecord(job, "scheduled", service=service)
    if not fresh:
        seen = await jobs.read(
            port, service, job, deadline=None if deadline is None else max(deadline, began + LAST_LOOK)
        )
        if seen.ended:
            return seen
    follower = Follower(service, job)
    try:
        while (event := await follower.next(port, deadline=deadline)) is not None:
            if tell is not None:
                tell(event)
    except IvcapTimeout:
        if deadline is None or port.now() < deadline:
            raise
        return dataclasses.replace(seen, status=follower.status or seen.status)
    finally:
        await follower.close()
    return await jobs.read(
        port, service, job, deadline=None if deadline is None else max(deadline, port.now() + LAST_LOOK)
    )
