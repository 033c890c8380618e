"""What a running server holds: the platform, the catalogue, the watchers, the journal. One owner, one lifetime."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import mcp_types as t
from anyio.abc import TaskGroup

from ivcap_client import IVCAP, Job, LocalIVCAP
from ivcap_client.exception import InvalidInput, ResourceNotFound
from ivcap_mcp.catalog import Catalog
from ivcap_mcp.catalog_cache import CatalogCache
from ivcap_mcp.changes import Changes
from ivcap_mcp.errors import ToolError
from ivcap_mcp.settings import Settings
from ivcap_mcp.submissions import Journal
from ivcap_mcp.uploads import HandOffs
from ivcap_mcp.watch import Watchers

log = logging.getLogger("ivcap_mcp")


class Backend:
    """Everything handlers share. `running()` gives it its life; until then only the catalogue's shape is known."""

    def __init__(self, ivcap: IVCAP, settings: Settings, builtins: Sequence[t.Tool]) -> None:
        self.ivcap, self.settings = ivcap, settings
        self.identity = hashlib.sha256(f"{ivcap.url}".encode()).hexdigest()[:16]
        self.changes = Changes()
        cache = None
        if settings.cache_dir is not None and not settings.local:  # a local directory is as near as its cache would be
            cache = CatalogCache(settings.cache_dir, ivcap.url, self.identity)
        self.catalog = Catalog(ivcap, settings, self.changes, builtins, cache)
        self.journal = Journal(settings.state_dir)
        self.handoffs = HandOffs(ivcap)
        self.stopping = False
        self._tasks: TaskGroup | None = None
        self._watchers: Watchers | None = None
        self._users = 0

    @property
    def tasks(self) -> TaskGroup:
        """Where work goes that must outlive the call that began it."""
        if self._tasks is None:
            raise RuntimeError("the server is not running")
        return self._tasks

    @property
    def watchers(self) -> Watchers:
        """The watchers of jobs."""
        if self._watchers is None:
            raise RuntimeError("the server is not running")
        return self._watchers

    @asynccontextmanager
    async def running(self, server: object = None) -> AsyncIterator[dict[str, Any]]:
        """The server's lifespan. Ending it ends no job."""
        async with anyio.create_task_group() as tasks:
            self._tasks, self._watchers = tasks, Watchers(self.ivcap, tasks)
            tasks.start_soon(self.catalog.keep_fresh)
            try:
                yield {"backend": self}
            finally:
                self.stopping = True
                for job in self._watchers.watched:
                    log.info("job %s goes on; any client can pick it up with get_job", job)
                self.changes.close()
                tasks.cancel_scope.cancel()

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
        try:
            self.journal.note(job, what)
        except OSError as error:
            log.warning("the journal cannot be written: %s", error)

    async def job(self, named: str, patience: float = 5.0) -> Job:
        """A job by its URN, or by the id of the submission that ordered it.

        A job just ordered may not be listed yet, so an unknown one is looked up again for `patience` seconds.

        Raises:
            ToolError: No such job.
        """
        urn = named if named.startswith("urn:") else await anyio.to_thread.run_sync(self.journal.job_of, named)
        if urn is None:
            urn = f"urn:ivcap:job:{named}"
        service = self.journal.known_service_of(urn)
        if service is None:
            service = await anyio.to_thread.run_sync(self.journal.service_of, urn)
        if service is not None:
            try:
                return await self.ivcap.job(urn, service).refresh_async()
            except ResourceNotFound:
                raise _no_job(urn) from None
        pauses = iter((0.1, 0.3, 0.6, 1.0, 1.5, 1.5))
        waited = 0.0
        while True:
            try:
                return await self.ivcap.get_job_async(urn)
            except InvalidInput as error:
                raise ToolError("invalid_input", str(error), "Give the URN that the call returned.") from None
            except ResourceNotFound:
                pause = next(pauses, None)
                if pause is None or waited + pause > patience:
                    raise _no_job(urn) from None
                await anyio.sleep(pause)
                waited += pause


def _no_job(urn: str) -> ToolError:
    return ToolError("not_found", f"{urn} is an unknown job, or not yours.", "Check the URN; a call's answer names it.")
