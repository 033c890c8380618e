"""An artifact's bytes, streamed: to a file that appears whole, or bounded into memory."""

from __future__ import annotations

import os
import random
import re
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ivcap_client._core import artifacts
from ivcap_client._core.addresses import absolute, origin
from ivcap_client._core.artifacts import ArtifactRecord
from ivcap_client._core.messages import MIB, Body
from ivcap_client._core.port import Port
from ivcap_client._core.resuming import WHAT, Reading, expected
from ivcap_client._core.retry import pause
from ivcap_client.exception import IvcapApiError, IvcapConnectionError, IvcapTimeout, ProtocolError

if TYPE_CHECKING:
    import hashlib
    from concurrent.futures import Future, ThreadPoolExecutor

PIECE = MIB
_HASHED_AT_ONCE = 8 * MIB
_MOST_WAITING = 4
"""Lots of at least a piece that may wait to be hashed; memory stays bounded."""
_HEX = re.compile("[0-9a-f]+")

Progress = Callable[[int, int | None], None]


async def to_file(
    port: Port, record: ArtifactRecord, path: Path | None, *, piece_size: int = PIECE, progress: Progress | None = None
) -> Path:
    """Write the artifact to `path`, or to a temporary file; an existing file is replaced only when all is there.

    Raises:
        IvcapConnectionError: The line broke again and again; fewer or more bytes came than the platform said, or
            others than its etag says.
        ProtocolError: The bytes changed while they were read.
        OSError: The file cannot be written.
    """
    handle, name = await port.offload(_beside, path)
    try:
        with os.fdopen(handle, "wb") as file:
            reading = Reading(port, record)
            await reading.open()
            digest = Digest(record, reading.headers)
            try:
                while piece := await reading.read(piece_size):
                    await port.offload(_written, file, digest, piece)
                    if progress is not None:
                        progress(reading.done, reading.expected)
            finally:
                digest.close()
                await reading.close()
        digest.check(record)
        if path is None:
            return Path(name)
        os.replace(name, path)
        return path
    except BaseException:
        os.unlink(name)  # in place: an async caller that was cancelled could not go to a thread any more
        raise


async def to_bytes(port: Port, record: ArtifactRecord, *, most: int) -> bytes:
    """The artifact in memory.

    Raises:
        ProtocolError: It is larger than `most` bytes.
    """
    reading = Reading(port, record)
    await reading.open()
    digest, whole = Digest(record, reading.headers), bytearray()
    try:
        if reading.expected is not None and reading.expected > most:
            raise ProtocolError(
                f"could not {WHAT}: {record.id} has {reading.expected} bytes, more than the {most} asked for"
            )
        while piece := await reading.read(PIECE):
            whole += piece
            digest.update(piece)
            if len(whole) > most:
                raise ProtocolError(f"could not {WHAT}: {record.id} is larger than the {most} bytes asked for")
        digest.check(record)
    finally:
        digest.close()
        await reading.close()
    return bytes(whole)


async def part(port: Port, record: ArtifactRecord, first: int, length: int) -> bytes:
    """At most `length` bytes from `first` on. Where ranges are ignored, what comes before is read and dropped.

    Whether an origin sends ranges is remembered: one that does not is not asked for them again.
    """
    if length <= 0 or (record.size is not None and first >= record.size):
        return b""
    failures = 0
    while True:
        body = await _opened(port, record, first, length)
        if body is None:
            return b""
        try:
            return await _cut_out(body, record, first, length)
        except (IvcapConnectionError, IvcapTimeout):
            failures += 1
            if failures >= port.target.retry.attempts:
                raise
        finally:
            await body.close()
        await port.sleep(pause(port.target.retry, failures, random.random()))  # noqa: S311


async def _opened(port: Port, record: ArtifactRecord, first: int, length: int) -> Body | None:
    """The reply with a range in it, or with everything; `None`: nothing lies there."""
    known = _ranges(port, record)
    try:
        body = await (
            artifacts.data(port, record)
            if known is False
            else artifacts.data(port, record, first=first, last=first + length - 1)
        )
    except IvcapApiError as refused:
        if refused.status_code == 416:
            return None
        raise
    if body.status != 206:
        try:
            expected(record, body.headers)
        except ProtocolError:
            await body.close()
            raise
    if known is not False:
        port.target.ranges[_origin(port, record)] = body.status == 206
    return body


