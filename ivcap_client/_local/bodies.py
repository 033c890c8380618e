"""Replies that are read piece by piece."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from .._core.messages import Response


class WholeBody:
    """A reply that is there already."""

    def __init__(self, response: Response) -> None:
        self.status, self.headers = response.status, response.headers
        self._left = response.body

    def read(self, size: int = 65536) -> bytes:
        """Return some bytes, at most `size`; empty at the end."""
        piece, self._left = self._left[:size], self._left[size:]
        return piece

    def close(self) -> None:
        """Forget the rest."""
        self._left = b""


class FileBody:
    """A range of a file. What was opened is sent to its end, even if the name is given to another file meanwhile."""

    def __init__(self, status: int, headers: Mapping[str, str], path: Path, start: int, length: int) -> None:
        self.status, self.headers = status, headers
        self._left = length
        self._file = path.open("rb")
        self._file.seek(start)

    def read(self, size: int = 65536) -> bytes:
        """Return some bytes, at most `size`; empty at the end.

        Raises:
            OSError: The file became shorter than it was when the reply began.
        """
        if self._left <= 0:
            return b""
        piece = self._file.read(min(size, self._left))
        if not piece:
            raise OSError(f"{os.fspath(self._file.name)} was cut short while it was being sent")
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class StreamedBody:
    """Pieces that are made one after the other."""

    def __init__(self, status: int, headers: Mapping[str, str], pieces: Iterator[bytes]) -> None:
        self.status, self.headers = status, headers
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int = 65536) -> bytes:
        """Return some bytes, at most `size`; empty at the end."""
        if not self._rest:
            self._rest = next(self._pieces, b"")
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece

    def close(self) -> None:
        """Forget the rest."""
        self._rest, self._pieces = b"", iter(())
