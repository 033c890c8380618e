"""The only importer of tuspy, which keeps chunks and offsets; its bytes go out through the port.

tuspy's own requests have no time-out, let `.netrc` replace the token and follow redirects to other origins with the
body. So its request is replaced by one that uses `port.wire`, and an upload obeys the same policy as every call.

Source: tus 1.0.0 with `creation-defer-length`.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

from ivcap_client._core.call import authorised, is_foreign, without_credential
from ivcap_client._core.messages import MIB, Request, Response
from ivcap_client._core.port import Port
from ivcap_client._core.retry import pause, retry_after
from ivcap_client.exception import (
    Conflict,
    IvcapConnectionError,
    IvcapTimeout,
    ProtocolError,
    ServerError,
    TooManyRequests,
    error_for,
)

if TYPE_CHECKING:
    from tusclient.uploader.uploader import Uploader

CHUNK = 8 * MIB
PIECE = MIB
WHAT = "upload artifact"

Progress = Callable[[int, int | None], None]


class Window(io.RawIOBase):
    """At most `length` bytes of a file from where it stands: one chunk's body, read as it goes out."""

    def __init__(self, file: IO[bytes], length: int) -> None:
        self._file, self._left = file, length

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        wanted = min(size if size >= 0 else self._left, self._left, PIECE)
        piece = self._file.read(wanted) if wanted else b""
        self._left -= len(piece)
        return piece


async def upload(
    port: Port,
    href: str,
    stream: IO[bytes],
    *,
    size: int | None,
    offset: int = 0,
    chunk: int = CHUNK,
    retries: int = 5,
    progress: Progress | None = None,
) -> int:
    """Send a stream's bytes to an upload that was created.

    After a lost reply, a time-out, 409 or 5xx the platform is asked how much arrived, and sending goes on from there.

    Args:
        port: Way to the platform.
        href: The upload's URL, as the platform gave it.
        stream: Positioned so that its next byte is number `offset` of the artifact.
        size: Bytes in all; `None`: not known, the platform is told with the last chunk.
        offset: Bytes that have arrived before.
        chunk: Bytes of one PATCH.
        retries: Failures in a row that are borne before the upload gives up.
        progress: Told the bytes that arrived, and `size`.

    Returns:
        Bytes in all.

    Raises:
        IvcapError: After `retries` failures in a row, the last one; what arrived stays and can be resumed.
        ProtocolError: The platform's offset is not one we could have reached.
    """
    if is_foreign(port.target, href):
        raise ProtocolError(f"could not {WHAT}: the platform wants the bytes at another origin, where they may not go")
    line = _Line(port, href, chunk)
    # A stream that cannot be rewound is sent from memory, one chunk at a time; others straight from where they lie.
    held = _Held(stream) if size is None or not _seekable(stream) else None
    start = 0 if held else stream.tell() - offset
    total, told, failures = size, size is not None, 0
    while total is None or not told or offset < total:
        if held is not None:
            file, base = await port.offload(held.chunk, offset, chunk), held.base
            end = base + held.length
            total = end if held.over else total
        else:
            file, base, end = stream, -start, total or 0
        try:
            reached = await port.offload(line.patch, file, base, offset, end, None if told else total)
        except (IvcapConnectionError, IvcapTimeout, Conflict, ServerError, TooManyRequests) as error:
            failures += 1
            if failures > retries:
                raise
            await port.sleep(pause(port.target.retry, failures, random.random()))  # noqa: S311
            reached = await _arrived(port, line, error)
            if not (base if held else 0) <= reached <= end:
                raise ProtocolError(
                    f"could not {WHAT}: the platform says {reached} bytes arrived, which is not where the upload stands"
                ) from error
        else:
            if not offset < reached <= end and not offset == reached == end == total:
                raise ProtocolError(f"could not {WHAT}: the platform's Upload-Offset went from {offset} to {reached}")
            failures, told = 0, told or reached == total
        offset = reached
        if progress is not None:
            progress(offset, total)
    return offset


async def _arrived(port: Port, line: _Line, failure: Exception) -> int:
    """How much the platform has, asked until it answers; else the failure that led here is what the caller sees."""
    for attempt in range(1, port.target.retry.attempts + 1):
        try:
            return await port.offload(line.head)
        except (IvcapConnectionError, IvcapTimeout, ServerError, TooManyRequests):
            await port.sleep(pause(port.target.retry, attempt, random.random()))  # noqa: S311
    raise failure


async def resume_offset(port: Port, href: str) -> int:
    """Ask how much of an upload has arrived.

    Args:
        port: Way to the platform.
        href: URL the platform gave when the upload was created.

    Returns:
        Bytes received so far, counted from 0: also the offset of the next chunk.

    Raises:
        ResourceNotFound: The upload expired; create it again.
        ProtocolError: The reply has no usable `Upload-Offset`.

    Source: tus 1.0.0, "Core protocol", HEAD.
    """
    return await port.offload(_Line(port, href, CHUNK).head)


class _Line:
    """The upload's requests, made by tuspy and sent by the port."""

    def __init__(self, port: Port, href: str, chunk: int) -> None:
        self._port, self._href, self._chunk = port, href, chunk

    def head(self) -> int:
        reply = self._sent(Request("HEAD", self._href, headers={"tus-resumable": "1.0.0"}, what="resume upload"))
        return _offset(reply)

    def patch(self, file: IO[bytes], base: int, offset: int, end: int, total: int | None) -> int:
        """Send the chunk at `offset` from a file whose byte 0 is number `base` of the artifact."""
        uploader = self._uploader(file, end - base)
        uploader.offset = offset - base
        request = _tus_request(uploader)
        headers = {name.lower(): value for name, value in request._request_headers.items()}
        headers["upload-offset"] = str(offset)
        length = min(self._chunk, end - offset)
        headers["content-length"] = str(length)
        if total is not None and offset + length == total:
            headers["upload-length"] = str(total)
        request.file.seek(offset - base)
        body = Window(request.file, length)
        return _offset(self._sent(Request("PATCH", self._href, headers=headers, body=body, what=WHAT)))

    def _sent(self, request: Request) -> Response:
        request = authorised(self._port.target, request)
        reply = self._port.wire(request)
        if reply.status >= 300:
            local, reply = self._port.target.local, without_credential(reply, request)
            raise error_for(request.what, reply, local=local, retry_after=retry_after(reply.headers))
        return reply

    def _uploader(self, file: IO[bytes], size: int) -> Uploader:
        from tusclient.uploader.uploader import Uploader

        class PortUploader(Uploader):
            """Never asks for the size, nor rewinds: both are known here."""

            def get_file_size(self) -> int:
                return size

            def get_file_stream(self) -> IO[bytes]:
                return file

            def get_offset(self) -> int:
                return 0

        return PortUploader(file_stream=file, url=self._href, chunk_size=self._chunk)


def _tus_request(uploader: Uploader) -> Any:
    from tusclient.request import TusRequest

    return TusRequest(uploader)  # type: ignore[no-untyped-call]


def _offset(reply: Response) -> int:
    text = reply.headers.get("upload-offset", "")
    if not text.isdigit():
        raise ProtocolError(f"could not {WHAT}: the platform's reply has no usable Upload-Offset ({text!r})")
    return int(text)


def _seekable(stream: IO[bytes]) -> bool:
    seekable = getattr(stream, "seekable", None)
    return callable(seekable) and bool(seekable())


class _Held:
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
