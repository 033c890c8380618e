"""`IVCAP`: settings in, handles out. The same line works for a deployment, in a job container and locally."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

import ivcap_client
from ivcap_client._core import jobs, services
from ivcap_client._core.artifacts import ArtifactRecord
from ivcap_client._core.aspects import AspectRecord
from ivcap_client._core.jobs import JobRecord
from ivcap_client._core.pages import Listing
from ivcap_client._core.port import Auth, Port, Retry, Target, run
from ivcap_client._io.runtime import AsyncPort, BlockingPort, Once, Transport
from ivcap_client.artifact import Artifact
from ivcap_client.aspect import Aspect
from ivcap_client.auth import identity_of
from ivcap_client.data import Data
from ivcap_client.exception import ConfigError
from ivcap_client.job import Job
from ivcap_client.paging import Pager
from ivcap_client.service import Service
from ivcap_client.settings import connection
from ivcap_client.urns import identifier, urn_of

__all__ = ["IVCAP"]

# Without a handler of the program's own, warnings would be printed to its stderr.
logging.getLogger("ivcap_client").addHandler(logging.NullHandler())

Content = Mapping[str, Any]


class IVCAP(Data):
    """A platform, seen as somebody.

    `IVCAP()` takes its target from the environment (the table in `ivcap_client.settings`); with none it is a
    `LocalIVCAP`. Nothing is asked on construction. Use it as a context manager, or `close()` it.

    Args:
        url: Address of a deployment.
        token: Bearer token for it.
        account_id: Kept for programs that pass it; the platform knows the account from the token.
        auth: Instead of `token`: any object with `apply(headers)`, and `renew()` if it can.
        timeout: Seconds without an answer after which a request is given up.
        headers: Sent with each request to the platform.
        verify: `False` trusts any certificate; a path names a CA bundle trusted beside the system's.
        proxy: URL of a proxy, instead of the environment's.
        retry: Which failures of repeatable requests are borne.
        foreign_data: Whether bytes may be fetched from another origin when the platform says they lie there.

    Raises:
        ConfigError: No token for the URL, or a token without one.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> IVCAP:
        if cls is IVCAP:
            named = dict(zip(("url", "token"), args, strict=False)) | kwargs
            chosen = connection(named.get("url"), named.get("token"), named.get("auth"))
            if chosen.url is None:
                from ivcap_client.local import LocalIVCAP

                return super().__new__(LocalIVCAP)
        return super().__new__(cls)

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        account_id: str | None = None,
        *,
        auth: Auth | None = None,
        timeout: float = 30.0,
        headers: Mapping[str, str] | None = None,
        verify: bool | str = True,
        proxy: str | None = None,
        retry: Retry | None = None,
        foreign_data: bool = True,
    ) -> None:
        chosen = connection(url, token, auth)
        if chosen.url is None:  # in a subclass, which cannot turn into a LocalIVCAP
            raise ConfigError("there is no deployment: give `url` and `token`, or set IVCAP_URL and IVCAP_JWT")
        target = Target(
            url=chosen.url,
            auth=chosen.auth,
            headers=dict(headers or {}),
            timeout=timeout,
            retry=retry or Retry(),
            foreign_data=foreign_data,
        )
        self.account_id = account_id
        self._options: dict[str, Any] = {"verify": verify, "proxy": proxy}
        self._connect(target)

    def _connect(self, target: Target) -> None:
        self._target = target
        self._transport = self._make_transport()
        once = Once()
        self._port: Port = BlockingPort(target, self._transport, once)
        self._async_port: Port = AsyncPort(target, self._transport, once)

    def _make_transport(self) -> Transport:
        return _http(self._target, self._options)

    @classmethod
    def local(cls, base_dir: str | os.PathLike[str] | None = None) -> ivcap_client.LocalIVCAP:
        """The local platform in `base_dir`, whatever the environment says."""
        from ivcap_client.local import LocalIVCAP

        return LocalIVCAP(base_dir)

    @property
    def url(self) -> str:
        """Address of the platform; `file://…` in local mode."""
        return self._target.url

    @property
    def identity(self) -> str:
        """As whom it asks, hashed: the same for every client of one user, also after a token was renewed."""
        return identity_of(self._target.auth)

    # Services

    def list_services(
        self,
        *,
        filter: str | None = None,
        limit: int | None = 10,
        order_by: str | None = None,
        order_desc: bool | None = False,
        at_time: datetime | None = None,
    ) -> Pager[Service]:
        """Services, page by page as they are needed; `limit=None` for all."""
        asked = Listing(filter, order_by, order_desc, at_time)
        return self._pager(lambda port, size, at: services.list_page(port, asked, None, size, at), self._service, limit)

    def search_services(self, text: str, *, limit: int | None = 10) -> Pager[Service]:
        """Services that fit a description in words, best first, where the platform can search."""
        return self._pager(
            lambda port, size, at: services.list_page(port, Listing(), text, size, at), self._service, limit
        )

    def get_service(self, service_id: str) -> Service:
        """Handle of a service; nothing is asked until it is used."""
        return self._service(services.ServiceRecord(identifier(service_id, "get service")))

    def get_service_by_name(self, name: str) -> Service:
        """The one service with this name.

        Raises:
            ResourceNotFound: None has it.
            AmbiguousRequest: Several have.
        """
        return self._service(run(services.by_name(self._port, name)))

    async def get_service_by_name_async(self, name: str) -> Service:
        """`get_service_by_name` for async code."""
        return self._service(await services.by_name(self._async_port, name))

    # Jobs

    def get_job(self, job_id: str) -> Job:
        """A job by its URN, with its result if it has ended.

        Raises:
            ResourceNotFound: Unknown, or another account's.
        """
        return Job(self, run(jobs.find(self._port, job_id)))

    async def get_job_async(self, job_id: str) -> Job:
        """`get_job` for async code."""
        return Job(self, await jobs.find(self._async_port, job_id))

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
        """Jobs of one service, or of all, newest first; without results."""
        if service is None:
            return self._pager(lambda port, size, at: jobs.list_all_page(port, at_time, size, at), self._job, limit)
        asked = Listing(filter, order_by, order_desc, at_time)
        return self._pager(lambda port, size, at: jobs.list_page(port, service, asked, size, at), self._job, limit)

    def job(self, job_id: str, service_id: str | None = None) -> Job:
        """Handle of a job; nothing is asked until it is used."""
        return self._job(JobRecord(urn_of("job", identifier(job_id, "get job")), service=service_id))

    # The platform itself

    def can_cancel(self) -> bool:
        """Whether the platform has a way to cancel jobs."""
        return run(jobs.can_cancel(self._port))

    async def can_cancel_async(self) -> bool:
        """`can_cancel` for async code."""
        return await jobs.can_cancel(self._async_port)

    def close(self) -> None:
        """Close its connections. It can still be used; it then opens new ones."""
        self._transport.close()

    async def close_async(self) -> None:
        """`close` for async code: closes those of the running event loop too."""
        await self._transport.close_async()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close_async()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Past `__new__`, which would look into the environment of the process that unpickles.
        return object.__new__, (type(self),), self.__getstate__()

    def __getstate__(self) -> dict[str, Any]:
        # Settings travel, sockets do not.
        return {"target": self._target, "options": self._options, "account_id": self.account_id}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.account_id, self._options = state["account_id"], state["options"]
        self._connect(state["target"])

    # Records to handles: local mode has its own classes

    def _service(self, record: services.ServiceRecord) -> Service:
        return Service(self, record)

    def _job(self, record: JobRecord) -> Job:
        return Job(self, record)

    def _artifact(self, record: ArtifactRecord) -> Artifact:
        return Artifact(self, record)

    def _aspect(self, record: AspectRecord) -> Aspect:
        return Aspect(self, record)


def _http(target: Target, options: dict[str, Any]) -> Transport:
    """The HTTP transport, whose library is loaded only when a deployment is the target."""
    from ivcap_client._io.http import HttpTransport

    return HttpTransport(target, **options)
