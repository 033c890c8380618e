"""An order whose answer was lost → its job: by the order it carries, else by its content, since it was sent."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from ivcap_client import Job
from ivcap_client.exception import IvcapError
from ivcap_mcp.submissions import Origin, Submission, canonical_hash

if TYPE_CHECKING:
    from ivcap_mcp.backend import Backend

log = logging.getLogger("ivcap_mcp.calls")

FACTOR, MOST_PAUSE = 1.7, 5.0
LISTED, MOST_LISTED, MOST_READS = 50, 200, 60
"""Jobs of the service looked at, jobs of all services looked at, and jobs read in one search."""
MOST_OLDER = 3
"""Jobs in a row from before the order after which a list, the newest first, is not read on."""


@dataclass(frozen=True, slots=True)
class Found:
    """The job, and how it is known: by its `order`, which no other job carries, or by its `content` alone."""

    job: Job
    by: str


async def find(backend: Backend, intent: Submission, patience: float) -> Found | None:
    """Look for the job of an order, and make it the submission's.

    The platform is looked at again and again with growing pauses, since its lists may lag behind. Where it is not
    known to keep orders, a job of the same service since then with the same request counts too, of the same account and
    of no other submission of ours; but only when lists had time to show the one with our order.

    Args:
        backend: The running server.
        intent: What was ordered.
        patience: Seconds; one look is made in any case.
    """
    settings = backend.settings
    known = await anyio.to_thread.run_sync(backend.journal.origin, intent.origin, intent.identity)
    search = _Search(backend, intent, known)
    began, pause = time.monotonic(), settings.find_pause
    while True:
        found: Found | None = None
        with anyio.move_on_after(settings.look_timeout):
            found = await search.by_order()
        passed = time.monotonic() - began
        if found is None and known.echoes is not True and passed >= min(settings.find_settle, patience):
            with anyio.move_on_after(settings.look_timeout):
                found = await search.by_content()
        if found is not None and await anyio.to_thread.run_sync(_claim, backend, intent, found):
            log.info("job %s of submission %s was found by its %s", found.job.urn, intent.id, found.by)
            return found
        left = patience - (time.monotonic() - began)
        if left <= 0:
            return None
        # The last look comes at the very end: what appears late is not missed for the length of a pause.
        await anyio.sleep(min(pause, left))
        pause = min(pause * FACTOR, MOST_PAUSE, max(patience / 4, settings.find_pause))


async def of_order(backend: Backend, intent: Submission) -> Job | None:
    """The job of an order, by one look at a platform whose lists do not lag and that keeps orders.

    Raises:
        IvcapError: The look failed.
    """
    async for job in backend.ivcap.list_jobs(intent.service, limit=LISTED):
        if job.order == intent.order:
            return job
    return None


async def of_key(backend: Backend, intent: Submission) -> Job | None:
    """The job that another server ordered under the caller's key. Its journal is not ours, but the order is called the
    same, since the key names it; so one look before ordering is what makes a key stand for one job on all replicas.

    Raises:
        IvcapError: The look failed: nothing was ordered.
    """
    known = await anyio.to_thread.run_sync(backend.journal.origin, intent.origin, intent.identity)
    if known.echoes is False:
        return None
    async for job in backend.ivcap.list_jobs(intent.service, limit=MOST_LISTED):
        if job.order == intent.order:
            found = await backend.ivcap.job(job.urn, intent.service).refresh_async()
            await anyio.to_thread.run_sync(_claim, backend, intent, Found(found, "order"))
            return found
    return None


def _claim(backend: Backend, intent: Submission, found: Found) -> bool:
    try:
        won = backend.journal.claim(intent, found.job.urn, found.by)
        if won and found.by == "order":
            learn(backend, intent, found.job)
    except OSError as error:
        log.warning("the journal cannot be written: %s", error)
        return found.by == "order"  # nobody else's in any case
    return won


def learn(backend: Backend, intent: Submission, job: Job, ahead: float | None = None) -> None:
    """Remember what a job that is surely ours shows: whether orders are kept, whose jobs these are, what time it is.

    Args:
        backend: The running server.
        intent: What was ordered.
        job: The job as it was read.
        ahead: Seconds by which the platform's clock seems to be ahead; `None` where that cannot be told.
    """
    before = backend.journal.origin(intent.origin, intent.identity)
    echoes = before.echoes if job.order is None else job.order == intent.order
    # Below the slack it is the way of the request, not the clock.
    same = ahead is None or abs(ahead - before.offset) < backend.settings.find_slack
    offset = before.offset if same or ahead is None else round(ahead, 1)
    backend.journal.learn(intent.origin, intent.identity, Origin(echoes, job.account or before.account, offset))


@dataclass(slots=True)
class _Search:
    backend: Backend
    intent: Submission
    known: Origin
    read: dict[str, Job] = field(default_factory=dict)

    @property
    def since(self) -> float:
        return self.intent.t0 + self.known.offset - self.backend.settings.find_slack

    async def by_order(self) -> Found | None:
        """In the service's list, and in the jobs themselves where the list does not tell their orders."""
        try:
            untold = []
            async for job in self.backend.ivcap.list_jobs(self.intent.service, limit=LISTED):
                if job.order == self.intent.order:
                    return Found(job, "order")
                if job.order is None:
                    untold.append(job)
            if self.known.echoes is not False:
                return await self._among(untold)
        except IvcapError as error:
            log.info("looking for submission %s: %s", self.intent.id, error)
        return None

    async def _among(self, jobs: list[Job]) -> Found | None:
        older = 0
        for job in jobs:
            read = await self._read(job)
            if read is not None and read.order == self.intent.order:
                return Found(read, "order")
            older = older + 1 if read is not None and not self._is_since(read) else 0
            if older >= MOST_OLDER:
                break
        return None

    async def by_content(self) -> Found | None:
        """Among the statements about jobs; the first since then whose request is ours."""
        try:
            jobs = [
                job
                async for job in self.backend.ivcap.list_jobs(limit=MOST_LISTED)
                if job.service == self.intent.service and job.requested_at is not None and self._is_since(job)
            ]
            fits = []
            for job in sorted(jobs, key=lambda job: str(job.requested_at)):
                read = await self._read(job)
                if read is None:
                    continue
                if read.order == self.intent.order:
                    return Found(read, "order")
                if await anyio.to_thread.run_sync(self._fits, read):
                    fits.append(read)
            if fits and not await anyio.to_thread.run_sync(self.backend.journal.siblings, self.intent):
                return Found(fits[0], "content")
        except IvcapError as error:
            log.info("looking for submission %s: %s", self.intent.id, error)
        return None

    async def _read(self, job: Job) -> Job | None:
        """The job itself, read once: its order, account and request never change."""
        if job.urn not in self.read and len(self.read) < MOST_READS:
            if await anyio.to_thread.run_sync(self.backend.journal.service_of, job.urn):
                return None  # another submission's
            if job.requested_at is not None and not self._is_since(job):
                return None
            self.read[job.urn] = await self.backend.ivcap.job(job.urn, self.intent.service).refresh_async()
        return self.read.get(job.urn)

    def _is_since(self, job: Job) -> bool:
        return job.requested_at is None or job.requested_at.timestamp() >= self.since

    def _fits(self, job: Job) -> bool:
        if None not in (job.account, self.known.account) and job.account != self.known.account:
            return False
        if self.backend.journal.service_of(job.urn) is not None or not self._is_since(job):
            return False
        try:
            return canonical_hash(_value(job)) == self.intent.input_hash
        except (ValueError, TypeError, RecursionError):
            return False


def _value(job: Job) -> object:
    """The request; some platforms give JSON back as text."""
    return json.loads(job.request) if isinstance(job.request, str) else job.request
