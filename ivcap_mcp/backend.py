"""What a running server holds: the platform, the catalogue, the watchers, the journal. One owner, one lifetime."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import mcp_types as t
from anyio.abc import TaskGroup

from ivcap_client import IVCAP, Job, LocalIVCAP
from ivcap_client.exception import InvalidInput, ResourceNotFound
from ivcap_client.later import later
from ivcap_mcp.catalog import Catalog
from ivcap_mcp.catalog_cache import CatalogCache
from ivcap_mcp.changes import Changes
from ivcap_mcp.errors import ToolError
from ivcap_mcp.identifiers import checked
from ivcap_mcp.settings import Settings
from ivcap_mcp.shortening import is_little

if TYPE_CHECKING:
    from ivcap_client.job import JobRecord
    from ivcap_mcp import ordering
    from ivcap_mcp.auth.desk import Desk
    from ivcap_mcp.request import Request
    from ivcap_mcp.submissions import Journal, Submission
    from ivcap_mcp.uploads import HandOffs
    from ivcap_mcp.watch import Watchers
else:
    ordering = later("ivcap_mcp.ordering")

log = logging.getLogger("ivcap_mcp")

MOST_KNOWN = 1000
"""Jobs of which something is remembered: their service, what was noted last, and the whole job if it ended."""
MOST_LITTLE = 16_000
"""Characters that an ended job may have to be remembered."""
V = TypeVar("V")


class Backend:
    """Everything handlers share. `running()` gives it its life; until then only the catalogue's shape is known."""

    def __init__(self, ivcap: IVCAP, settings: Settings, builtins: Sequence[t.Tool]) -> None:
        self.ivcap, self.settings = ivcap, settings
        self.changes = Changes()
        cache = None
        if settings.cache_dir is not None and not settings.local:  # a local directory is as near as its cache would be
            cache = CatalogCache(settings.cache_dir, ivcap.url, self.identity, now=lambda: self.identity)
        self.catalog = Catalog(ivcap, settings, self.changes, builtins, cache)
        self.desk: Desk | None = None
        self.stopping = False
        self._door, self._sessions = anyio.Lock(), 0
        self._life: _Life | None = None
        self._services: OrderedDict[str, str] = OrderedDict()
        self._notes: OrderedDict[str, str] = OrderedDict()
        self._ended: OrderedDict[str, JobRecord] = OrderedDict()
        self._cancels: bool | None = None

    # Made when they are needed: a start pays for none of them.
    @cached_property
    def journal(self) -> Journal:
        """What was ordered, and what became of it."""
        from ivcap_mcp.submissions import Journal

        return Journal(self.settings.state_dir, attach_for=self.settings.attach_for)

    @cached_property
    def handoffs(self) -> HandOffs:
        """Addresses that take the bytes of one artifact."""
        from ivcap_mcp.uploads import HandOffs

        made = HandOffs(self.ivcap, self.settings.owner, read_only=self.settings.read_only)
        if self.settings.secret:
            made.sealed_with([self.settings.secret])
        return made

    @property
    def identity(self) -> str:
        """Whose calls these are, hashed; the same for every server of one user at one platform."""
        return hashlib.sha256(f"{self.ivcap.url}\n{self.ivcap.identity}".encode()).hexdigest()[:16]

    @property
    def tasks(self) -> TaskGroup:
        """Where work goes that must outlive the call that began it."""
        return self._living.tasks

    @property
    def watchers(self) -> Watchers:
        """The watchers of jobs."""
        return self._living.watchers

    @property
    def _living(self) -> _Life:
        if self._life is None:
            raise RuntimeError("the server is not running")
        return self._life

    @asynccontextmanager
    async def running(self, server: object = None) -> AsyncIterator[dict[str, Any]]:
        """The lifespan of one session, or of all of an HTTP server. They share one life: the first to come begins it,
        the last to leave ends it. Ending it ends no job.
        """
        async with self._door:
            self._sessions += 1
            if self._sessions == 1:
                self._life = _Life(self)
                await self._life.begun()
        try:
            yield {"backend": self}
        finally:
            with anyio.CancelScope(shield=True):
                async with self._door:
                    self._sessions -= 1
                    if self._sessions == 0:
                        await self._living.end()

    def drain(self) -> None:
        """The server is about to end: who waits for a job is answered with its handle, and streams end."""
        self.stopping = True
        self.changes.close()
        if self._life is not None:
            self._life.leave()

    async def preparing(self) -> list[dict[str, Any]]:
        """Services of the embedded platform that cannot be listed as tools yet; those that failed are left out."""
        return [one for one in await self.states() if one["state"] != "failed"]

    async def states(self) -> list[dict[str, Any]]:
        """Services of the embedded platform that have not said yet what they are, and why."""
        if not isinstance(self.ivcap, LocalIVCAP):
            return []
        return [dict(one) for one in await self.ivcap.preparing_async()]

    def note(self, job: str, what: str) -> None:
        """Write down what became of a call. A journal that cannot be written must not fail a call that succeeded."""
        if self._notes.get(job) == what:
            return  # said before, and nothing else was said since
        self._noted(lambda: self.journal.note(job, what))
        _keep(self._notes, job, what)

    def note_left(self, intent: Submission, what: str) -> None:
        """Write down that a call ended before its order was answered."""
        self._noted(lambda: self.journal.left(intent, what))

    def _noted(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            log.warning("the journal cannot be written: %s", error)

    async def can_cancel(self) -> bool:
        """Whether the platform has a way to cancel jobs; asked once."""
        if self._cancels is None:
            try:
                self._cancels = await self.ivcap.can_cancel_async()
            except ResourceNotFound:
                self._cancels = False  # a platform that does not describe itself promises nothing
        return self._cancels

    async def job(self, named: str, request: Request | None = None, patience: float | None = None) -> Job:
        """A job by its URN, or by the id of the submission that ordered it.

        What a journal or the platform's statements do not know yet is looked up again for `settings.new_job` seconds. A
        submission without a job is looked for once more, as long as the call may take.

        Args:
            named: URN of a job, its UUID, or a submission's id.
            request: The call that asks; without one, nobody waits for a long search.
            patience: Seconds for which an unknown job is looked up again; `settings.new_job` by default.

        Raises:
            ToolError: No such job.
        """
        urn = checked("job", named) if named.startswith("urn:") else await self._submitted(named, request)
        if urn in self._ended:
            return Job(self.ivcap, self._ended[urn])
        service = self.journal.known_service_of(urn) or self._services.get(urn)
        if service is None:
            service = await anyio.to_thread.run_sync(self.journal.service_of, urn)
        until, pause = time.monotonic() + (self.settings.new_job if patience is None else patience), 0.1
        while True:
            try:
                if service is None:
                    job = await self.ivcap.get_job_async(urn)
                else:
                    job = await self.ivcap.job(urn, service).refresh_async()
            except InvalidInput as error:
                raise ToolError("invalid_input", str(error), "Give the URN that the call returned.") from None
            except ResourceNotFound:
                # What the platform once said of a job it goes on saying.
                if urn in self._services or time.monotonic() + pause > until:
                    raise _no_job(urn) from None
                await anyio.sleep(pause)
                pause = min(pause * 2, 1.5)
            else:
                self._remember(job)
                return job

    async def _submitted(self, named: str, request: Request | None) -> str:
        """URN of the job of a submission; of a job named by its UUID alone."""
        entry = await anyio.to_thread.run_sync(self.journal.of, named)
        mine = entry is not None and (entry.intent.origin, entry.intent.identity) == (self.ivcap.url, self.identity)
        if entry is None or not mine:
            return f"urn:ivcap:job:{checked('job', named)}"
        if entry.job is not None:
            return entry.job
        if entry.state == "refused":
            raise ToolError(
                "not_found", f"Submission {named} ordered no job: the platform refused it, or was not reached."
            )
        return (await ordering.looked_for(self, request, entry.intent)).urn

    def _remember(self, job: Job) -> None:
        if job.service is not None:
            _keep(self._services, job.urn, job.service)
        if job.ended and job.record.has_result and is_little(job.record.raw, MOST_LITTLE):
            _keep(self._ended, job.urn, job.record)  # it stays as it is, and is asked for again and again


def _keep(known: OrderedDict[str, V], job: str, value: V) -> None:
    """Remember something of a job, and forget the one that was not used for longest."""
    known[job] = value
    known.move_to_end(job)
    while len(known) > MOST_KNOWN:
        known.popitem(last=False)


class _Life:
    """What runs in the background from the first session's beginning to the last one's end.

    It is a task of its own: a task group must be left by the task that entered it, and sessions come and go in any
    order. (The SDK's transports run on asyncio only, so nothing is lost by naming it.)
    """

    tasks: TaskGroup

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._began, self._over = anyio.Event(), anyio.Event()
        self._task = asyncio.create_task(self._lived(), name="ivcap-mcp")

    @cached_property
    def watchers(self) -> Watchers:
        """The watchers of jobs; there are none before the first job."""
        from ivcap_mcp.watch import Watchers

        return Watchers(self._backend.ivcap, self.tasks, new_job=self._backend.settings.new_job)

    def leave(self) -> None:
        """Have nobody wait for a job any more."""
        if "watchers" in vars(self):
            self.watchers.leave()

    def _parted(self) -> None:
        for job in self.watchers.watched if "watchers" in vars(self) else ():
            log.info("job %s goes on; any client can pick it up with get_job", job)

    async def begun(self) -> None:
        await self._began.wait()

    async def end(self) -> None:
        self._over.set()
        await self._task

    async def _lived(self) -> None:
        backend = self._backend
        async with anyio.create_task_group() as self.tasks:
            backend.stopping = False
            self.tasks.start_soon(backend.catalog.keep_fresh)
            self._began.set()
            await self._over.wait()
            backend.stopping = True
            self._parted()
            backend.changes.close()
            if "journal" in vars(backend):
                backend.journal.close()
            self.tasks.cancel_scope.cancel()


def _no_job(urn: str) -> ToolError:
    return ToolError("not_found", f"{urn} is an unknown job, or not yours.", "Check the URN; a call's answer names it.")
