"""The events of a job as server-sent events, pushed the moment they happen. Source: rest-api §2.10."""

from __future__ import annotations

import asyncio
import time

from . import event_query
from .dispatch import Dispatcher
from .exchanges import Exchange, fail, send_json
from .identity import as_urn, uuid_of
from .job_events import sse
from .job_record import LocalJob
from .refusals import Refusal


class EventStream:
    """Serves the event streams of one dispatcher's jobs."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    async def __call__(self, exchange: Exchange, service: str, job_id: str) -> None:
        """Stream until the job has ended and everything was sent.

        `Last-Event-Id` starts after that event; `max-messages` and `max-wait-time`, where given, end the stream early.
        """
        job = await self._dispatcher.find(job_id)
        if job is None or uuid_of(service, "service") != uuid_of(job.service, "service"):
            await fail(exchange, 404, "no such job", id=as_urn("job", job_id))
            return
        try:
            asked = event_query.read(dict(exchange.query), exchange.headers.get("last-event-id"))
        except Refusal as refusal:
            await send_json(exchange, refusal.status, refusal.body)
            return
        left, after = asked.most, asked.after
        until = None if asked.wait is None else time.monotonic() + asked.wait
        await exchange.begin(200, {"content-type": "text/event-stream", "cache-control": "no-store"})
        gone = asyncio.ensure_future(exchange.gone())
        try:
            with self._dispatcher.changes.watch(job.id) as bell:
                while not gone.done():
                    bell.clear()
                    ended, batch = await self._dispatcher.look(job, after)
                    batch = batch if left is None else batch[:left]
                    if batch:
                        after = str(batch[-1]["SeqID"])
                        await exchange.write(b"".join(map(sse, batch)), more=True)
                    left = None if left is None else left - len(batch)
                    if ended or left == 0 or self._dispatcher.changes.closing:
                        break
                    if until is not None and time.monotonic() >= until:
                        break
                    await self._pause(exchange, bell, gone, until)
        finally:
            gone.cancel()
        await exchange.write(b"", more=False)

    async def ended(self, job_id: str, seconds: float) -> LocalJob | None:
        """Wait for a job's end, at most `seconds`; the job, or `None` when it has not ended."""
        until = time.monotonic() + seconds
        job = await self._dispatcher.find(job_id)
        while job is not None:
            with self._dispatcher.changes.watch(job.id) as bell:
                job = await self._dispatcher.find(job_id)
                if job is None or job.ended:
                    return job
                left = until - time.monotonic()
                if left <= 0 or self._dispatcher.changes.closing:
                    return None
                try:
                    await asyncio.wait_for(bell.wait(), left)
                except TimeoutError:
                    return None
        return None

    async def _pause(
        self, exchange: Exchange, bell: asyncio.Event, gone: asyncio.Future[None], until: float | None
    ) -> None:
        keep_alive = self._dispatcher.limits.keep_alive
        left = keep_alive if until is None else max(0.0, min(keep_alive, until - time.monotonic()))
        rung = asyncio.ensure_future(_rung(bell))
        try:
            done, _ = await asyncio.wait([rung, gone], timeout=left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            rung.cancel()
        if not done and left == keep_alive:
            await exchange.write(b": still here\n\n", more=True)


async def _rung(bell: asyncio.Event) -> None:
    await bell.wait()
