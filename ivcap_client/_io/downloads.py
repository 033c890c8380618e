"""An artifact's bytes, streamed: to a file that appears whole, or bounded into memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from ivcap_client._core import artifacts
from ivcap_client._core.artifacts import ArtifactRecord
from ivcap_client._core.call import absolute, origin
from ivcap_client._core.messages import MIB
from ivcap_client._core.port import Port
from ivcap_client.exception import IvcapConnectionError, ProtocolError

WHAT = "download artifact"
PIECE = MIB

Progress = Callable[[int, int | None], None]


async def to_file(port: Port, record: ArtifactRecord, path: Path | None, *, progress: Progress | None = None) -> Path:
    """Write the artifact to `path`, or to a temporary file; an existing file is replaced only when all is there.

    Raises:
        ProtocolError: Fewer or more bytes came than the platform said.
        OSError: The file cannot be written.
    """
    body = await artifacts.data(port, record)
    expected = _expected(record, body.headers)
    folder = path.parent if path is not None else None
    handle, name = await port.offload(tempfile.mkstemp, ".part", ".ivcap-", folder)
    done = 0
    try:
        with os.fdopen(handle, "wb") as file:
            while piece := await body.read(PIECE):
                await port.offload(file.write, piece)
                done += len(piece)
                if progress is not None:
                    progress(done, expected)
        _complete(record, done, expected)
        if path is None:
            return Path(name)
        os.replace(name, path)
        return path
    except BaseException:
        await port.offload(os.unlink, name)
        raise
    finally:
        await body.close()


async def to_bytes(port: Port, record: ArtifactRecord, *, most: int) -> bytes:
    """The artifact in memory.

    Raises:
        ProtocolError: It is larger than `most` bytes.
    """
    body = await artifacts.data(port, record)
    whole = bytearray()
    try:
        expected = _expected(record, body.headers)
        while piece := await body.read(PIECE):
            whole += piece
            if len(whole) > most:
                raise ProtocolError(f"could not {WHAT}: {record.id} is larger than the {most} bytes asked for")
        _complete(record, len(whole), expected)
    finally:
        await body.close()
    return bytes(whole)


async def part(port: Port, record: ArtifactRecord, first: int, length: int) -> bytes:
    """At most `length` bytes from `first` on. Where ranges are ignored, what comes before is read and dropped.

    Whether an origin sends ranges is remembered: one that does not is not asked for them again.
    """
    if length <= 0 or (record.size is not None and first >= record.size):
        return b""
    known = _ranges(port, record)
    if known is False:
        body = await artifacts.data(port, record)
    else:
        body = await artifacts.data(port, record, first=first, last=first + length - 1)
        port.target.ranges[_origin(port, record)] = body.status == 206
    skip = 0 if body.status == 206 else first
    kept = bytearray()
    try:
        while len(kept) < length and (piece := await body.read(PIECE)):
            dropped = min(skip, len(piece))
            skip -= dropped
            kept += piece[dropped:]
    finally:
        await body.close()
    return bytes(kept[:length])


async def ranged(port: Port, record: ArtifactRecord) -> bool:
    """Whether parts of the artifact can be had without what lies before them; tried once per origin."""
    if not record.size:
        return True  # nothing to try it with, and nothing it matters for
    if _ranges(port, record) is None:
        await part(port, record, 0, 1)
    return bool(_ranges(port, record))


def _ranges(port: Port, record: ArtifactRecord) -> bool | None:
    return port.target.ranges.get(_origin(port, record))


def _origin(port: Port, record: ArtifactRecord) -> tuple[str, str, int | None]:
    return origin(absolute(port.target, record.data_href or ""))


def _expected(record: ArtifactRecord, headers: object) -> int | None:
    # An encoded body is longer or shorter on the wire than what it decodes to.
    encoded = isinstance(headers, dict) and headers.get("content-encoding", "identity") != "identity"
    length = headers.get("content-length") if isinstance(headers, dict) and not encoded else None
    return int(length) if length and length.isdigit() else record.size


def _complete(record: ArtifactRecord, done: int, expected: int | None) -> None:
    if expected is not None and done != expected:
        raise IvcapConnectionError(f"could not {WHAT}: {done} bytes of {record.id} came, {expected} were promised")
