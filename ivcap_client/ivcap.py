"""`IVCAP`: settings in, handles out. The same line works for a deployment, in a job container and locally."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any

from ivcap_client._core import artifacts, aspects, jobs, services
from ivcap_client._core.artifacts import ArtifactRecord
from ivcap_client._core.aspects import AspectQuery, AspectRecord
from ivcap_client._core.jobs import JobRecord
from ivcap_client._core.pages import Listing
from ivcap_client._core.port import Auth, Port, Retry, Target, run
from ivcap_client._io.runtime import AsyncPort, BlockingPort, Once, Transport
from ivcap_client.artifact import Artifact
from ivcap_client.aspect import Aspect
from ivcap_client.auth import identity_of
from ivcap_client.job import Job
from ivcap_client.paging import Pager
from ivcap_client.service import Service
from ivcap_client.settings import connection
from ivcap_client.urns import identifier, urn_of

if TYPE_CHECKING:
    from ivcap_client.local import LocalIVCAP

__all__ = ["IVCAP"]

Content = Mapping[str, Any]


class IVCAP:
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
        target = Target(
            url=chosen.url or "",
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
    def local(cls, base_dir: str | os.PathLike[str] | None = None) -> LocalIVCAP:
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

    # Artifacts

    def list_artifacts(
        self,
        *,
        filter: str | None = None,
        limit: int | None = 10,
        order_by: str | None = None,
        order_desc: bool | None = False,
        at_time: datetime | None = None,
    ) -> Pager[Artifact]:
        """Artifacts, page by page as they are needed; `limit=None` for all."""
        asked = Listing(filter, order_by, order_desc, at_time)
        return self._pager(lambda port, size, at: artifacts.list_page(port, asked, size, at), self._artifact, limit)

    def get_artifact(self, id: str) -> Artifact:
        """An artifact by its URN.

        Raises:
            ResourceNotFound: Unknown, or not visible with this credential.
        """
        return self._artifact(run(artifacts.read(self._port, id)))

    async def get_artifact_async(self, id: str) -> Artifact:
        """`get_artifact` for async code."""
        return self._artifact(await artifacts.read(self._async_port, id))

    def upload_artifact(
        self,
        *,
        name: str | None = None,
        file_path: str | os.PathLike[str] | None = None,
        io_stream: IO[Any] | None = None,
        content_type: str | None = None,
        content_size: int = -1,
        collection: str | None = None,
        policy: str | None = None,
        chunk_size: int = sys.maxsize,
        retries: int = 5,
        progress_callback: Any = None,
    ) -> Artifact:
        """Send a file or a stream; returns when the platform has all of it.

        Args:
            name: Display name; the file's own by default.
            file_path: File to send.
            io_stream: Binary stream to send instead, from where it stands; it need not be seekable.
            content_type: Media type; guessed from the name by default.
            content_size: Bytes of the stream, if known.
            collection: URN of a collection.
            policy: URN of a policy.
            chunk_size: Bytes of one request; 8 MiB where the default is left.
            retries: Failures in a row that are borne; what arrived is never sent again.
            progress_callback: Called with bytes sent and bytes in all (`None` if not known).
        """
        from ivcap_client._io import uploads

        asked = self._upload(locals())
        return self._artifact(run(uploads.upload(self._port, asked)))

    async def upload_artifact_async(
        self,
        *,
        name: str | None = None,
        file_path: str | os.PathLike[str] | None = None,
        io_stream: IO[Any] | None = None,
        content_type: str | None = None,
        content_size: int = -1,
        collection: str | None = None,
        policy: str | None = None,
        chunk_size: int = sys.maxsize,
        retries: int = 5,
        progress_callback: Any = None,
    ) -> Artifact:
        """`upload_artifact` for async code."""
        from ivcap_client._io import uploads

        asked = self._upload(locals())
        return self._artifact(await uploads.upload(self._async_port, asked))

    def _upload(self, given: dict[str, Any]) -> Any:
        from ivcap_client._io import tus, uploads

        wanted = {name: given[name] for name in uploads.Upload.__dataclass_fields__ if name in given}
        if wanted["chunk_size"] == sys.maxsize:
            wanted["chunk_size"] = tus.CHUNK
        return uploads.Upload(**wanted, progress=given["progress_callback"])

    # Aspects

    def add_aspect(
        self, entity: str, aspect: Content, *, schema: str | None = None, policy: str | None = None
    ) -> Aspect:
        """State something about `entity`; what was stated before stays."""
        return self._aspect(run(aspects.add(self._port, entity, aspect, schema=schema, policy=policy)))

    async def add_aspect_async(
        self, entity: str, aspect: Content, *, schema: str | None = None, policy: str | None = None
    ) -> Aspect:
        """`add_aspect` for async code."""
        return self._aspect(await aspects.add(self._async_port, entity, aspect, schema=schema, policy=policy))

    def update_aspect(
        self, entity: str, aspect: Content, *, schema: str | None = None, policy: str | None = None
    ) -> Aspect:
        """Replace what is stated about `entity` under this schema, or state it first."""
        return self._aspect(run(aspects.update(self._port, entity, aspect, schema=schema, policy=policy)))

    async def update_aspect_async(
        self, entity: str, aspect: Content, *, schema: str | None = None, policy: str | None = None
    ) -> Aspect:
        """`update_aspect` for async code."""
        return self._aspect(await aspects.update(self._async_port, entity, aspect, schema=schema, policy=policy))

    def list_aspects(
        self,
        *,
        entity: str | None = None,
        schema: str | None = None,
        content_path: str | None = None,
        at_time: datetime | None = None,
        limit: int | None = 10,
        filter: str | None = None,
        order_by: str | None = "valid_from",
        order_direction: str | None = "DESC",
        include_content: bool = True,
        cursor: str | None = None,
    ) -> Pager[Aspect]:
        """Aspects that hold (or held at `at_time`), page by page as they are needed; `limit=None` for all.

        Args:
            entity: URN they are about.
            schema: Their schema; may hold `%` wildcards.
            content_path: PostgreSQL JSONPath that the content must match.
            at_time: The list as it was then.
            limit: How many in all.
            filter: Expression in the platform's filter grammar.
            order_by: Field, or several with commas.
            order_direction: `ASC` or `DESC`.
            include_content: Whether the content comes along.
            cursor: Where an earlier listing stopped (`Pager.cursor`).
        """
        asked = AspectQuery(entity, schema, content_path, at_time, filter, order_by, order_direction, include_content)
        return self._pager(
            lambda port, size, at: aspects.list_page(port, asked, size, at or cursor), self._aspect, limit
        )

    def get_aspect(self, aspect_id: str) -> Aspect:
        """An aspect by its URN, also one that no longer holds."""
        return self._aspect(run(aspects.read(self._port, aspect_id)))

    async def get_aspect_async(self, aspect_id: str) -> Aspect:
        """`get_aspect` for async code."""
        return self._aspect(await aspects.read(self._async_port, aspect_id))

    def retract_aspect(self, aspect_id: str) -> None:
        """Close an aspect: it no longer holds from now on, and stays readable."""
        run(aspects.retract(self._port, aspect_id))

    async def retract_aspect_async(self, aspect_id: str) -> None:
        """`retract_aspect` for async code."""
        await aspects.retract(self._async_port, aspect_id)

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

    def __enter__(self) -> IVCAP:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> IVCAP:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close_async()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def __getstate__(self) -> dict[str, Any]:
        # Settings travel, sockets do not.
        return {"target": self._target, "options": self._options, "account_id": self.account_id}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.account_id, self._options = state["account_id"], state["options"]
        self._connect(state["target"])

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (), {"url": self._target.url, "auth": self._target.auth}

    # Records to handles: local mode has its own classes

    def _service(self, record: services.ServiceRecord) -> Service:
        return Service(self, record)

    def _job(self, record: JobRecord) -> Job:
        return Job(self, record)

    def _artifact(self, record: ArtifactRecord) -> Artifact:
        return Artifact(self, record)

    def _aspect(self, record: AspectRecord) -> Aspect:
        return Aspect(self, record)

    def _pager(self, fetch: Any, wrap: Any, limit: int | None) -> Pager[Any]:
        return Pager((self._port, self._async_port), fetch, wrap, limit)


def _http(target: Target, options: dict[str, Any]) -> Transport:
    """The HTTP transport, whose library is loaded only when a deployment is the target."""
    from ivcap_client._io.http import HttpTransport

    return HttpTransport(target, **options)
