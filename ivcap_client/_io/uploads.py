"""From a file or a stream to a ready artifact: what is sent is measured, announced, sent and read back."""

from __future__ import annotations

import io
import mimetypes
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ivcap_client._core import artifacts
from ivcap_client._core.artifacts import ArtifactRecord
from ivcap_client._core.messages import MIB
from ivcap_client._core.port import Port
from ivcap_client._io import begun, known_files, tus
from ivcap_client.auth import identity_of
from ivcap_client.exception import InvalidInput, IvcapApiError, ProtocolError
from ivcap_client.files import TarMember

OCTETS = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Upload:
    """What is to become an artifact, and how.

    Attributes:
        name: Display name; a file's own name by default.
        file_path: File to send.
        io_stream: Stream to send, instead of a file; read from where it stands.
        content_type: Type of the bytes; guessed from the name by default.
        content_size: Bytes of the stream; -1: as many as there are.
        collection: URN of a collection.
        policy: URN of a policy.
        chunk_size: Bytes of one request.
        retries: Failures in a row that are borne.
        retry_delay: Seconds between a failure and the next try; `None`: growing pauses.
        force_upload: Send a file also where a note beside it says that the platform has it.
        progress: Told bytes sent and bytes in all (`None`: not known).
    """

    name: str | None = None
    file_path: str | os.PathLike[str] | None = None
    io_stream: IO[Any] | None = None
    content_type: str | None = None
    content_size: int = -1
    collection: str | None = None
    policy: str | None = None
    chunk_size: int = tus.CHUNK
    retries: int = 5
    retry_delay: float | None = None
    force_upload: bool = False
    progress: tus.Progress | None = None


def archive(members: Iterable[TarMember], **how: Any) -> Upload:
    """An archive to be made while it is sent.

    Raises:
        InvalidInput: A member's file is not there.
    """
    from ivcap_client._io import tars

    stream: Any = tars.TarSource(tars.checked(members))
    return Upload(io_stream=stream, **how)


async def upload(port: Port, asked: Upload) -> ArtifactRecord:
    """Send it; return the artifact as the platform has it afterwards.

    Raises:
        InvalidInput: Neither or both of file and stream, or a file that cannot be read.
        IvcapError: What went wrong on the way; the message says with what.
    """
    if (asked.file_path is None) == (asked.io_stream is None):
        raise InvalidInput(f"could not {tus.WHAT}: give either file_path or io_stream")
    if asked.io_stream is not None:
        if not hasattr(asked.io_stream, "read"):
            kind = type(asked.io_stream).__name__
            raise InvalidInput(
                f"could not {tus.WHAT}: io_stream: a binary stream is wanted, {kind} was given: "
                "io.BytesIO makes one of bytes"
            )
        return await _send(port, asked, asked.io_stream, asked.name)
    if not isinstance(asked.file_path, str | os.PathLike):
        kind = type(asked.file_path).__name__
        raise InvalidInput(f"could not {tus.WHAT}: file_path: the path of a file is wanted, {kind} was given")
    path = Path(asked.file_path)
    try:
        file = await port.offload(path.open, "rb")
    except OSError as error:
        raise InvalidInput(f"could not {tus.WHAT}: {path} cannot be read ({error.strerror})") from None
    with file:
        return await _file(port, asked, path, file)


async def _file(port: Port, asked: Upload, path: Path, file: IO[bytes]) -> ArtifactRecord:
    """Send a file, unless the platform has it; go on where another process was stopped."""
    name = asked.name or path.name
    if port.target.local:  # a directory of this machine: nothing is gained by knowing what was copied there before
        return await _send(port, asked, file, name)
    size = os.fstat(file.fileno()).st_size
    if not asked.force_upload:
        for urn in await port.offload(known_files.known, path):
            kept = await there(port, urn)
            if kept is not None and kept.status == "ready" and kept.size in (None, size):
                return kept
    place = None
    if size >= begun.WORTHWHILE and asked.content_size < 0:
        how = (name, asked.content_type, asked.collection, asked.policy)
        place = begun.place_of(port.target.url, identity_of(port.target.auth), path, how)
    record = await _go_on(port, asked, path, file, size, place) if place else None
    if record is None:
        announced = (lambda made: begun.remember(place, path, made)) if place else None
        record = await _send(port, asked, file, name, announced)
    if place:
        await port.offload(begun.forget, place)
    if size <= known_files.MOST_MARKED:
        await port.offload(known_files.mark, path, record.id)
    return record


