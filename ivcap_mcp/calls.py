"""A tool call: order the job once, follow it, answer with its result or with a handle to it."""

from __future__ import annotations

import dataclasses
import logging
import time
from typing import TYPE_CHECKING, Any

import anyio
import mcp_types as t

from ivcap_client import Event, Job
from ivcap_client.exception import ResourceNotFound
from ivcap_mcp import reconciliation, results
from ivcap_mcp.errors import ToolError, tool_error
from ivcap_mcp.inputs import Input
from ivcap_mcp.ordering import Ordered, left, ordered
from ivcap_mcp.request import Request
from ivcap_mcp.watch import Ended, Failed, Leaving, Polling, Trouble

if TYPE_CHECKING:
    from ivcap_mcp.backend import Backend

log = logging.getLogger("ivcap_mcp.calls")

WAITING = frozenset({"pending", "scheduled"})
"""All that an event says which only repeats that a job was ordered."""
NO_EVENTS = "This platform streams no events of this job: only changes of its status are told."


async def run(
    backend: Backend,
    request: Request,
    service: str,
    asked: Input,
    wait: float,
    *,
    key: str | None = None,
    resubmit: bool = False,
) -> t.CallToolResult:
    """Run a service and wait for it.

    Args:
        backend: The running server.
        request: The call.
        service: URN of the service.
        asked: The request object, checked, and what is to be said about it.
        wait: Seconds to wait for the job's end before a handle is the answer.
        key: The caller's own idempotency key: the same key and request are the same job.
        resubmit: The user wants a fresh job, whatever became of an earlier one.

    Raises:
        ToolError: The job could not be ordered, or did not succeed.
    """
    until = time.monotonic() + min(wait, backend.settings.max_wait)
    made = await ordered(backend, request, service, asked.body, key=key, resubmit=resubmit)
    verb = "goes on" if made.attached else "is scheduled"
    request.say(f"job {made.job.urn} {verb}")
    return await follow(backend, request, made.job, until, made, asked.note)


async def follow(
    backend: Backend, request: Request, job: Job, until: float, made: Ordered | None = None, note: str = ""
) -> t.CallToolResult:
    """Watch a job until it ends or `until` (monotonic clock) comes; answer with its result or a handle."""
    about: dict[str, Any] = {} if made is None or not made.note else {"attached": made.attached, "note": made.note}
    if note:
        about["note"] = f"{about['note']} {note}" if about else note
    try:
        ended = await ended_by(backend, request, job, until, told=made is not None and not made.attached)
        if ended is None:
            backend.note(job.urn, "handle")
            return results.handle(job, list(request.progress.recent), backend.settings.wait, about)
        request.doing = "reading the result"
        if made is not None:
            await _learn(backend, made, ended)
        return await delivered(backend, request, ended, about)
    except anyio.get_cancelled_exc_class():
        with anyio.CancelScope(shield=True), anyio.move_on_after(5):
            await left(backend, job, "cancelled")
        raise
    except ToolError:
        raise
    except Exception as error:
        # Looking failed, not the job; one that is not there any more is nobody's.
        backend.note(job.urn, "gone" if isinstance(error, ResourceNotFound) else "cut")
        told = tool_error(error)
        going = f'Job {job.urn} was ordered and goes on: call get_job with {{"job": "{job.urn}"}}.'
        raise ToolError(told.code, told.message, f"{going} {told.next}") from error


async def delivered(backend: Backend, request: Request, job: Job, about: dict[str, Any]) -> t.CallToolResult:
    """The answer for an ended job.

    Raises:
        ToolError: It did not succeed.
    """
    try:
        answer = await results.finished(backend.ivcap, backend.settings, job, about, request.left)
    except ToolError as error:
        backend.note(job.urn, "delivered")
        raise ToolError(error.code, f"{error.message} {about.get('note', '')}".strip(), error.next) from None
    backend.note(job.urn, "delivered")
    return answer


async def ended_by(backend: Backend, request: Request, job: Job, until: float, *, told: bool = False) -> Job | None:
    """The ended job, or `None` when the time was over first. Tells progress meanwhile.

    Args:
        backend: The running server.
        request: The call.
        job: What to wait for.
        until: When to stop waiting, on the monotonic clock.
        told: The client knows already that the job waits for its turn.
    """
    if job.ended and job.record.has_result:
        return job
    until = min(until, request.deadline - backend.settings.reserve)
    request.doing = "still running"
    with anyio.move_on_after(max(until - time.monotonic(), 0.0)):
        async with backend.watchers.listen(job) as news:
            async for one in news:
                if isinstance(one, Event):
                    _seen(job, one)
                    if not (told and one.text in WAITING):
                        request.hear(one)
                elif isinstance(one, Ended):
                    return one.job
                elif isinstance(one, Leaving):
                    return None
                elif isinstance(one, Failed):
                    raise one.error
                elif isinstance(one, Trouble):
                    request.say(one.text)
                elif isinstance(one, Polling):
                    request.say(NO_EVENTS)
    return None


def _seen(job: Job, event: Event) -> None:
    """Keep the handle's idea of the status fresh without asking."""
    if event.status and not job.ended:
        job._record = dataclasses.replace(job.record, status=event.status)


async def _learn(backend: Backend, made: Ordered, ended: Job) -> None:
    """Remember what the first sight of a job that surely is ours tells of its platform."""
    if made.intent is None or ended.order is None:
        return
    known = backend.journal.known_origin(made.intent.origin, made.intent.identity)
    if known.echoes == (ended.order == made.intent.order) and ended.account in (None, known.account):
        return
    quick = ended.requested_at is not None and made.took < backend.settings.find_slack
    ahead = ended.requested_at.timestamp() - made.intent.t0 if quick and ended.requested_at else None
    try:
        await anyio.to_thread.run_sync(reconciliation.learn, backend, made.intent, ended, ahead)
    except OSError as error:
        log.warning("the journal cannot be written: %s", error)
