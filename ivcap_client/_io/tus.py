"""The only importer of tuspy, which keeps chunks and offsets; its bytes go out through the port.

tuspy's own requests have no time-out, let `.netrc` replace the token and follow redirects to other origins with the
body. So its request is replaced by one that uses `port.wire`, and an upload obeys the same policy as every call.

Source: tus 1.0.0 with `creation-defer-length`.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

from ivcap_client._core.call import authorised, renewed
from ivcap_client._core.messages import MIB, Request, Response
from ivcap_client._core.port import Port
from ivcap_client._core.refusals import error_for
from ivcap_client._core.retry import pause, retry_after
from ivcap_client._io.windows import Held, Window, is_seekable
from ivcap_client.exception import (
    InvalidInput,
    IvcapApiError,
    IvcapConnectionError,
    IvcapError,
    IvcapTimeout,
    NotAuthorizedException,
    ProtocolError,
)

if TYPE_CHECKING:
    from tusclient.uploader.uploader import Uploader

CHUNK = 8 * MIB
MOST_CHUNK = 64 * MIB
QUICK = 2.0
"""Seconds within which a chunk must be gone for the next one to be larger."""
WHAT = "upload artifact"
_PASSING = frozenset({408, 409, 423, 425, 429, 500, 502, 503, 504})
"""Refusals after which the upload goes on; 423 is a server that still holds the lock of a line that broke."""

Progress = Callable[[int, int | None], None]


async def upload(
    port: Port,
    href: str,
    stream: IO[bytes],
    *,
    size: int | None,
    offset: int = 0,
    chunk: int = CHUNK,
    most: int = 0,
    retries: int = 5,
    delay: float | None = None,
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
        most: Bytes to which a PATCH of what can be rewound may grow while the line is good: each costs the platform a
            moment of its own. 0: it does not grow.
        retries: Failures in a row that are borne before the upload gives up.
        delay: Seconds between a failure and the next try; `None`: growing pauses, by the port's policy.
        progress: Told the bytes that arrived, and `size`.

    Returns:
        Bytes in all.

    Raises:
        IvcapError: After `retries` failures without progress, the last one; what arrived stays and can be resumed.
        InvalidInput: The stream has fewer bytes than `size`.
        ProtocolError: The platform's offset is not one we could have reached.
    """
    line = _Line(port, href)
    # A stream that cannot be rewound is sent from memory, one chunk at a time; others straight from where they lie.
    held = Held(stream) if size is None or not is_seekable(stream) else None
    start = 0 if held else stream.tell() - offset
    total, told, failures, furthest = size, size is not None, 0, offset
    usual = chunk
    while total is None or not told or offset < total:
        if held is not None:
            most = chunk if size is None else min(chunk, size - offset)
            file, base = await port.offload(held.chunk, offset, most), held.base
            end = base + held.length
            if held.over and size is not None:
                raise InvalidInput(f"could not {WHAT}: the stream ended after {end} bytes, {size} were announced")
            total = end if held.over else total
        else:
            file, base, end = stream, -start, total or 0
        reach = min(offset + chunk, end)
        began = port.now()
        try:
            reached = await port.exchange(line.patch, chunk, file, base, offset, end, None if told else total, not told)
        except (IvcapConnectionError, IvcapTimeout, IvcapApiError) as error:
            failures, chunk = failures + 1, usual
            if failures > retries or not await _may_pass(port, line, error, failures, delay):
                raise
            reached = await _arrived(port, line, error)
            if not (base if held else 0) <= reached <= reach:
                raise ProtocolError(
                    f"could not {WHAT}: the platform says {reached} bytes arrived, which is not where the upload stands"
                ) from error
        else:
            if not offset < reached <= reach and not offset == reached == end == total:
                raise ProtocolError(f"could not {WHAT}: the platform's Upload-Offset went from {offset} to {reached}")
            told = told or reached == total
            if held is None and reached == reach and port.now() - began < QUICK:
                chunk = max(chunk, min(2 * chunk, most))
        # Only what never arrived before is progress: a platform that forgets must not keep us for ever.
        failures, furthest = (0, reached) if reached > furthest else (failures, furthest)
        offset = reached
        if progress is not None:
            progress(offset, total)
    return offset