async def _cut_out(body: Body, record: ArtifactRecord, first: int, length: int) -> bytes:
    skip = 0 if body.status == 206 else first
    came = body.headers.get("content-range", "")
    if body.status == 206 and not came.startswith(f"bytes {first}-"):
        raise ProtocolError(f"could not {WHAT}: bytes from {first} on were asked for, {came[:60]!r} came")
    kept = bytearray()
    while len(kept) < length and (piece := await body.read(PIECE)):
        dropped = min(skip, len(piece))
        skip -= dropped
        kept += piece[dropped:]
    wanted = length if record.size is None else min(length, record.size - first)
    if record.size is not None and len(kept) < wanted:
        raise IvcapConnectionError(f"could not {WHAT}: {len(kept)} bytes came, {wanted} were asked for")
    return bytes(kept[:length])


async def ranged(port: Port, record: ArtifactRecord) -> bool:
    """Whether parts of the artifact can be had without what lies before them; tried once per origin."""
    if not record.size:
        return True  # nothing to try it with, and nothing it matters for
    if _ranges(port, record) is None:
        await part(port, record, 0, 1)
    return bool(_ranges(port, record))


class Digest:
    """Compares what came with the etag, where that is an MD5 or SHA-256 as platforms and stores often have it.

    What is large is hashed beside the download by a thread of its own, which would else take turns with the line.
    """

    def __init__(self, record: ArtifactRecord, headers: Mapping[str, str]) -> None:
        etag = record.etag or ("" if "content-encoding" in headers else headers.get("etag", ""))
        self._wanted = etag.strip().strip('"').lower() if not etag.startswith("W/") else ""
        kind = {32: "md5", 64: "sha256"}.get(len(self._wanted)) if _HEX.fullmatch(self._wanted) else None
        import hashlib

        self._hash = hashlib.new(kind, usedforsecurity=False) if kind else None
        self._done = 0
        self._beside: ThreadPoolExecutor | None = None
        self._waiting: deque[Future[None]] = deque()
        self._held: list[bytes] = []
        self._size = 0

    def update(self, piece: bytes) -> None:
        if self._hash is None:
            return
        self._done += len(piece)
        if self._done <= _HASHED_AT_ONCE:
            self._hash.update(piece)
            return
        if self._beside is None:
            from concurrent.futures import ThreadPoolExecutor

            self._beside = ThreadPoolExecutor(1, "ivcap-digest")
        self._held.append(piece)
        self._size += len(piece)
        if self._size >= PIECE:
            self._hand_over()

    def _hand_over(self) -> None:
        """Give the thread a lot of what came: a line brings little at a time, and waking a thread costs."""
        assert self._hash is not None
        assert self._beside is not None
        held, self._held, self._size = self._held, [], 0
        self._waiting.append(self._beside.submit(_hashed, self._hash, held))
        if len(self._waiting) > _MOST_WAITING:
            self._waiting.popleft().result()

    def check(self, record: ArtifactRecord) -> None:
        """See that all came as it was stored.

        Raises:
            IvcapConnectionError: Something was changed on the way.
        """
        self.close()
        if self._hash is not None:
            self._hash.update(b"".join(self._held))
        if self._hash is not None and self._hash.hexdigest() != self._wanted:
            raise IvcapConnectionError(
                f"could not {WHAT}: what came of {record.id} is not what was stored ({self._hash.name} differs)"
            )

    def close(self) -> None:
        """End the thread, once it has hashed what it was given."""
        if self._beside is not None:
            self._beside.shutdown()


def _hashed(hashing: hashlib._Hash, pieces: list[bytes]) -> None:
    hashing.update(b"".join(pieces))


def _written(file: IO[bytes], digest: Digest, piece: bytes) -> None:
    file.write(piece)
    digest.update(piece)


def _ranges(port: Port, record: ArtifactRecord) -> bool | None:
    return port.target.ranges.get(_origin(port, record))


def _origin(port: Port, record: ArtifactRecord) -> tuple[str, str, int | None]:
    return origin(absolute(port.target, record.data_href or ""))


def _beside(path: Path | None) -> tuple[int, str]:
    """A new file in the directory of `path`, open for writing, with the permissions a new file there gets."""
    import secrets
    import tempfile

    if path is None:
        return tempfile.mkstemp(".part", "ivcap-")  # in a directory that others can read
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.parent / f".ivcap-{secrets.token_hex(8)}.part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return os.open(name, flags, 0o666), os.fspath(name)
