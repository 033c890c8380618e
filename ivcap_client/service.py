"""A service: something that can be run as a job."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import ivcap_client
from ivcap_client._core import jobs, services
from ivcap_client._core.inputs import request_body
from ivcap_client._core.patience import patience
from ivcap_client._core.port import Port, run
from ivcap_client._core.services import SERVICE_SCHEMA, ServiceRecord, service_record
from ivcap_client.exception import JobTimeout, ResourceNotFound
from ivcap_client.handle import Handle
from ivcap_client.job import Job
from ivcap_client.parameters import POption, PType, ServiceParameter, parameters_of, schema_of
from ivcap_client.urns import TOOL_SCHEMA

__all__ = [
    "SERVICE_SCHEMA",
    "TOOL_SCHEMA",
    "POption",
    "PType",
    "Service",
    "ServiceParameter",
    "ServiceRecord",
    "ServiceStatus",
]


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
    """Handle of one service.

    Examples:
        >>> service = ivcap.get_service_by_name("plain")
        >>> service.run({"do": "echo", "n": 3})["n"]
        3
    """

    _read_record = staticmethod(service_record)
    _model: type[ivcap_client.schema.RequestModel | ivcap_client.schema.RequestRoot] | None = None

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

    @property
    def valid_to(self) -> datetime | None:
        """Until when it was described so; `None` while it is."""
        return self._record.valid_to

    @property
    def banner(self) -> str | None:
        """URL of a picture; only services of the older kind have one."""
        return self._record.banner

    @property
    def published_at(self) -> datetime | None:
        """When it was published; only services of the older kind say so."""
        return self._record.published_at

    @property
    def parameters(self) -> dict[str, ServiceParameter]:
        """What it takes, by name with `_` for `-`; empty for tools, whose request has a schema (`request_model`).

        Fetched first where a listing left it out, as the documented contract has it.
        """
        if self._record.parameters is None:
            self.refresh()
        return parameters_of(self._record.parameters or ())

    async def parameters_async(self) -> dict[str, ServiceParameter]:
        """`parameters` for async code."""
        if self._record.parameters is None:
            await self.refresh_async()
        return parameters_of(self._record.parameters or ())

    @property
    def mandatory_parameters(self) -> set[str]:
        """Names of the parameters that must be given, spelled as the keys of `parameters`."""
        return _mandatory(self.parameters)

    async def mandatory_parameters_async(self) -> set[str]:
        """`mandatory_parameters` for async code."""
        return _mandatory(await self.parameters_async())

    @property
    def request_model(self) -> type[ivcap_client.schema.RequestModel | ivcap_client.schema.RequestRoot]:
        """A pydantic model of its request, from the schema or the parameters it publishes.

        Fetched once, as the documented contract has it. A local service that is still being prepared is waited for.

        Raises:
            ResourceNotFound: It publishes neither.
            InvalidInput: Its schema cannot be read.

        Examples:
            >>> Request = ivcap.get_service_by_name("plain").request_model
            >>> Request(do="echo").model_dump(by_alias=True, exclude_unset=True)
            {'do': 'echo'}
        """
        if self._model is None:
            self._model = run(self._make_model(self._port))
        return self._model

    async def request_model_async(self) -> type[ivcap_client.schema.RequestModel | ivcap_client.schema.RequestRoot]:
        """`request_model` for async code."""
        if self._model is None:
            self._model = await self._make_model(self._async_port)
        return self._model

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
        timeout = patience(timeout)
        until = None if timeout is None else self._port.now() + timeout
        job = run(self._order(self._port, data, timeout, order, key))
        if timeout == 0 or job.ended:
            return job
        try:
            return job.wait(timeout=None if until is None else max(until - self._port.now(), 0.0))
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
        timeout = patience(max_wait_time, "max_wait_time")
        job = await self.submit_async(data)
        return await job.wait_async(timeout=timeout)

    async def _ordered_async(self, data: object, timeout: float | None) -> Job:
        """`request_job` for async code, with its `timeout`; the documented twin has another signature."""
        timeout = patience(timeout)
        until = None if timeout is None else self._async_port.now() + timeout
        job = await self._order(self._async_port, data, timeout, None, None)
        try:
            return await job.wait_async(timeout=None if until is None else max(until - self._async_port.now(), 0.0))
        except JobTimeout:
            return job

    def run(self, data: object, timeout: float | None = 60) -> Any:
        """Order a job, wait for it, return its result.

        Raises:
            JobFailed: It did not succeed.
            JobTimeout: It had not ended after `timeout` seconds; it runs on.
        """
        timeout = patience(timeout)
        return self.request_job(data).wait(timeout=timeout).value()

    async def run_async(self, data: object, timeout: float | None = 60) -> Any:
        """`run` for async code."""
        timeout = patience(timeout)
        return await (await (await self.submit_async(data)).wait_async(timeout=timeout)).value_async()

    def __getstate__(self) -> dict[str, Any]:
        # The model is a class that no module holds: whoever unpickles makes it again.
        return {name: value for name, value in self.__dict__.items() if name != "_model"}

    async def _order(self, port: Port, data: object, timeout: float | None, order: str | None, key: str | None) -> Job:
        body = request_body(data)
        record = await jobs.submit(port, self.id, body, hold=timeout or 0, order=order, key=key)
        return Job(self._ivcap, record, fresh=True)

    async def _make_model(self, port: Port) -> type[ivcap_client.schema.RequestModel | ivcap_client.schema.RequestRoot]:
        pause = 0.25
        while (tool := await services.tool(port, self.id)) is None:
            waits = await port.offload(self._ivcap._preparing, self.id)
            if not waits:
                break
            await port.sleep(pause)
            pause = min(pause * 1.5, 2.0)
        from ivcap_client.schema import model_from_schema

        if tool is not None:
            return model_from_schema(services.request_schema(tool), self.name or tool.get("name") or "Request")
        self._record = await services.read(port, self.id)
        found = parameters_of(self._record.parameters or ())
        if not found:
            raise ResourceNotFound(
                "read the service's request", detail=f"{self.id} publishes neither a schema nor parameters"
            )
        return model_from_schema(schema_of(found.values()), self.name or "Request")


def _mandatory(parameters: Mapping[str, ServiceParameter]) -> set[str]:
    return {name for name, parameter in parameters.items() if not parameter.is_optional}


def tool_description(content: object) -> Mapping[str, Any] | None:
    """The content of a tool aspect, if it is one: a mapping with a `fn_schema` under either spelling."""
    if not isinstance(content, Mapping):
        return None
    return content if isinstance(content.get("fn_schema", content.get("fn-schema")), Mapping) else None