async def _go_on(
    port: Port, asked: Upload, path: Path, file: IO[bytes], size: int, place: Path
) -> ArtifactRecord | None:
    """Complete an upload that was begun before; `None` if there is none, or the platform has dropped it."""
    urn = None if asked.force_upload else await port.offload(begun.remembered, place, path)
    record = await there(port, urn) if urn else None
    if record is None or (record.status == "ready" and record.size != size) or record.status == "error":
        return None
    if record.status == "ready":
        return record
    try:
        return await fill(port, record, file, size, asked)
    except IvcapApiError as refused:
        if refused.status_code not in (404, 410):
            raise
        await port.offload(file.seek, 0)
        return None


async def there(port: Port, urn: str) -> ArtifactRecord | None:
    """An artifact that a note speaks of, if this platform has it and shows it."""
    try:
        return await artifacts.read(port, urn)
    except IvcapApiError as refused:
        if refused.status_code not in (403, 404):
            raise
        return None
    except InvalidInput:
        return None


async def _send(
    port: Port, asked: Upload, stream: IO[Any], name: str | None, announced: Callable[[str], None] | None = None
) -> ArtifactRecord:
    gives: object = stream
    if isinstance(gives, io.TextIOBase):
        raise InvalidInput(f"could not {tus.WHAT}: the stream gives text; open it in binary mode")
    there = await port.offload(_size, stream)
    size = asked.content_size if asked.content_size >= 0 else there
    if size is not None and there is not None and there < size:
        raise InvalidInput(f"could not {tus.WHAT}: content_size is {size}, but there are {there} bytes to send")
    kind = asked.content_type or (mimetypes.guess_type(name)[0] if name else None) or OCTETS
    record = await artifacts.create(
        port,
        name=name,
        content_type=kind,
        size=-1 if size is None else size,
        collection=asked.collection,
        policy=asked.policy,
    )
    if announced is not None:
        await port.offload(announced, record.id)
    sent = 0
    if size != 0:
        sent = await _sent(port, record.data_href or "", stream, asked, size=size)
    return await _kept(port, record, sent)


async def _sent(port: Port, href: str, stream: IO[bytes], how: Upload, *, size: int | None, offset: int = 0) -> int:
    """Send bytes to where an artifact takes them; how many it has then."""
    return await tus.upload(
        port,
        href,
        stream,
        size=size,
        offset=offset,
        chunk=max(1, min(how.chunk_size, 64 * MIB)),  # the documented default, sys.maxsize, meant "as you like"
        # Requests may grow, except where somebody says how large they are: they get just that.
        most=tus.MOST_CHUNK if how.chunk_size == tus.CHUNK else 0,
        retries=how.retries,
        delay=how.retry_delay,
        progress=how.progress,
    )


async def _kept(port: Port, record: ArtifactRecord, sent: int) -> ArtifactRecord:
    """The artifact as the platform has it now.

    Raises:
        ProtocolError: It has another number of bytes.
    """
    kept = await artifacts.read(port, record.id)
    if kept.status == "ready" and kept.size is not None and kept.size != sent:
        raise ProtocolError(f"could not {tus.WHAT}: {sent} bytes were sent, the platform has {kept.size} of {kept.id}")
    return kept


async def fill(
    port: Port, record: ArtifactRecord, file: IO[bytes], size: int, how: Upload | None = None
) -> ArtifactRecord:
    """Send the bytes of an artifact that was announced; go on where an earlier attempt stopped.

    Args:
        port: Way to the platform.
        record: The artifact.
        file: Seekable, with the whole content from its byte 0 on.
        size: Bytes it has.
        how: Size of chunks, retries and whom to tell of progress.

    Raises:
        InvalidInput: The artifact has its bytes already.
        ProtocolError: The platform has another number of bytes afterwards, or names no place to send them to.
    """
    now = await artifacts.read(port, record.id)
    if now.status == "ready":
        raise InvalidInput(f"could not {tus.WHAT}: {now.id} has its bytes already, and they never change")
    href = now.data_href or record.data_href
    if href is None:
        raise ProtocolError(f"could not {tus.WHAT}: {now.id} has no data-href to send the bytes to")
    offset = await tus.resume_offset(port, href) if now.status == "partial" else 0
    await port.offload(file.seek, offset)
    sent = await _sent(port, href, file, how or Upload(), size=size, offset=offset)
    return await _kept(port, record, sent)


def _size(stream: IO[bytes]) -> int | None:
    """Bytes from where the stream stands to its end; `None` where only reading can tell."""
    try:
        here = stream.tell()
        end = stream.seek(0, io.SEEK_END)
        stream.seek(here)
    except (AttributeError, OSError, ValueError):
        return None
    return end - here
