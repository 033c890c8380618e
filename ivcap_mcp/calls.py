"""A tool call: order the job once, follow it, answer with its result or with a handle to it."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any

import anyio
import mcp_types as t

from ivcap_client import Event, Job
from ivcap_client.exception import IvcapConnectionError, IvcapError, IvcapTimeout, NotConnected, ServerError
from ivcap_mcp import results
from ivcap_mcp.errors import ToolError
from ivcap_mcp.request import Request
from ivcap_mcp.submissions import Submission, submission
from ivcap_mcp.watch import Ended, Failed, News, Polling

if TYPE_CHECKING:
    from ivcap_mcp.backend import Backend

log = logging.getLogger("ivcap_mcp.calls")

FIND_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Pauses between looks for a job whose order got no answer, in seconds."""
SPARE = 2.0
"""Seconds kept for reading the result and writing the answer."""


async def run(backend: Backend, request: Request, service: str, body: Any, wait: float) -> t.CallToolResult:
    """Run a service and wait for it.

    Args:
        backend: The running server.
        request: The call.
        service: URN of the service.
        body: The request object, checked.
        wait: Seconds to wait for the job's end before a handle is the answer.

    Raises:
        ToolError: The job could not be ordered, or did not succeed.
    """
    until = time.monotonic() + min(wait, backend.settings.max_wait)
    intent = submission(backend.ivcap.url, backend.identity, service, body)
    job = await _ordered(backend, request, intent, body)
    await request.report(request.progress.beat(f"job {job.urn} is scheduled"))
    return await follow(backend, request, job, until)


async def follow(backend: Backend, request: Request, job: Job, until: float) -> t.CallToolResult:
    """Watch a job until it ends or `until` (monotonic clock) comes; answer with its result or a handle."""
    try:
        ended = await ended_by(backend, request, job, until)
    except anyio.get_cancelled_exc_class():
        with anyio.CancelScope(shield=True), anyio.move_on_after(5):
            await _left(backend, job)
        raise
    if ended is None:
        backend.note(job.urn, "handle")
        return results.handle(job, list(request.progress.recent), backend.settings.wait)
    answer = await results.finished(backend.ivcap, backend.settings, ended)
    backend.note(job.urn, "delivered")
    return answer


async def ended_by(backend: Backend, request: Request, job: Job, until: float) -> Job | None:
    """The ended job, or `None` when the time was over first. Tells progress meanwhile."""
    if job.ended and job.record.has_result:
        return job
    held: Event | None = None  # the newest thing not told yet: no more than one message per gap is sent
    settings = backend.settings
    async with backend.watchers.listen(job) as news:
        while True:
            now = time.monotonic()
            pause = settings.heartbeat - request.silent_for
            if held is not None:
                pause = settings.progress_gap - request.silent_for
            pause = min(max(pause, 0.0), max(until - now, 0.0))
            one: News | None = None
            with anyio.move_on_after(pause):
                one = await news.receive()
            if isinstance(one, Ended):
                if held is not None:
                    await request.report(request.progress.of(held))
                return one.job
            if isinstance(one, Failed):
                raise one.error
            if isinstance(one, Polling):
                text = "this platform streams no events: only changes of the status are told"
                await request.report(request.progress.beat(text))
            elif one is not None:
                if held is not None and request.silent_for < settings.progress_gap:
                    request.progress.of(held)  # counted and remembered, though not sent
                held = one
                _seen(job, one)
            if held is not None and request.silent_for >= settings.progress_gap:
                await request.report(request.progress.of(held))
                held = None
            elif one is None and held is None and request.silent_for >= settings.heartbeat:
                await request.report(request.progress.beat(_beat(request, job)))
            if time.monotonic() >= until:
                return None


def _seen(job: Job, event: Event) -> None:
    """Keep the handle's idea of the status fresh without asking."""
    if event.status and not job.ended:
        import dataclasses

        job._record = dataclasses.replace(job.record, status=event.status)


def _beat(request: Request, job: Job) -> str:
    last = request.progress.recent[-1] if request.progress.recent else job.status(refresh=False).value
    return f"still running: {last}"


async def _ordered(backend: Backend, request: Request, intent: Submission, body: Any) -> Job:
    """Order the job in a task of its own, so that a cancelled call cannot cut the order off half-way."""
    outcome: list[Job | Exception] = []
    done = anyio.Event()

    async def order() -> None:
        try:
            outcome.append(await _order(backend, intent, body))
        except Exception as error:
            outcome.append(error)
        finally:
            done.set()

    backend.tasks.start_soon(order)
    with anyio.move_on_after(max(request.left - SPARE, 0.1)):
        await done.wait()
    if not outcome:
        raise _unknown(intent, "the platform has not answered the order yet")
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


async def _order(backend: Backend, intent: Submission, body: Any) -> Job:
    try:
        await anyio.to_thread.run_sync(backend.journal.intend, intent)
    except OSError as error:
        raise ToolError(
            "journal",
            f"The journal {backend.journal.path} cannot be written ({error.strerror}), so nothing was ordered: "
            "a job must not be lost.",
            "Tell the user to make room or to correct the permissions.",
        ) from error
    service = backend.ivcap.get_service(intent.service)
    try:
        job = await service.submit_async(body, order=intent.order, key=intent.order)
    except NotConnected:
        raise
    except (IvcapConnectionError, IvcapTimeout, ServerError) as error:
        log.warning("the order %s got no usable answer (%s); looking for its job", intent.id, error)
        found = await _found(backend, intent)
        if found is None:
            raise _unknown(intent, str(error)) from error
        job = found
    log.info("job %s ordered from %s (submission %s)", job.urn, intent.service, intent.id)
    try:
        await anyio.to_thread.run_sync(backend.journal.ordered, intent, job.urn)
    except OSError as error:  # the job runs, so its caller gets it; only its submission's id will not find it
        log.warning("job %s could not be noted in the journal: %s", job.urn, error)
    return job


async def _found(backend: Backend, intent: Submission) -> Job | None:
    """The job of an order whose answer was lost, on a platform that keeps orders."""
    for pause in FIND_PAUSES:
        await anyio.sleep(pause)
        with contextlib.suppress(IvcapError):
            async for job in backend.ivcap.list_jobs(intent.service, limit=50):
                if job.order == intent.order:
                    return job
    return None


def _unknown(intent: Submission, why: str) -> ToolError:
    return ToolError(
        "outcome_unknown",
        f"Whether the job was ordered is not known: {why}. Nothing was sent twice.",
        f'Call get_job with {{"job": "{intent.id}"}} to look for it again before running the service anew.',
    )


async def _left(backend: Backend, job: Job) -> None:
    """The caller went away or cancelled: the job goes on unless the server was told otherwise."""
    backend.note(job.urn, "cancelled")
    if backend.settings.on_cancel == "detach":
        log.info("the call that waited for job %s ended early; the job goes on", job.urn)
        return
    try:
        await job.cancel_async()
        log.info("job %s was cancelled with its call", job.urn)
    except IvcapError as error:
        log.info("job %s goes on, since it could not be cancelled: %s", job.urn, error)