async def _may_pass(port: Port, line: _Line, failure: IvcapError, failures: int, delay: float | None = None) -> bool:
    """Whether another try may help, made true where a new credential can make it so; pauses before it."""
    if isinstance(failure, NotAuthorizedException) and failure.status_code == 401:
        return failures == 1 and line.refused is not None and await renewed(port, line.refused)
    status = failure.status_code if isinstance(failure, IvcapApiError) else 0
    if status and status not in _PASSING:
        return False
    asked = getattr(failure, "retry_after", None) or 0.0
    if asked > port.target.retry.longest_wait:
        return False
    own = pause(port.target.retry, failures, random.random()) if delay is None else delay  # noqa: S311
    await port.sleep(max(own, asked))
    return True


async def _arrived(port: Port, line: _Line, failure: Exception) -> int:
    """How much the platform has, asked until it answers; else the failure that led here is what the caller sees."""
    for attempt in range(1, port.target.retry.attempts + 1):
        try:
            return await port.exchange(line.head)
        except (IvcapConnectionError, IvcapTimeout, IvcapApiError) as error:
            if isinstance(error, IvcapApiError) and error.status_code not in _PASSING:
                raise
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
    return await port.exchange(_Line(port, href).head)


class _Line:
    """The upload's requests, made by tuspy and sent by the port."""

    def __init__(self, port: Port, href: str) -> None:
        self._port, self._href = port, href
        self.refused: Request | None = None

    def head(self) -> int:
        reply = self._sent(Request("HEAD", self._href, headers={"tus-resumable": "1.0.0"}, what="resume upload"))
        return _offset(reply)

    def patch(
        self, chunk: int, file: IO[bytes], base: int, offset: int, end: int, total: int | None, open_ended: bool
    ) -> int:
        """Send the chunk at `offset` from a file whose byte 0 is number `base` of the artifact."""
        uploader = self._uploader(file, end - base, chunk)
        uploader.offset = offset - base
        request = _tus_request(uploader)
        headers = {name.lower(): value for name, value in request._request_headers.items()}
        headers["upload-offset"] = str(offset)
        length = min(chunk, end - offset)
        headers["content-length"] = str(length)
        if total is not None and offset + length == total:
            headers["upload-length"] = str(total)
        elif open_ended:  # else a platform could take what it has for all there is
            headers["upload-defer-length"] = "1"
        request.file.seek(offset - base)
        body = Window(request.file, length)
        return _offset(self._sent(Request("PATCH", self._href, headers=headers, body=body, what=WHAT)))

    def _sent(self, request: Request) -> Response:
        prepared = authorised(self._port.target, request)
        reply = self._port.wire(prepared)
        self.refused = dataclasses.replace(prepared, body=None) if reply.status == 401 else None
        if reply.status >= 300:
            local = self._port.target.local
            raise error_for(request.what, reply, prepared, local=local, retry_after=retry_after(reply.headers))
        return reply

    def _uploader(self, file: IO[bytes], size: int, chunk: int) -> Uploader:
        from tusclient.uploader.uploader import Uploader

        class PortUploader(Uploader):
            """Never asks for the size, nor rewinds: both are known here."""

            def get_file_size(self) -> int:
                return size

            def get_file_stream(self) -> IO[bytes]:
                return file

            def get_offset(self) -> int:
                return 0

        return PortUploader(file_stream=file, url=self._href, chunk_size=chunk)


def _tus_request(uploader: Uploader) -> Any:
    from tusclient.request import TusRequest

    return TusRequest(uploader)  # type: ignore[no-untyped-call]


def _offset(reply: Response) -> int:
    text = reply.headers.get("upload-offset", "")
    if not text.isdigit():
        raise ProtocolError(f"could not {WHAT}: the platform's reply has no usable Upload-Offset ({text!r})")
    return int(text)
