"""Jobs: find them, list them, wait for several."""

from __future__ import annotations

from datetime import datetime

from ivcap_client._core import jobs
from ivcap_client._core.jobs import JobRecord
from ivcap_client._core.pages import Listing
from ivcap_client._core.port import run
from ivcap_client._faces.face import Face
from ivcap_client.exception import InvalidInput
from ivcap_client.job import Job
from ivcap_client.paging import Pager
from ivcap_client.urns import identifier, urn_of


class Jobs(Face):
    """The part of `IVCAP` that knows jobs."""

    def get_job(self, job_id: str) -> Job:
        """A job by its URN, with its result if it has ended.

        Raises:
            ResourceNotFound: Unknown, or another account's.

        Examples:
            >>> job = ivcap.get_service_by_name("plain").request_job({"do": "echo"})
            >>> ivcap.get_job(job.urn) == job
            True
        """
        return self._job(run(jobs.find(self._port, job_id)))

    async def get_job_async(self, job_id: str) -> Job:
        """`get_job` for async code."""
        return self._job(await jobs.find(self._async_port, job_id))

    def list_jobs(
        self,
        service: str | None = None,
        *,
        filter: str | None = None,
        limit: int | None = 10,
        order_by: str | None = None,
        order_desc: bool | None = True,
        at_time: datetime | None = None,
    ) -> Pager[Job]:
        """Jobs of one service, or of all, newest first; without results.

        Args:
            service: URN of a service; `None`: all of them.
            filter: Expression in the platform's grammar; only for one service.
            limit: How many in all; `None`: every one.
            order_by: Name of a field; only for one service.
            order_desc: Largest first.
            at_time: The list as it was then.

        Raises:
            InvalidInput: `filter` or `order_by` without a service, which platforms cannot do.

        Examples:
            >>> service = ivcap.get_service_by_name("plain")
            >>> job = service.request_job({"do": "echo"})
            >>> job in ivcap.list_jobs(service.id, limit=None)
            True
        """
        if service is None:
            if filter or order_by:
                raise InvalidInput("list jobs: filter and order_by need a service, since jobs of all are kept apart")
            newest = order_desc is not False
            return self._pager(
                lambda port, size, at: jobs.list_all_page(port, at_time, size, at, newest), self._job, limit
            )
        asked = Listing(filter, order_by, order_desc, at_time)
        return self._pager(lambda port, size, at: jobs.list_page(port, service, asked, size, at), self._job, limit)

    def job(self, job_id: str, service_id: str | None = None) -> Job:
        """Handle of a job; nothing is asked until it is used.

        Examples:
            >>> ordered = ivcap.get_service_by_name("plain").request_job({"do": "echo"})
            >>> ivcap.job(ordered.urn, ordered.service).wait(timeout=30).succeeded
            True
        """
        return self._job(JobRecord(urn_of("job", identifier(job_id, "get job")), service=service_id))

    def can_cancel(self) -> bool:
        """Whether the platform has a way to cancel jobs.

        Examples:
            >>> ivcap.can_cancel()
            True
        """
        return run(jobs.can_cancel(self._port))

    async def can_cancel_async(self) -> bool:
        """`can_cancel` for async code."""
        return await jobs.can_cancel(self._async_port)

    def _job(self, record: JobRecord) -> Job:
        return Job(self._whole, record)
