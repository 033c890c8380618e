"""What a platform keeps: artifacts and aspects, as methods of `IVCAP`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import IO, Any

from ivcap_client._core import artifacts, aspects, search
from ivcap_client._core.artifacts import ArtifactRecord
from ivcap_client._core.aspects import AspectQuery, AspectRecord
from ivcap_client._core.pages import Listing
from ivcap_client._core.port import run
from ivcap_client._core.search import SearchResult
from ivcap_client._faces.face import Face
from ivcap_client.artifact import Artifact
from ivcap_client.aspect import Aspect
from ivcap_client.paging import Pager

__all__ = ["Data"]

Content = Mapping[str, Any]


class Data(Face):
    """The part of `IVCAP` that needs no service."""

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

    def create_artifact(
        self,
        *,
        size: int,
        name: str | None = None,
        content_type: str = "application/octet-stream",
        collection: str | None = None,
        policy: str | None = None,
    ) -> Artifact:
        """Announce an artifact of `size` bytes, which `Artifact.fill` sends later, perhaps in another process."""
        work = artifacts.create(
            self._port, name=name, content_type=content_type, size=size, collection=collection, policy=policy
        )
        return self._artifact(run(work))

    async def create_artifact_async(
        self,
        *,
        size: int,
        name: str | None = None,
        content_type: str = "application/octet-stream",
        collection: str | None = None,
        policy: str | None = None,
    ) -> Artifact:
        """`create_artifact` for async code."""
        work = artifacts.create(
            self._async_port, name=name, content_type=content_type, size=size, collection=collection, policy=policy
        )
        return self._artifact(await work)

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
        return self._pager(lambda port, size, at: aspects.list_page(port, asked, size, at), self._aspect, limit, cursor)

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

    # Search

    def search(
        self, query: str, *, limit: int = 10, at_time: datetime | None = None, cursor: str | None = None
    ) -> SearchResult:
        """Answers of a Datalog query over the datafabric; deployments only.

        Raises:
            NotInLocalMode: The local platform evaluates no Datalog.
        """
        return run(search.search(self._port, query, limit=limit, at_time=at_time, cursor=cursor))

    async def search_async(
        self, query: str, *, limit: int = 10, at_time: datetime | None = None, cursor: str | None = None
    ) -> SearchResult:
        """`search` for async code."""
        return await search.search(self._async_port, query, limit=limit, at_time=at_time, cursor=cursor)

    # Records to handles: local mode has its own classes

    def _artifact(self, record: ArtifactRecord) -> Artifact:
        raise NotImplementedError

    def _aspect(self, record: AspectRecord) -> Aspect:
        raise NotImplementedError
