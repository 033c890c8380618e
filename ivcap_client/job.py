"""A job: one run of a service, which goes on whether anybody watches or not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any

import ivcap_client
from ivcap_client._core import following, jobs
from ivcap_client._core.events import Event
from ivcap_client._core.jobs import JOB_SCHEMA, JobRecord
from ivcap_client._core.messages import Response
from ivcap_client._core.port import Port, run
from ivcap_client.events import EventStream
from ivcap_client.exception import JobFailed, JobTimeout
from ivcap_client.handle import Handle

__all__ = ["JOB_SCHEMA", "Event", "Job", "JobRecord", "JobStatus"]


class JobStatus(StrEnum):
    """States of a job; equal to the platform's own words. The last three are final."""

    UNKNOWN = "unknown"
    PENDING = "pending"
    SCHEDULED = "scheduled"
    EXECUTING = "executing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ERROR = "error"

    @classmethod
    def from_string(cls, text: str) -> JobStatus:
        """The state of this name; `UNKNOWN` for a word we do not know."""
        try:
            return cls(text.lower())
        except ValueError:
            return cls.UNKNOWN


class Job(Handle[JobRecord]):
    """Handle of one job.

    Example:
        >>> job = ivcap.get_service_by_name("plain").request_job({"do": "echo", "n": 2})
        >>> job.wait(timeout=30).succeeded, job.result["n"]
        (True, 2)
    """

    _read_record = staticmethod(jobs.job_record)

    def __init__(
        self, ivcap: ivcap_client.IVCAP, record: JobRecord | None = None, /, *, fresh: bool = False, **fields: Any
    ) -> None:
        if "service" in fields:  # a handle or a URN
            fields["service"] = getattr(fields["service"], "id", fields["service"])
        super().__init__(ivcap, record, **fields)
        self._fresh = fresh

    @classmethod
    def from_create_job_response(cls, response: Any, service: ivcap_client.Service) -> Job:
        """The job of a reply to an order, as a program got it by itself.

        Args:
            response: Anything with `status_code`, `headers` and `content`.
            service: What was ordered.
        """
        headers = {name.lower(): value for name, value in response.headers.items()}
        reply = Response(response.status_code, headers, response.content)
        return cls(service._ivcap, jobs.ordered(reply, service.id, "order job"), fresh=True)

    @property
    def name(self) -> str | None:
        """The platform's name for it."""
        return self._record.name

    @property
    def service(self) -> str | None:
        """URN of the service that runs it."""
        return self._record.service

    @property
    def order(self) -> str | None:
        """URN of the order it belongs to."""
        return self._record.order

    @property
    def policy(self) -> str | None:
        """URN of the policy that governs who sees it."""
        return self._record.policy

    @property
    def account(self) -> str | None:
        """URN of the account that ordered it."""
        return self._record.account

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags it carries."""
        return self._record.tags

    @property
    def requested_at(self) -> datetime | None:
        """When it was ordered."""
        return self._record.requested_at

    @property
    def started_at(self) -> datetime | None:
        """When the service began."""
        return self._record.started_at

    @property
    def finished_at(self) -> datetime | None:
        """When it ended."""
        return self._record.finished_at

    @property
    def request_content_type(self) -> str | None:
        """Media type of the request."""
        return self._record.request_content_type

    @property
    def request(self) -> Any:
        """What was asked for, where it was read with the job."""
        return self._record.request

    @property
    def result_content_type(self) -> str | None:
        """Media type of the result."""
        return self._record.result_content_type

    @property
    def error(self) -> str | None:
        """Why it did not succeed, in one line; `None` for one that succeeded or runs. Free: nothing is asked."""
        if self._record.status not in ("failed", "error"):
            return None
        return jobs.failure(self._record)

    @property
    def ended(self) -> bool:
        """Whether it had ended when it was last looked at. Free: nothing is asked."""
        return self._record.ended

    @property
    def cancelled(self) -> bool:
        """Whether it was ended on request, where the platform can. Free: nothing is asked.

        There is no status of its own for that: such a job is in error, and its message says why.
        """
        return self._record.status == "error" and (self._record.error_message or "").startswith("cancelled")

    def status(self, refresh: bool = True) -> JobStatus:
        """Its state; looked up now, unless it has ended or `refresh` is off."""
        if refresh and not self._record.ended:
            self.refresh()
        return JobStatus.from_string(self._record.status)

    async def status_async(self, refresh: bool = True) -> JobStatus:
        """`status` for async code."""
        if refresh and not self._record.ended:
            await self.refresh_async()
        return JobStatus.from_string(self._record.status)

    @property
    def finished(self) -> bool:
        """Whether it has ended. Asks the platform, as the documented contract has it; `ended` does not."""
        return self.status().value in jobs.ENDED

    @property
    def succeeded(self) -> bool:
        """Whether it ended well. Asks the platform, as `finished` does."""
        return self.status() is JobStatus.SUCCEEDED

    async def finished_async(self) -> bool:
        """`finished` for async code."""
        return (await self.status_async()).value in jobs.ENDED

    async def succeeded_async(self) -> bool:
        """`succeeded` for async code."""
        return await self.status_async() is JobStatus.SUCCEEDED

    @property
    def result(self) -> Any:
        """What the service returned: a JSON value, text or bytes; of a failed job its error object.

        Fetched where it is not here yet, as the documented contract has it; `None` while the job runs.
        """
        if not self._record.has_result:
            self.refresh()
        return self._record.result

    async def result_async(self) -> Any:
        """`result` for async code."""
        if not self._record.has_result:
            await self.refresh_async()
        return self._record.result

    def refresh(self) -> Job:
        """Read it again."""
        return self._seen(run(self._read(self._port)))

    async def refresh_async(self) -> Job:
        """`refresh` for async code."""
        return self._seen(await self._read(self._async_port))

    def wait(self, *, timeout: float | None = None, on_progress: Callable[[Event], None] | None = None) -> Job:
        """Wait until it has ended, well or badly.

        Args:
            timeout: Seconds; without one it waits as long as the job takes.
            on_progress: Called with each thing the job tells meanwhile.

        Raises:
            JobTimeout: The time was over first. The job runs on.
        """
        with self._named():
            return self._waited(run(self._wait(self._port, timeout, on_progress)), timeout)

    async def wait_async(
        self, *, timeout: float | None = None, on_progress: Callable[[Event], None] | None = None
    ) -> Job:
        """`wait` for async code."""
        with self._named():
            return self._waited(await self._wait(self._async_port, timeout, on_progress), timeout)

    async def wait_for_finished_async(self, max_wait_time: float | None = None, poll_interval: float = 5.0) -> Job:
        """`wait_async` under its documented name; `poll_interval` is not needed, since events are followed."""
        return await self.wait_async(timeout=max_wait_time)

    def value(self) -> Any:
        """The result of a job that succeeded.

        Raises:
            JobFailed: It ended otherwise; the message says why.
        """
        if self._record.status != "succeeded":
            raise JobFailed(self, f"job {self.urn} ended as {self._record.status}: {jobs.failure(self._record)}")
        return self._record.result

    def events(self, *, after: str = "", timeout: float | None = None) -> EventStream:
        """What the job tells, for `for` and `async for`, until it has ended.

        Args:
            after: Position (`Event.seq`) after which to begin.
            timeout: Seconds; then `IvcapTimeout` is raised.
        """
        return EventStream(self, after, timeout)

    def cancel(self) -> Job:
        """End it, where the platform can.

        Raises:
            IvcapApiError: The platform refused, or has no cancel.
        """
        run(jobs.cancel(self._port, self._home(), self.id))
        return self.refresh()

    async def cancel_async(self) -> Job:
        """`cancel` for async code."""
        await jobs.cancel(self._async_port, self._home(), self.id)
        return await self.refresh_async()

    def _home(self) -> str:
        return self._record.service or ""

    async def _read(self, port: Port) -> JobRecord:
        if self._record.service:
            return await jobs.read(port, self._record.service, self.id)
        return await jobs.find(port, self.id)

    async def _wait(self, port: Port, timeout: float | None, tell: Callable[[Event], None] | None) -> JobRecord:
        if self._record.ended and self._record.has_result:
            return self._record
        service = self._record.service or await jobs.service_of(port, self.id)
        return await following.wait(port, service, self.id, timeout=timeout, tell=tell, fresh=self._fresh)

    def _waited(self, record: JobRecord, timeout: float | None) -> Job:
        self._seen(record)
        if not record.ended:
            raise JobTimeout(self, timeout or 0.0)
        return self

    def _seen(self, record: JobRecord) -> Job:
        # A result that came with the answer to the order is never exchanged for one that was left out.
        if not (self._record.has_result and not record.has_result):
            self._record = record
        self._fresh = False
        return self

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Who is interrupted while waiting learns which job goes on."""
        try:
            yield
        except BaseException as error:
            error.add_note(f"job {self.urn} runs on")
            raise
