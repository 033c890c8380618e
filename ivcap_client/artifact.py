"""An artifact: a blob with a name and a type, streamed in both directions."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import ivcap_client
from ivcap_client._core import artifacts, aspects
from ivcap_client._core.artifacts import ArtifactRecord
from ivcap_client._core.port import Port, run
from ivcap_client._io import downloads
from ivcap_client.aspect import Aspect
from ivcap_client.exception import ArtifactTooLargeForDataUrlError
from ivcap_client.handle import Handle
from ivcap_client.paging import Pager

__all__ = ["Artifact", "ArtifactRecord", "LocalFileArtifact", "TemporaryPath"]

Progress = Callable[[int, int | None], None]


class TemporaryPath(type(Path())):  # type: ignore[misc]
    """A downloaded file that is deleted at the end of a `with` block; without one it stays."""

    def __enter__(self) -> TemporaryPath:
        return self

    def __exit__(self, *_: object) -> None:
        self.unlink(missing_ok=True)


class Artifact(Handle[ArtifactRecord]):
    """Handle of one artifact."""

    _read_record = staticmethod(artifacts.artifact_record)

    @property
    def name(self) -> str | None:
        """Display name."""
        return self._record.name

    @property
    def size(self) -> int | None:
        """Bytes."""
        return self._record.size

    @property
    def mime_type(self) -> str | None:
        """Media type."""
        return self._record.mime_type

    @property
    def created_at(self) -> datetime | None:
        """When it was created."""
        return self._record.created_at

    @property
    def last_modified_at(self) -> datetime | None:
        """When its bytes last changed."""
        return self._record.last_modified_at

    @property
    def etag(self) -> str | None:
        """The platform's mark of these bytes."""
        return self._record.etag

    @property
    def policy(self) -> str | None:
        """URN of the policy that governs who sees it."""
        return self._record.policy

    @property
    def account(self) -> str | None:
        """URN of the account it belongs to."""
        return self._record.account

    @property
    def status(self) -> str:
        """`pending`, `partial`, `ready` or `error`. Asks the platform, as the documented contract has it."""
        return self.refresh()._record.status

    def refresh(self) -> Artifact:
        """Read its description again."""
        self._record = run(artifacts.read(self._port, self.urn))
        return self

    async def refresh_async(self) -> Artifact:
        """`refresh` for async code."""
        self._record = await artifacts.read(self._async_port, self.urn)
        return self

    def as_stream(self, chunk_size: int = -1) -> Iterator[bytes]:
        """Its bytes, as they come, in pieces of at most `chunk_size` (by default 1 MiB)."""
        body = run(artifacts.data(self._port, run(self._described(self._port))))
        try:
            while piece := run(body.read(chunk_size if chunk_size > 0 else downloads.PIECE)):
                yield piece
        finally:
            run(body.close())

    async def as_stream_async(self, chunk_size: int = -1) -> AsyncGenerator[bytes, None]:
        """`as_stream` for async code. Close it (`aclose`) if you stop early: the rest is not fetched then."""
        body = await artifacts.data(self._async_port, await self._described(self._async_port))
        try:
            while piece := await body.read(chunk_size if chunk_size > 0 else downloads.PIECE):
                yield piece
        finally:
            await body.close()

    def as_bytes(self, *, most: int = 64 * 1024 * 1024) -> bytes:
        """Its bytes in memory; `ProtocolError` where they are more than `most`."""
        return run(self._bytes(self._port, most))

    async def as_bytes_async(self, *, most: int = 64 * 1024 * 1024) -> bytes:
        """`as_bytes` for async code."""
        return await self._bytes(self._async_port, most)

    def part(self, first: int, length: int) -> bytes:
        """At most `length` bytes from `first` on, fetched as a range where the platform has ranges."""
        return run(self._part(self._port, first, length))

    async def part_async(self, first: int, length: int) -> bytes:
        """`part` for async code."""
        return await self._part(self._async_port, first, length)

    def ranged(self) -> bool:
        """Whether a `part` can be had without what lies before it; tried once per origin, then remembered."""
        return run(self._ranged(self._port))

    async def ranged_async(self) -> bool:
        """`ranged` for async code."""
        return await self._ranged(self._async_port)

    def fill(self, file: IO[bytes], *, size: int) -> Artifact:
        """Send the bytes of an artifact that `create_artifact` announced; what has arrived before is not sent again.

        Args:
            file: A seekable binary file with the whole content.
            size: Bytes it has.
        """
        from ivcap_client._io import uploads

        self._record = run(uploads.fill(self._port, self._record, file, size))
        return self

    async def fill_async(self, file: IO[bytes], *, size: int) -> Artifact:
        """`fill` for async code."""
        from ivcap_client._io import uploads

        self._record = await uploads.fill(self._async_port, self._record, file, size)
        return self

    def as_local_file(
        self, path: str | os.PathLike[str] | None = None, *, progress_callback: Progress | None = None
    ) -> Path:
        """Download it, to `path` or to a temporary file that a `with` block deletes.

        The file appears when it is complete; an existing one stays until then. Memory does not depend on its size.
        """
        return self._placed(run(self._file(self._port, path, progress_callback)), path)

    async def as_local_file_async(
        self, path: str | os.PathLike[str] | None = None, *, progress_callback: Progress | None = None
    ) -> Path:
        """`as_local_file` for async code."""
        return self._placed(await self._file(self._async_port, path, progress_callback), path)

    def as_data_url(self, max_length: int = 512) -> str:
        """Its bytes as a `data:` URL of at most `max_length` characters."""
        return run(self._data_url(self._port, max_length))

    async def as_data_url_async(self, max_length: int = 512) -> str:
        """`as_data_url` for async code."""
        return await self._data_url(self._async_port, max_length)

    @property
    def metadata(self) -> Pager[Aspect]:
        """The aspects about it."""
        return self._ivcap.list_aspects(entity=self.urn, limit=None)

    def add_metadata(self, aspect: dict[str, Any], *, schema: str | None = None, policy: str | None = None) -> Artifact:
        """State something about it."""
        run(aspects.add(self._port, self.urn, aspect, schema=schema, policy=policy))
        return self

    async def add_metadata_async(
        self, aspect: dict[str, Any], *, schema: str | None = None, policy: str | None = None
    ) -> Artifact:
        """`add_metadata` for async code."""
        await aspects.add(self._async_port, self.urn, aspect, schema=schema, policy=policy)
        return self

    async def _described(self, port: Port) -> ArtifactRecord:
        # Items of a listing have no link to the bytes.
        if self._record.data_href is None:
            self._record = await artifacts.read(port, self.urn)
        return self._record

    async def _data_url(self, port: Port, most: int) -> str:
        record = await self._described(port)
        head = f"data:{record.mime_type or 'application/octet-stream'};base64,"
        size = record.size or 0
        length = len(head) + 4 * ((size + 2) // 3)
        if length > most:
            raise ArtifactTooLargeForDataUrlError(self.id, size, length, most)
        return head + base64.b64encode(await self._bytes(port, most)).decode("ascii")

    async def _bytes(self, port: Port, most: int) -> bytes:
        return await downloads.to_bytes(port, await self._described(port), most=most)

    async def _part(self, port: Port, first: int, length: int) -> bytes:
        return await downloads.part(port, await self._described(port), first, length)

    async def _ranged(self, port: Port) -> bool:
        return await downloads.ranged(port, await self._described(port))

    async def _file(self, port: Port, path: str | os.PathLike[str] | None, progress: Progress | None) -> Path:
        where = None if path is None else Path(path)
        return await downloads.to_file(port, await self._described(port), where, progress=progress)

    def _placed(self, file: Path, path: str | os.PathLike[str] | None) -> Path:
        return TemporaryPath(file) if path is None else file


class LocalFileArtifact(Artifact):
    """An artifact of a local directory: its `id` names the file, its `urn` the artifact."""

    def __init__(self, ivcap: ivcap_client.IVCAP, record: ArtifactRecord, /, *, path: Path) -> None:
        super().__init__(ivcap, record)
        self.path = path

    @property
    def id(self) -> str:
        """`urn:file://<absolute path>`, as the documented contract has it."""
        return f"urn:file://{self.path}"

    @property
    def urn(self) -> str:
        """The artifact's URN, which aspects and jobs use."""
        return self._record.id
