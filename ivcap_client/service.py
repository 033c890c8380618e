"""A service: something that can be run as a job."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from ivcap_client._core import jobs, services
from ivcap_client._core.inputs import request_body
from ivcap_client._core.port import Port, run
from ivcap_client._core.services import SERVICE_SCHEMA, TOOL_SCHEMA, ServiceRecord
from ivcap_client.exception import JobTimeout
from ivcap_client.handle import Handle
from ivcap_client.job import Job

__all__ = ["SERVICE_SCHEMA", "TOOL_SCHEMA", "Service", "ServiceRecord", "ServiceStatus"]


class ServiceStatus(StrEnum):
    """States of a service, in the platform's words."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    ERROR = "error"
    UNKNOWN = "unknown"

    @classmethod
    def from_string(cls, text: str | None) -> ServiceStatus:
        """The state of this name; `UNKNOWN` for a word we do not know."""
        try:
            return cls((text or "").lower())
        except ValueError:
            return cls.UNKNOWN


class Service(Handle[ServiceRecord]):
    """Handle of one service."""

    @property
    def name(self) -> str | None:
        """Its name."""
        return self._record.name

    @property
    def description(self) -> str | None:
        """What it does, in its author's words."""
        return self._record.description

    @property
    def policy(self) -> str | None:
        """URN of the policy that governs who may use it."""
        return self._record.policy

    @property
    def account(self) -> str | None:
        """URN of the account it belongs to."""
        return self._record.account

    @property
    def tags(self) -> tuple[str, ...]:
        """Tags it carries."""
        return self._record.tags

    @property
    def score(self) -> float | None:
        """How well it fits a search, where it was found by one."""
        return self._record.score

    @property
    def controller_schema(self) -> str | None:
        """URN that tells which kind of service it is."""
        return self._record.controller_schema

    @property
    def valid_from(self) -> datetime | None:
        """Since when it is described as it is."""
        return self._record.valid_from

    def status(self, refresh: bool = True) -> ServiceStatus:
        """Its state, looked up now unless `refresh` is off."""
        if refresh or self._record.status is None:
            self.refresh()
        return ServiceStatus.from_string(self._record.status)

    async def status_async(self, refresh: bool = True) -> ServiceStatus:
        """`status` for async code."""
        if refresh or self._record.status is None:
            await self.refresh_async()
        return ServiceStatus.from_string(self._record.status)

    def refresh(self) -> Service:
        """Read it again."""
        self._record = run(services.read(self._port, self.id))
        return self

    async def refresh_async(self) -> Service:
        """`refresh` for async code."""
        self._record = await services.read(self._async_port, self.id)
        return self

    def request_job(
        self, data: object, timeout: float | None = 0, *, order: str | None = None, key: str | None = None
    ) -> Job:
        """Order a job.

        Args:
            data: The request: a model, a dataclass, a dict or a stream of JSON.
            timeout: Seconds to wait for its end, 0 by default; `None` waits without limit. Either way the job is
                returned, ended or not.
            order: URN under which the job can be found again, on platforms that keep it.
            key: Idempotency key: the same key and request give the same job, on platforms that honour it.

        Raises:
            InvalidInput: The request cannot be written as a JSON object.
            IvcapError: The platform refused it, or no answer came. It is never sent twice.
        """
        began = self._port.now()
        job = run(self._order(self._port, data, timeout, order, key))
        if timeout == 0 or job.ended:
            return job
        try:
            return job.wait(timeout=None if timeout is None else max(began + timeout - self._port.now(), 0.0))
        except JobTimeout:
            return job

    async def submit_async(self, data: object, *, order: str | None = None, key: str | None = None) -> Job:
        """Order a job and return at once; `request_job(…, timeout=0)` for async code."""
        return await self._order(self._async_port, data, 0, order, key)

    async def request_job_async(
        self, data: object, max_wait_time: float | None = None, poll_interval: float = 5.0
    ) -> Job:
        """Order a job and wait until it has ended, as the documented contract has it.

        Raises:
            JobTimeout: `max_wait_time` seconds were over first; the error carries the job, which runs on.
        """
        job = await self.submit_async(data)
        return await job.wait_async(timeout=max_wait_time)

    def run(self, data: object, timeout: float | None = 60) -> Any:
        """Order a job, wait for it, return its result.

        Raises:
            JobFailed: It did not succeed.
            JobTimeout: It had not ended after `timeout` seconds; it runs on.
        """
        return self.request_job(data).wait(timeout=timeout).value()

    async def run_async(self, data: object, timeout: float | None = 60) -> Any:
        """`run` for async code."""
        return (await (await self.submit_async(data)).wait_async(timeout=timeout)).value()

    async def _order(self, port: Port, data: object, timeout: float | None, order: str | None, key: str | None) -> Job:
        body = request_body(data)
        record = await jobs.submit(port, self.id, body, hold=timeout or 0, order=order, key=key)
        return Job(self._ivcap, record, fresh=True)


def tool_description(content: object) -> Mapping[str, Any] | None:
    """The content of a tool aspect, if it is one: a mapping with a `fn_schema` under either spelling."""
    if not isinstance(content, Mapping):
        return None
    return content if isinstance(content.get("fn_schema", content.get("fn-schema")), Mapping) else None
