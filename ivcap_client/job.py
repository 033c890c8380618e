"""A job: one run of a service, which goes on whether anybody watches or not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import ivcap_client
from ivcap_client._core import following, jobs
from ivcap_client._core.events import Event
from ivcap_client._core.jobs import JOB_SCHEMA, JobRecord
from ivcap_client._core.messages import Response
from ivcap_client._core.patience import patience
from ivcap_client._core.port import Port, run
from ivcap_client.events import EventStream
from ivcap_client.exception import JobFailed, JobTimeout
from ivcap_client.job_facts import JobFacts, JobStatus

__all__ = ["JOB_SCHEMA", "Event", "Job", "JobRecord", "JobStatus"]


class Job(JobFacts):
    """Handle of one job.

    Examples:
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
            self._seen(run(self._read_whole(self._port)))
        return self._record.result

    async def result_async(self) -> Any:
        """`result` for async code."""
        if not self._record.has_result:
            self._seen(await self._read_whole(self._async_port))
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
        timeout = patience(timeout)
        with self._named():
            return self._waited(run(self._wait(self._port, timeout, on_progress)), timeout)

    async def wait_async(
        self, *, timeout: float | None = None, on_progress: Callable[[Event], None] | None = None
    ) -> Job:
        """`wait` for async code."""
        timeout = patience(timeout)
        with self._named():
            return self._waited(await self._wait(self._async_port, timeout, on_progress), timeout)

    async def wait_for_finished_async(self, max_wait_time: float | None = None, poll_interval: float = 5.0) -> Job:
        """`wait_async` under its documented name; `poll_interval` is not needed, since events are followed."""
        return await self.wait_async(timeout=patience(max_wait_time, "max_wait_time"))

    def value(self) -> Any:
        """The result of a job that succeeded; bytes, which the platform keeps as an artifact, are fetched.

        Raises:
            JobFailed: It ended otherwise; the message says why.
        """
        self._succeeded()
        return self.result if self._is_apart else self._record.result

    async def value_async(self) -> Any:
        """`value` for async code."""
        self._succeeded()
        return await self.result_async() if self._is_apart else self._record.result

    @property
    def _is_apart(self) -> bool:
        return not self._record.has_result and self._record.result_content_urn is not None

    def _succeeded(self) -> None:
        if self._record.status != "succeeded":
            raise JobFailed(self, f"job {self.urn} ended as {self._record.status}: {jobs.failure(self._record)}")

    def output(self) -> bytes | None:
        """The result as the service reported it, undecoded; `None`: it has none, or none yet."""
        found = run(self._output(self._port))
        return None if found is None else found[1]

    async def output_async(self) -> bytes | None:
        """`output` for async code."""
        found = await self._output(self._async_port)
        return None if found is None else found[1]

    def events(self, *, after: str = "", timeout: float | None = None) -> EventStream:
        """What the job tells, for `for` and `async for`, until it has ended.

        Args:
            after: Position (`Event.seq`) after which to begin.
            timeout: Seconds; then `IvcapTimeout` is raised.
        """
        return EventStream(self, after, patience(timeout))

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

    async def _output(self, port: Port) -> tuple[str, bytes] | None:
        return await jobs.output(port, self._record.service or await jobs.service_of(port, self.id), self.id)

    async def _read(self, port: Port) -> JobRecord:
        if self._record.service:
            return await jobs.read(port, self._record.service, self.id)
        return await jobs.find(port, self.id)

    async def _read_whole(self, port: Port) -> JobRecord:
        return await jobs.with_output(port, await self._read(port))

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
