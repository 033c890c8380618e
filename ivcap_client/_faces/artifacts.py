"""Artifacts: find them, store them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from ivcap_client._core import artifacts
from ivcap_client._core.artifacts import ArtifactRecord
from ivcap_client._core.messages import MIB
from ivcap_client._core.pages import Listing
from ivcap_client._core.port import Port, run
from ivcap_client._faces.face import Face
from ivcap_client._io import known_files
from ivcap_client.artifact import Artifact, is_data_url
from ivcap_client.artifact_bytes import Progress
from ivcap_client.exception import ResourceNotFound
from ivcap_client.files import TarMember
from ivcap_client.paging import Pager


class Artifacts(Face):
    """The part of `IVCAP` that keeps artifacts."""

    def list_artifacts(
        self,
        *,
        filter: str | None = None,
        limit: int | None = 10,
        order_by: str | None = None,
        order_desc: bool | None = False,
        at_time: datetime | None = None,
    ) -> Pager[Artifact]:
        """Artifacts, page by page as they are needed.

        Args:
            filter: Expression in the platform's grammar: `name ~= '%.csv'`.
            limit: How many in all; `None`: every one.
            order_by: Name of a field.
            order_desc: Largest first.
            at_time: The list as it was then.

        Examples:
            >>> _ = ivcap.upload_artifact(name="list.me", io_stream=io.BytesIO(b"x"))
            >>> [artifact.size for artifact in ivcap.list_artifacts(filter="name = 'list.me'")]
            [1]
        """
        asked = Listing(filter, order_by, order_desc, at_time)
        return self._pager(lambda port, size, at: artifacts.list_page(port, asked, size, at), self._artifact, limit)

    def get_artifact(self, id: str) -> Artifact:
        """An artifact by its URN; of a file by `file://…` or `urn:file://…`, of data by `data:…` or `urn:data:…`.

        Raises:
            ResourceNotFound: Unknown, or not visible with this credential; the file is not there.

        Examples:
            >>> ivcap.get_artifact("data:text/plain,hello").as_bytes()
            b'hello'
        """
        return run(self._found(self._port, id))

    async def get_artifact_async(self, id: str) -> Artifact:
        """`get_artifact` for async code."""
        return await self._found(self._async_port, id)

    def stored_artifact(self, id: str) -> Artifact:
        """`get_artifact` of the platform's own only: an id from a stranger opens no file of this machine.

        Examples:
            >>> stored = ivcap.upload_artifact(name="a.txt", io_stream=io.BytesIO(b"hello"))
            >>> ivcap.stored_artifact(stored.urn).size
            5
        """
        return self._artifact(run(artifacts.read(self._port, id)))

    async def stored_artifact_async(self, id: str) -> Artifact:
        """`stored_artifact` for async code."""
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
        """Announce an artifact of `size` bytes, which `Artifact.fill` sends later, perhaps in another process.

        Examples:
            >>> announced = ivcap.create_artifact(name="later.txt", size=5, content_type="text/plain")
            >>> announced.fill(io.BytesIO(b"hello"), size=5).as_bytes()
            b'hello'
        """
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
        retry_delay: float | None = None,
        force_upload: bool = False,
        progress_callback: Progress | None = None,
    ) -> Artifact:
        """Send a file or a stream; returns when the platform has all of it.

        A file that a deployment has already, by the note `.ivcap-<name>.txt` beside it, is not sent again; files up to
        256 MiB get such a note. The upload of a larger file goes on where it stopped, also in another process.

        Args:
            name: Display name; the file's own by default.
            file_path: File to send.
            io_stream: Binary stream to send instead, from where it stands; it need not be seekable.
            content_type: Media type; guessed from the name by default.
            content_size: Bytes of the stream, if known.
            collection: URN of a collection.
            policy: URN of a policy.
            chunk_size: Bytes of one request; 8 MiB where the default is left, 64 MiB at most.
            retries: Failures in a row that are borne; what arrived is never sent again.
            retry_delay: Seconds between a failure and the next try; by default pauses that grow from a quarter.
            force_upload: Send the file even if there is a note, or a beginning, of it.
            progress_callback: Called with bytes sent and bytes in all (`None` if not known).

        Raises:
            InvalidInput: Neither or both of file and stream, a file that cannot be read, a stream that ends early.

        Examples:
            >>> stored = ivcap.upload_artifact(name="a.csv", io_stream=io.BytesIO(b"x\\n1\\n"))
            >>> stored.mime_type
            'text/csv'
        """
        from ivcap_client._io import uploads

        return self._artifact(run(uploads.upload(self._port, _upload(locals()))))

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
        retry_delay: float | None = None,
        force_upload: bool = False,
        progress_callback: Progress | None = None,
    ) -> Artifact:
        """`upload_artifact` for async code."""
        from ivcap_client._io import uploads

        return self._artifact(await uploads.upload(self._async_port, _upload(locals())))

    def upload_tar_artifact(
        self,
        members: Iterable[TarMember],
        *,
        content_type: str = "application/gzip",
        name: str | None = None,
        collection: str | None = None,
        policy: str | None = None,
        chunk_size: int = 4 * MIB,
        queue_maxsize: int = 4,
        retries: int = 3,
        retry_delay: float | None = 2.0,
        progress_callback: Progress | None = None,
    ) -> Artifact:
        """Send files as one gzipped tar archive, which is made while it is sent: never whole in memory or on disk.

        Args:
            members: `TarMember.from_file(…)` and `TarMember.from_bytes(…)`, in order.
            content_type: Media type of the artifact.
            name: Display name.
            collection: URN of a collection.
            policy: URN of a policy.
            chunk_size: Bytes of one request.
            queue_maxsize: Not needed: nothing is queued, since nothing runs beside the upload.
            retries: Failures in a row that are borne.
            retry_delay: Seconds between a failure and the next try.
            progress_callback: Called with bytes sent, and `None`.

        Raises:
            InvalidInput: A file is missing, or became shorter meanwhile. The artifact is then never completed.

        Examples:
            >>> from ivcap_client import TarMember
            >>> about = TarMember.from_bytes(b"{}", "about.json")
            >>> ivcap.upload_tar_artifact([about], name="study.tar.gz").is_tar_file
            True
        """
        from ivcap_client._io import uploads

        return self._artifact(run(uploads.upload(self._port, uploads.archive(members, **_how(locals())))))

    async def upload_tar_artifact_async(
        self,
        members: Iterable[TarMember],
        *,
        content_type: str = "application/gzip",
        name: str | None = None,
        collection: str | None = None,
        policy: str | None = None,
        chunk_size: int = 4 * MIB,
        queue_maxsize: int = 4,
        retries: int = 3,
        retry_delay: float | None = 2.0,
        progress_callback: Progress | None = None,
    ) -> Artifact:
        """`upload_tar_artifact` for async code."""
        from ivcap_client._io import uploads

        return self._artifact(await uploads.upload(self._async_port, uploads.archive(members, **_how(locals()))))

    def artifact_for_file(self, file_path: str | os.PathLike[str]) -> Artifact | None:
        """The artifact that a file was uploaded as, by the note beside it; `None` if this platform has none.

        Examples:
            >>> _ = Path("new.csv").write_text("x\\n1\\n")
            >>> ivcap.artifact_for_file("new.csv") is None
            True
        """
        return run(self._known(self._port, Path(file_path)))

    async def artifact_for_file_async(self, file_path: str | os.PathLike[str]) -> Artifact | None:
        """`artifact_for_file` for async code."""
        return await self._known(self._async_port, Path(file_path))

    async def _known(self, port: Port, path: Path) -> Artifact | None:
        from ivcap_client._io import uploads

        for urn in await port.offload(known_files.known, path):
            record = await uploads.there(port, urn)
            if record is not None:
                return self._artifact(record)
        return None

    async def _found(self, port: Port, id: str) -> Artifact:
        from ivcap_client.artifact_local import DataUrlArtifact, LocalFileArtifact, file_of

        if is_data_url(id):
            return DataUrlArtifact(id, ivcap=self._whole)
        path = await port.offload(file_of, id) if isinstance(id, str) else None
        if path is None:
            return self._artifact(await artifacts.read(port, id))
        if port.target.local:  # perhaps one of its own
            try:
                return self._artifact(await artifacts.read(port, f"urn:file://{quote(str(path))}"))
            except ResourceNotFound:
                pass
        return await port.offload(LocalFileArtifact, path, ivcap=self._whole)

    def _artifact(self, record: ArtifactRecord) -> Artifact:
        return Artifact(self._whole, record)


def _upload(given: dict[str, Any]) -> Any:
    from ivcap_client._io import tus, uploads

    wanted = {name: given[name] for name in uploads.Upload.__dataclass_fields__ if name in given}
    if wanted["chunk_size"] == sys.maxsize:
        wanted["chunk_size"] = tus.CHUNK
    return uploads.Upload(**wanted, progress=given["progress_callback"])


def _how(given: dict[str, Any]) -> dict[str, Any]:
    names = ("content_type", "name", "collection", "policy", "chunk_size", "retries", "retry_delay")
    return {name: given[name] for name in names} | {"progress": given["progress_callback"]}
