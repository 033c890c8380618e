"""Handlers of `/1/artifacts/{id}/blob`: bytes in by TUS (rest-api §3.4), bytes out with ranges (§3.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .._core.messages import BlockingBody, Request, Response
from .._io.files import pieces
from .artifact_record import LocalArtifact
from .artifact_store import ANY_TYPE
from .asked import header, in_path
from .bodies import FileBody
from .reach_rules import check_upload, find_artifact
from .refusals import Refusal, conflict, invalid, missing, too_large
from .routes import route, stream
from .uploads import TooLong, WrongOffset

if TYPE_CHECKING:
    from .platform import LocalPlatform

_TUS = {"tus-resumable": "1.0.0", "cache-control": "no-store"}
_RANGE = re.compile(r"bytes=\s*(\d{0,19})-(\d{0,19})\s*\Z")


@route("HEAD", "/1/artifacts/{id}/blob")
def tell_offset(platform: LocalPlatform, request: Request, id: str) -> Response:
    """Say how many bytes have arrived."""
    artifact = find_artifact(platform, id)
    ready = artifact.status == "ready"
    offset = (artifact.size or 0) if ready else platform.store.artifacts.uploads.offset(artifact.id)
    headers = {**_TUS, "upload-offset": str(offset)}
    length = artifact.size if ready and not artifact.open_ended else artifact.length
    if length is None:
        headers["upload-defer-length"] = "1"
    else:
        headers["upload-length"] = str(length)
    return Response(200, headers)


@route("OPTIONS", "/1/artifacts/{id}/blob")
def tell_abilities(platform: LocalPlatform, request: Request, id: str) -> Response:
    """Say what of TUS is spoken."""
    return Response(204, {**_TUS, "tus-version": "1.0.0", "tus-extension": "creation-defer-length"})


@route("POST", "/1/artifacts/{id}/blob")
def begin_upload(platform: LocalPlatform, request: Request, id: str) -> Response:
    """Accept the creation request that some clients send first; the upload is at the same address."""
    artifact = find_artifact(platform, id)
    check_upload(platform.reach, artifact)
    length = _length(request)
    if artifact.status != "ready":
        artifact = _announce(platform, artifact, length, deferred=length is None)
    href = f"{platform.base(request)}/1/artifacts/{in_path(artifact.id)}/blob"
    offset = platform.store.artifacts.uploads.offset(artifact.id)
    return Response(201, {**_TUS, "location": href, "upload-offset": str(offset)})


@route("PATCH", "/1/artifacts/{id}/blob")
def append(platform: LocalPlatform, request: Request, id: str) -> Response:
    """Store bytes at the end; the artifact is ready when all have arrived, or at once when nobody says how many."""
    artifact = find_artifact(platform, id)
    check_upload(platform.reach, artifact)
    offset, length = _offset(request), _length(request)
    deferred = header(request, "upload-defer-length") == "1"
    uploads = platform.store.artifacts.uploads
    sent = _sent(request)
    try:
        if artifact.status == "ready":
            done = _after_the_end(platform, artifact, request, offset, length)
            if done is not None:
                return done
            artifact = uploads.reopen(artifact)
        elif artifact.status == "error":
            raise conflict(artifact.urn, "its file is gone; create a new artifact")
        artifact = _announce(platform, artifact, length, deferred)
        if artifact.length is not None and sent is not None and offset + sent > artifact.length:
            raise too_large(f"{artifact.length} bytes were announced, {offset + sent} would be sent")
        now = uploads.append(artifact.id, offset, request.body)
        open_ended = artifact.length is None and not artifact.deferred
        if now == artifact.length or open_ended:
            uploads.complete(artifact.id, open_ended=open_ended)
    except WrongOffset as problem:
        raise conflict(artifact.urn, str(problem), {**_TUS, "upload-offset": str(problem.offset)}) from problem
    except TooLong as problem:
        raise too_large(str(problem)) from problem
    return Response(204, {**_TUS, "upload-offset": str(now)})


def _after_the_end(
    platform: LocalPlatform, artifact: LocalArtifact, request: Request, offset: int, length: int | None
) -> Response | None:
    """Answer a PATCH on what is ready: a repetition, or the last word on its length; `None`: more bytes come."""
    size = artifact.size or 0
    if offset != size:
        raise WrongOffset(f"it is complete with {size} bytes", size)
    if length is not None and length < size:
        raise TooLong(f"the length was announced as {length} bytes, but {size} have arrived")
    if artifact.open_ended and _sent(request) != 0:
        return None
    if not _empty(request):
        raise conflict(artifact.urn, "it is complete; create a new artifact for other bytes")
    if artifact.open_ended and length == size:
        platform.store.artifacts.uploads.close(artifact)
    return Response(204, {**_TUS, "upload-offset": str(size)})


@stream("GET", "/1/artifacts/{id}/blob")
def download(platform: LocalPlatform, request: Request, id: str) -> BlockingBody:
    """Send the bytes, or a range of them."""
    status, headers, path, start, length = _chosen(platform, request, id)
    return FileBody(status, headers, path, start, length)


@route("GET", "/1/artifacts/{id}/blob")
def download_whole(platform: LocalPlatform, request: Request, id: str) -> Response:
    """Answer with the bytes at once, for a caller that does not stream."""
    status, headers, path, start, length = _chosen(platform, request, id)
    if length > request.most:
        raise too_large(f"{length} bytes are more than the {request.most} that were asked to be read at once")
    return Response(status, headers, b"".join(pieces(path, start, length)))


def _chosen(platform: LocalPlatform, request: Request, id: str) -> tuple[int, Mapping[str, str], Path, int, int]:
    """Return status, headers, file, first byte and number of bytes of a download."""
    store = platform.store.artifacts
    artifact = find_artifact(platform, id)
    path = store.data(artifact) if artifact.status == "ready" else None
    if path is None:
        gone = artifact.status == "error"
        raise missing(
            artifact.urn, "its file was removed" if gone else f"its upload is not complete ({artifact.status})"
        )
    artifact = store.checked(artifact)
    size = artifact.size or 0
    etag = f'"{artifact.sha256}"'
    headers = {
        "content-type": artifact.mime_type or ANY_TYPE,
        "etag": etag,
        "accept-ranges": "bytes",
        # Content from anywhere is served beside an API: a browser must neither guess its type nor run it.
        "x-content-type-options": "nosniff",
        "content-disposition": "attachment",
    }
    if etag in [part.strip().removeprefix("W/") for part in (header(request, "if-none-match") or "").split(",")]:
        return 304, headers, path, 0, 0
    condition = header(request, "if-range")
    wanted = _range(header(request, "range"), size) if condition in (None, etag) else None
    if wanted is None:
        return 200, {**headers, "content-length": str(size)}, path, 0, size
    first, last = wanted
    if first >= size or last < first:
        raise Refusal(416, {"message": f"it has {size} bytes"}, {"content-range": f"bytes */{size}"})
    headers["content-range"] = f"bytes {first}-{last}/{size}"
    headers["content-length"] = str(last - first + 1)
    return 206, headers, path, first, last - first + 1


def _range(text: str | None, size: int) -> tuple[int, int] | None:
    """Return first and last byte of a single range; `None`: send everything, as for anything we do not understand."""
    match = _RANGE.match(text.strip()) if text else None
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        count = int(match[2])
        return (max(0, size - count), size - 1) if count else (size, size)
    first = int(match[1])
    if match[2] and int(match[2]) < first:
        return None
    return first, min(int(match[2]), size - 1) if match[2] else max(size - 1, first)


def _announce(platform: LocalPlatform, artifact: LocalArtifact, length: int | None, deferred: bool) -> LocalArtifact:
    if length is not None and artifact.length is not None and length != artifact.length:
        raise invalid("Upload-Length", f"{artifact.length} bytes were announced before", str(length))
    return platform.store.artifacts.uploads.announce(artifact.id, length=length, deferred=deferred)


def _offset(request: Request) -> int:
    text = header(request, "upload-offset")
    if text is None or not text.strip().isdecimal():
        raise invalid("Upload-Offset", "the number of bytes sent before is needed", text)
    return int(text)


def _length(request: Request) -> int | None:
    text = header(request, "upload-length")
    if text is None or text == "":
        return None
    if not text.strip().isdecimal():
        raise invalid("Upload-Length", "a number of bytes is expected", text)
    return int(text)


def _sent(request: Request) -> int | None:
    """Return how many bytes the request has, where that is known."""
    if request.body is None:
        return 0
    if isinstance(request.body, bytes):
        return len(request.body)
    text = header(request, "content-length")
    return int(text) if text and text.isdecimal() else None


def _empty(request: Request) -> bool:
    sent = _sent(request)
    if sent is not None:
        return sent == 0
    # A body of unknown length on a complete upload: one byte tells.
    assert request.body is not None
    assert not isinstance(request.body, bytes)
    return not request.body.read(1)
