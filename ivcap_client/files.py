"""Paths and open files that artifacts give out, and what archives are made of."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING

from ivcap_client.exception import InvalidInput

__all__ = ["CMPath", "ProxyFile", "RemoteFile", "SafePath", "TarMember"]

if TYPE_CHECKING:
    _Path = Path
else:
    _Path = type(Path())  # before Python 3.12 only the concrete class can be derived from


class CMPath(_Path):
    """A downloaded file that is deleted at the end of a `with` block; without one it stays."""

    def __enter__(self) -> CMPath:
        return self

    def __exit__(self, *_: object) -> None:
        self.unlink(missing_ok=True)


class SafePath(_Path):
    """A file that is not ours to delete: `unlink` and the end of a `with` block leave it where it is.

    Code that was written for downloaded files so works with the sources of local artifacts too.
    """

    def unlink(self, missing_ok: bool = False) -> None:
        """Does nothing."""

    def __enter__(self) -> SafePath:
        return self

    def __exit__(self, *_: object) -> None:
        """Does nothing."""


class RemoteFile(io.RawIOBase):
    """An artifact's bytes, fetched in parts as they are read.

    Args:
        part: Gives at most so many bytes (second) from a place on (first).
        size: Bytes in all.
    """

    def __init__(self, part: Callable[[int, int], bytes], size: int) -> None:
        self._part, self._size, self._at = part, size, 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is; going to a place costs nothing."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, as files do; returns it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"negative seek position {base + offset}")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Where it stands."""
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override] # typeshed's type has no name
        """Fill a buffer, or the part of it for which there are bytes."""
        wanted = min(len(buffer), max(self._size - self._at, 0))
        piece = self._part(self._at, wanted) if wanted else b""
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


class ProxyFile:
    """An open file of bytes, read only.

    Args:
        buffer: Where it reads from.
    """

    def __init__(self, buffer: IO[bytes] | io.BufferedReader) -> None:
        self._buffer = buffer

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; by default all there are."""
        return self._buffer.read(size)

    def readline(self, size: int = -1) -> bytes:
        """One line, with its end."""
        return self._buffer.readline(size)

    def readlines(self) -> list[bytes]:
        """All lines that are left."""
        return self._buffer.readlines()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, as files do; returns it."""
        return self._buffer.seek(offset, whence)

    def tell(self) -> int:
        """Where it stands."""
        return self._buffer.tell()

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """Whether `seek` works."""
        return self._buffer.seekable()

    def close(self) -> None:
        """Let go of what it holds."""
        self._buffer.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._buffer.closed

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._buffer)

    def __enter__(self) -> ProxyFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class TarMember:
    """A file to be put into an archive: from disk, or from memory.

    Attributes:
        arcname: Its name in the archive.
        file_path: The file, read while the archive is sent.
        data: Its bytes, instead of a file.
        mtime: When it changed, in seconds since 1970; the file's own time, or now.
        mode: Permission bits; the file's own, or 0o644.

    Raises:
        InvalidInput: Neither or both of file and bytes were given, or no name.

    Examples:
        >>> from ivcap_client import TarMember
        >>> table = TarMember.from_bytes(b"a,b\\n1,2\\n", "table.csv")
        >>> about = TarMember.from_bytes(b"{}", "meta/about.json")
        >>> stored = ivcap.upload_tar_artifact([table, about], name="study.tar.gz")
        >>> sorted(path.name for path in stored.untar("unpacked").rglob("*.*"))
        ['about.json', 'table.csv']
    """

    arcname: str
    file_path: str | os.PathLike[str] | None = None
    data: bytes | None = None
    mtime: float | None = None
    mode: int | None = None

    def __post_init__(self) -> None:
        if (self.file_path is None) == (self.data is None):
            raise InvalidInput("a TarMember is made of a file or of bytes: give either file_path or data")
        if not self.arcname:
            raise InvalidInput("a TarMember needs a name in the archive (arcname)")

    @classmethod
    def from_file(cls, file_path: str | os.PathLike[str], arcname: str | None = None) -> TarMember:
        """A member from disk, under its own name unless `arcname` gives another."""
        return cls(arcname or os.path.basename(os.fspath(file_path)), file_path=file_path)

    @classmethod
    def from_bytes(cls, data: bytes, arcname: str, *, mtime: float | None = None, mode: int | None = None) -> TarMember:
        """A member from memory."""
        return cls(arcname, data=data, mtime=mtime, mode=mode)
