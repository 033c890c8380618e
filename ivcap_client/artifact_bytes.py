"""The bytes of an artifact: streamed, in part, as a file, unpacked. The same for every kind of artifact."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import IO, Any

from ivcap_client._core import artifacts
from ivcap_client._core.artifacts import ArtifactRecord
from ivcap_client._core.messages import MIB
from ivcap_client._core.port import Port, run
from ivcap_client._core.resuming import Reading
from ivcap_client._io import downloads
from ivcap_client.exception import ArtifactTooLargeForDataUrlError, InvalidInput
from ivcap_client.files import CMPath, ProxyFile, RemoteFile
from ivcap_client.handle import Handle

__all__ = ["ArtifactBytes", "Progress"]

Progress = Callable[[int, int | None], None]
Target = str | os.PathLike[str]

_TAR_TYPES = ("application/x-tar", "application/tar", "application/x-gtar", "application/x-compressed-tar")
_TAR_ENDS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_FILE_BUFFER = 256 * 1024


class ArtifactBytes(Handle[ArtifactRecord]):
    """What can be done with an artifact's bytes."""

    def as_stream(self, chunk_size: int = -1) -> Iterator[bytes]:
        """Its bytes, as they come, in pieces of at most `chunk_size` (by default 1 MiB).

        A line that breaks is opened again where it broke.

        Examples:
            >>> stored = ivcap.upload_artifact(name="a.txt", io_stream=io.BytesIO(b"hello"), content_type="text/plain")
            >>> list(stored.as_stream(chunk_size=3))
            [b'hel', b'lo']
        """
        reading = Reading(self._port, run(self._described(self._port)))
        run(reading.open())
        try:
            while piece := run(reading.read(_piece(chunk_size))):
                yield piece
        finally:
            run(reading.close())

    async def as_stream_async(self, chunk_size: int = -1) -> AsyncGenerator[bytes, None]:
        """`as_stream` for async code. Close it (`aclose`) if you stop early: the rest is not fetched then."""
        reading = Reading(self._async_port, await self._described(self._async_port))
        await reading.open()
        try:
            while piece := await reading.read(_piece(chunk_size)):
                yield piece
        finally:
            await reading.close()

    def as_bytes(self, *, most: int = 64 * MIB) -> bytes:
        """Its bytes in memory; `ProtocolError` where they are more than `most`."""
        return run(self._bytes(self._port, most))

    async def as_bytes_async(self, *, most: int = 64 * MIB) -> bytes:
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

    def open(self) -> ProxyFile:
        """Its bytes as an open file, read only.

        Where the platform has ranges, just the parts that are read are fetched, and `seek` costs nothing; where it has
        none, the artifact is downloaded to a temporary file first. Memory does not depend on its size.

        Examples:
            >>> stored = ivcap.upload_artifact(name="a.csv", io_stream=io.BytesIO(b"x\\n1\\n2\\n"))
            >>> with stored.open() as file:
            ...     file.readline(), file.read()
            (b'x\\n', b'1\\n2\\n')
        """
        record = run(self._described(self._port))
        if record.size is None or not self.ranged():
            return ProxyFile(_unnamed(run(self._file(self._port, None, -1, None))))
        return ProxyFile(io.BufferedReader(RemoteFile(self.part, record.size), _FILE_BUFFER))

    async def open_async(self) -> ProxyFile:
        """`open` for async code: the artifact is downloaded to a temporary file, which then is read without waiting."""
        file = await self._file(self._async_port, None, -1, None)
        return ProxyFile(_unnamed(file))

    def as_local_file(
        self, path: Target | None = None, *, chunk_size: int = -1, progress_callback: Progress | None = None
    ) -> Path:
        """Download it, to `path` or to a temporary file that a `with` block deletes.

        The file appears when it is complete and is what the platform stored (size and, where it is a digest, etag); an
        existing one stays until then. Memory does not depend on its size.

        Args:
            path: Where to; directories are made.
            chunk_size: Bytes read at once; by default 1 MiB.
            progress_callback: Called with bytes done and bytes in all (`None` if not known).

        Raises:
            IvcapConnectionError: Not all came, or something else.

        Examples:
            >>> stored = ivcap.upload_artifact(name="a.txt", io_stream=io.BytesIO(b"hello"))
            >>> stored.as_local_file("kept/a.txt").read_text()
            'hello'
        """
        return self._placed(run(self._file(self._port, path, chunk_size, progress_callback)), path)

    async def as_local_file_async(
        self, path: Target | None = None, *, chunk_size: int = -1, progress_callback: Progress | None = None
    ) -> Path:
        """`as_local_file` for async code."""
        return self._placed(await self._file(self._async_port, path, chunk_size, progress_callback), path)

    def as_data_url(self, max_length: int = 512) -> str:
        """Its bytes as a `data:` URL of at most `max_length` characters.

        Raises:
            ArtifactTooLargeForDataUrlError: It would be longer.
        """
        return run(self._data_url(self._port, max_length))

    async def as_data_url_async(self, max_length: int = 512) -> str:
        """`as_data_url` for async code."""
        return await self._data_url(self._async_port, max_length)

    @property
    def is_tar_file(self) -> bool:
        """Whether its type or name says that it is a tar archive. Free: nothing is asked."""
        kind = (self._record.mime_type or "").split(";")[0].strip().lower()
        return kind in _TAR_TYPES or (self._record.name or "").lower().endswith(_TAR_ENDS)

    def untar(
        self,
        dest_dir: Target,
        *,
        chunk_size: int = -1,
        progress_callback: Progress | None = None,
        max_bytes: int | None = None,
    ) -> Path:
        """Download a tar archive and unpack it; nothing is ever written outside `dest_dir`.

        Args:
            dest_dir: Directory to unpack to; it is made. Files of the same name are replaced.
            chunk_size: Bytes read at once; by default 1 MiB.
            progress_callback: Called with bytes unpacked, and the size of the archive.
            max_bytes: Bytes it may unpack to; 16 GiB by default.

        Returns:
            `dest_dir`.

        Raises:
            InvalidInput: It is no tar archive (gzip, bzip2 and xz are understood).
            ProtocolError: It holds links, devices or names that lead out of the directory, or too much. Then nothing
                is unpacked; `as_local_file()` gives the archive itself.
        """
        return run(self._untar(self._port, dest_dir, chunk_size, progress_callback, max_bytes))

    async def untar_async(
        self,
        dest_dir: Target,
        *,
        chunk_size: int = -1,
        progress_callback: Progress | None = None,
        max_bytes: int | None = None,
    ) -> Path:
        """`untar` for async code."""
        return await self._untar(self._async_port, dest_dir, chunk_size, progress_callback, max_bytes)

    async def _described(self, port: Port) -> ArtifactRecord:
        # Items of a listing have no link to the bytes.
        if self._record.data_href is None:
            self._record = await artifacts.read(port, self._name())
        return self._record

    def _name(self) -> str:
        return self.urn

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

    async def _file(self, port: Port, path: Target | None, chunk_size: int, progress: Progress | None) -> Path:
        where = None if path is None else Path(path)
        if where is not None and await port.offload(where.is_dir):
            raise InvalidInput(f"could not download artifact: {where} is a directory: name a file in it")
        record = await self._described(port)
        return await downloads.to_file(port, record, where, piece_size=_piece(chunk_size), progress=progress)

    def _placed(self, file: Path, path: Target | None) -> Path:
        return CMPath(file) if path is None else file

    async def _untar(
        self, port: Port, target: Target, chunk_size: int, progress: Progress | None, most: int | None
    ) -> Path:
        from ivcap_client._io import tars

        # All of it is fetched and verified first: a broken line leaves no half of a directory.
        archive = await self._file(port, None, chunk_size, None)
        limits: dict[str, Any] = {} if most is None else {"most_bytes": most}
        try:
            return await port.offload(
                tars.unpack, archive, Path(target), progress=progress, total=self._record.size, **limits
            )
        except InvalidInput as error:
            raise InvalidInput(
                f"{error}; its name is {self._record.name!r}, its type {self._record.mime_type}"
            ) from None
        finally:
            archive.unlink(missing_ok=True)


def _piece(chunk_size: int) -> int:
    return chunk_size if chunk_size > 0 else downloads.PIECE


def _unnamed(path: Path) -> IO[bytes]:
    """A temporary file, open; it goes away with its last use."""
    if os.name == "nt":
        import shutil
        import tempfile

        held = tempfile.TemporaryFile(prefix="ivcap-")  # noqa: SIM115 - handed out open
        with path.open("rb") as source:
            shutil.copyfileobj(source, held)
        held.seek(0)
        path.unlink()
        return held
    file = path.open("rb")
    path.unlink()
    return file
