"""From a call to its job: ordered once, or the one it has already, or an honest "not known"."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from ivcap_client import Job, LocalIVCAP
from ivcap_client.exception import (
    ConfigError,
    InvalidInput,
    IvcapApiError,
    IvcapError,
    NotConnected,
    NotInLocalMode,
    ResourceNotFound,
)
from ivcap_mcp import reconciliation
from ivcap_mcp.errors import ToolError
from ivcap_mcp.request import Request
from ivcap_mcp.submissions import Attached, Differs, Ordering, Submission, submission

if TYPE_CHECKING:
    from ivcap_mcp.backend import Backend

log = logging.getLogger("ivcap_mcp.calls")

AGAIN = 'For a fresh job call run_service with "resubmit": true.'
ATTACHED = (
    f"attached: true. An identical call ended before its job did; this is that job, nothing new was ordered. {AGAIN}"
)
SAME_KEY = "attached: true. The key stands for this job; nothing new was ordered. For a fresh job use another key."
BY_CONTENT = (
    "The answer to the order was lost, and this platform does not keep our mark on jobs: this job was found by its "
    "input alone. A twin that somebody sent at the same moment could not be told apart."
)


@dataclass(frozen=True, slots=True)
class Ordered:
    """The job of a call.

    Attributes:
        job: It; not looked at yet.
        attached: It was ordered by an earlier call.
        note: What the answer must say about that; empty for a job ordered in the usual way.
        intent: The order that made it, where its answer came back.
        took: Seconds until that answer came.
    """

    job: Job
    attached: bool = False
    note: str = ""
    intent: Submission | None = None
    took: float = 0.0


async def ordered(
    backend: Backend, request: Request, service: str, body: Any, *, key: str | None = None, resubmit: bool = False
) -> Ordered:
    """The job that a call is to follow: a new one, or the one it has already.

    Args:
        backend: The running server.
        request: The call; it ends in time whatever the platform does.
        service: URN of the service.
        body: The request object, checked.
        key: The caller's own idempotency key.
        resubmit: Neither attach nor look again: the user wants a fresh job.

    Raises:
        ToolError: Nothing was ordered, or whether a job was ordered is not known.
    """
    settings = backend.settings
    intent = submission(backend.ivcap.url, backend.identity, service, body, key, lasts=settings.max_wait)
    pause = 0.05
    while True:
        begun = await _begun(backend, intent, key is not None, resubmit)
        if isinstance(begun, Ordering):
            return await _ordered(backend, request, begun.intent, body, key=None if resubmit else key)
        if isinstance(begun, Attached):
            job = backend.ivcap.job(begun.job, service)
            if await _is_nobodys(backend, job, keyed=key is not None):
                continue
            log.info("a repeated call is attached to job %s", begun.job)
            words = SAME_KEY if key is not None else ATTACHED
            words = f"{words} {BY_CONTENT}" if begun.by == "content" else words
            return Ordered(job, True, words)
        if isinstance(begun, Differs):
            raise _differs(key, begun.job)
        request.doing = "finding out what became of an earlier order of the same"
        if begun.busy:
            if request.left - settings.reserve <= pause:
                raise unknown(begun.intent, "its order is still under way")
            await anyio.sleep(pause)
            pause = min(pause * 2, 1.0)
        else:
            await looked_for(backend, request, begun.intent)


async def _is_nobodys(backend: Backend, job: Job, *, keyed: bool) -> bool:
    """Whether the job that a repeated call would get is not there any more, or was ended on request; a key names it."""
    try:
        await job.refresh_async()
    except ResourceNotFound:
        log.info("job %s is not there any more: the call gets another", job.urn)
        await anyio.to_thread.run_sync(backend.note, job.urn, "gone")
        return True
    except IvcapError as error:
        log.info("job %s could not be looked at before it is followed: %s", job.urn, error)
    if job.cancelled and not keyed:
        await anyio.to_thread.run_sync(backend.note, job.urn, "delivered")
        return True
    return False


async def looked_for(backend: Backend, request: Request | None, intent: Submission) -> Job:
    """Look once more for the job of an order without an answer.

    Raises:
        ToolError: It was not found.
    """
    settings = backend.settings
    patience = settings.find_for if request is None else min(settings.find_for, request.left - settings.reserve)
    found = await reconciliation.find(backend, intent, max(patience, 0.0))
    if found is None:
        await _written(backend, backend.journal.became, intent, "unknown")
        raise unknown(intent, "no job of this order was found")
    await _written(backend, backend.journal.cut_off, intent)
    return found.job


def unknown(intent: Submission, why: str) -> ToolError:
    """The error for an order whose outcome is not known."""
    return ToolError(
        "outcome_unknown",
        f"Whether the job was ordered is not known: {why}. Nothing was sent twice. Submission: {intent.id}.",
        f'Call get_job with {{"job": "{intent.id}"}} to look for it again. If the user decides to order it anew, at '
        'the risk of a second job, call run_service with the same input and "resubmit": true.',
    )


async def _begun(backend: Backend, intent: Submission, keyed: bool, resubmit: bool) -> Any:
    try:
        return await anyio.to_thread.run_sync(lambda: backend.journal.begin(intent, keyed=keyed, resubmit=resubmit))
    except OSError as error:
        raise ToolError(
            "journal",
            f"The journal {backend.journal.path} cannot be written ({error.strerror}), so nothing was ordered: "
            "a job must not be lost.",
            "Tell the user to make room or to correct the permissions.",
        ) from error


def _differs(key: str | None, job: str | None) -> ToolError:
    return ToolError(
        "conflict",
        f"The key {key!r} stands for another input" + (f", that of job {job}." if job else ", whose job is not known."),
        "Use another key for another input.",
    )


async def _ordered(backend: Backend, request: Request, intent: Submission, body: Any, key: str | None) -> Ordered:
    """Order the job in a task of its own, so that a cancelled call cannot cut the order off half-way."""
    order = _Order(backend, intent, body, key)
    request.doing = "ordering the job"
    backend.tasks.start_soon(order.run)
    try:
        with anyio.move_on_after(max(request.left - backend.settings.reserve, 0.1)):
            await order.answered.wait()
            if order.lost:
                request.doing = order.lost
                request.say(order.lost)
            await order.done.wait()
    except anyio.get_cancelled_exc_class():
        order.nobody_waits("cancelled")
        raise
    if isinstance(order.outcome, Exception):
        raise order.outcome
    if order.outcome is None:
        order.nobody_waits("cut")
        raise unknown(intent, order.lost or "the platform has not answered the order yet")
    return order.outcome


class _Order:
    """One order under way, which goes on to its end even if its call does not."""

    def __init__(self, backend: Backend, intent: Submission, body: Any, key: str | None) -> None:
        self._backend, self._intent, self._body, self._key = backend, intent, body, key
        self._left = ""
        self.outcome: Ordered | Exception | None = None
        self.lost = ""
        self.answered, self.done = anyio.Event(), anyio.Event()

    def nobody_waits(self, why: str) -> None:
        """The call has ended; its job, if there is one, is for a repeated call."""
        self._left = why
        self._backend.note_left(self._intent, why)

    async def run(self) -> None:
        try:
            self.outcome = await self._order()
        except Exception as error:
            self.outcome = error
        finally:
            self.answered.set()
            self.done.set()
        if self._left and isinstance(self.outcome, Ordered):
            await left(self._backend, self.outcome.job, self._left)
        elif self._left and isinstance(self.outcome, Exception):
            log.info("the order of submission %s ended: %s", self._intent.id, self.outcome)

    async def _order(self) -> Ordered:
        backend, intent = self._backend, self._intent
        if self._key is not None and (earlier := await self._elsewhere()) is not None:
            log.info("job %s was ordered with the same key by another server", earlier.urn)
            return Ordered(earlier, True, SAME_KEY)
        began = time.monotonic()
        job, why = await self._sent()
        if job is not None:
            log.info("job %s ordered from %s (submission %s)", job.urn, intent.service, intent.id)
            await _written(backend, backend.journal.ordered, intent, job.urn)
            return Ordered(job, intent=intent, took=time.monotonic() - began)
        self.lost = f"the answer to the order was lost ({why}); its job is being looked for"
        self.answered.set()
        log.warning("the order of submission %s got no usable answer: %s", intent.id, why)
        await _written(backend, backend.journal.became, intent, "lost")
        found = await reconciliation.find(backend, intent, backend.settings.find_for)
        if found is not None:
            return Ordered(found.job, note=BY_CONTENT if found.by == "content" else "")
        await _written(backend, backend.journal.became, intent, "unknown")
        await _written(backend, backend.journal.left, intent, "cut")
        raise unknown(intent, why)

    async def _elsewhere(self) -> Job | None:
        """The job of the same key that another server ordered; an error where its input differs or nobody knows."""
        backend, intent = self._backend, self._intent
        if isinstance(backend.ivcap, LocalIVCAP):
            return None  # it takes one key for one job itself
        try:
            found = await reconciliation.of_key(backend, intent)
        except IvcapError:
            await _written(backend, backend.journal.became, intent, "refused")
            raise
        if found is not None and isinstance(found.request, dict) and found.request != self._body:
            await _written(backend, backend.journal.became, intent, "refused")
            raise _differs(self._key, found.urn)
        return found

    async def _sent(self) -> tuple[Job | None, str]:
        """The job, or why it is not known whether there is one. Sent again only where no connection was made."""
        backend, intent = self._backend, self._intent
        service = backend.ivcap.get_service(intent.service)
        job: Job | None = None
        try:
            with anyio.move_on_after(backend.settings.order_timeout):
                job = await service.submit_async(self._body, order=intent.order, key=intent.order)
        except (NotConnected, InvalidInput, ConfigError, NotInLocalMode):
            await _written(backend, backend.journal.became, intent, "refused")
            raise
        except IvcapApiError as error:
            if error.status_code < 500:
                await _written(backend, backend.journal.became, intent, "refused")
                raise
            if isinstance(backend.ivcap, LocalIVCAP):
                # Nothing lies between us and the embedded platform, where an answer could be made or lost.
                found = await reconciliation.of_order(backend, intent)
                if found is None:
                    await _written(backend, backend.journal.became, intent, "refused")
                    raise
                return found, ""
            return None, str(error)
        except Exception as error:
            # Whatever broke, it broke after the order may have left.
            return None, str(error) or type(error).__name__
        return job, "" if job else f"the platform did not answer within {backend.settings.order_timeout:g} s"


async def left(backend: Backend, job: Job, why: str) -> None:
    """A call has gone: its job goes on, unless the server was told otherwise and is not itself about to end."""
    backend.note(job.urn, why)
    if backend.settings.on_cancel == "detach" or backend.stopping or why != "cancelled":
        log.info("the call that waited for job %s ended early; the job goes on", job.urn)
        return
    try:
        await job.cancel_async()
        log.info("job %s was cancelled with its call", job.urn)
    except IvcapError as error:
        log.info("job %s goes on, since it could not be cancelled: %s", job.urn, error)


async def _written(backend: Backend, write: Any, *what: Any) -> None:
    """Write to the journal what has happened already: if that fails, the call must not."""
    try:
        await anyio.to_thread.run_sync(write, *what)
    except OSError as error:
        log.warning("the journal %s cannot be written: %s", backend.journal.path, error)
