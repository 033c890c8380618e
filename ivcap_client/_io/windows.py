"""What is sent of a stream in one request: a part of a file as it lies there, or a chunk held in memory."""

from __future__ import annotations

import io
from typing import IO, Any

from ivcap_client._core.messages import MIB
from ivcap_client.exception import InvalidInput

PIECE = MIB


class Window(io.RawIOBase):
    """At most `length` bytes of a file from where it stands: one chunk's body, read as it goes out."""

    def __init__(self, file: IO[bytes], length: int) -> None:
        self._file, self._left = file, length

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        wanted = min(size if size >= 0 else self._left, self._left, PIECE)
        piece = self._file.read(wanted) if wanted else b""
        if wanted and not piece:
            raise InvalidInput("could not upload artifact: the file or stream became shorter while it was being sent")
        self._left -= len(piece)
        return piece


class Held:
    """The current chunk of a stream that cannot be rewound, kept until the platform has all of it."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._bytes = stream, b""
        self.base, self.length, self.over = -1, 0, False

    def chunk(self, offset: int, size: int) -> IO[bytes]:
        if self.base < 0 or offset >= self.base + self.length:
            self.base, pieces, got = offset, [], 0
            while got < size and (piece := self._stream.read(min(size - got, PIECE))):
                pieces.append(piece.encode() if isinstance(piece, str) else piece)
                got += len(pieces[-1])
            self._bytes, self.length, self.over = b"".join(pieces), got, got < size
        return io.BytesIO(self._bytes)


def is_seekable(stream: IO[bytes]) -> bool:
    seekable = getattr(stream, "seekable", None)
    return callable(seekable) and bool(seekable())
