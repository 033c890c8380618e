"""What is in an artifact: a bounded look, and ranges of text or bytes."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import mcp_types as t

from ivcap_client import Artifact
from ivcap_client.later import later
from ivcap_mcp import outside
from ivcap_mcp.backend import Backend
from ivcap_mcp.errors import ToolError
from ivcap_mcp.fitting import fit
from ivcap_mcp.identifiers import checked
from ivcap_mcp.preview.bounds import MIB, MOST_HELD, Unreadable
from ivcap_mcp.preview.texts import seen
from ivcap_mcp.results import answer, link, next_call
from ivcap_mcp.text import clip, stripped
from ivcap_mcp.tools.builtin import MAX_BYTES, READS, Builtin, output, schema, text

if TYPE_CHECKING:
    from ivcap_mcp.preview import archives, fetching, look
    from ivcap_mcp.preview.source import Source
    from ivcap_mcp.request import Request
else:
    archives = later("ivcap_mcp.preview.archives")
    fetching = later("ivcap_mcp.preview.fetching")
    look = later("ivcap_mcp.preview.look")

T = TypeVar("T")

SPARE = 3.0
"""Seconds of a call kept for writing the answer."""
MOST_RAW = 24_000
"""Bytes that are given as base64: models cannot do much with more."""
MOST_READ = 200_000
DEFAULT_READ = 8_000


async def preview_artifact(backend: Backend, request: Request, given: dict[str, Any]) -> t.CallToolResult:
    artifact, member = await ready(backend, given["artifact"]), given.get("member")

    def work(source: Source) -> look.Look:
        subject = look.Subject(source, artifact.name or "", artifact.mime_type, time.monotonic() + 30)
        try:
            opened = look.opened(subject, member)
        except look.NoMember as missing:
            return _directory(subject, missing)
        found = look.look(opened, backend.settings.most_image)
        if member is not None and opened.source.size is not None:
            found.told["member_size"] = opened.source.size
        if opened.layers:
            found.told["unpacked_from"] = list(opened.layers)
        return found

    found = await _looked(artifact, request, work, member)
    told = _facts(artifact, member) | {"kind": found.kind}
    told["preview"] = seen(found.told)
    if found.kind in ("text", "table", "json", "ndjson"):
        arguments = {"artifact": artifact.urn} | ({"member": member} if member else {})
        told["next"] = next_call("read_artifact", **arguments, offset=0)
    extra: list[t.ContentBlock] = [link(artifact)]
    if found.image is not None:
        data, mime = found.image
        extra.append(t.ImageContent(data=base64.b64encode(data).decode("ascii"), mime_type=mime))
    told |= outside.MARK
    return answer(fit(told, "preview", given.get("max_bytes", 20_000)), *extra, lead=outside.LEAD)


def _directory(subject: look.Subject, missing: look.NoMember) -> look.Look:
    """What lies in the directory of an archive that was named instead of a file."""
    opened = look.opened(subject, None)
    kind = look.archive_kind(opened.source)
    under = missing.name.rstrip("/") + "/"
    again = kind == "zip" or (kind is not None and opened.source.ranged)  # a stream has gone by
    told = archives.listing(opened.source, str(kind), under) if again else None
    if told is None or not told["member_count"]:
        raise Unreadable(f"{missing}; preview_artifact without `member` lists what there is")
    return look.Look("archive", {"format": kind, "directory": under} | told)


async def read_artifact(backend: Backend, request: Request, given: dict[str, Any]) -> t.CallToolResult:
    artifact, member = await ready(backend, given["artifact"]), given.get("member")
    offset, kind = given.get("offset", 0), given.get("as", "text")
    room = given.get("max_bytes", 20_000) - 800
    length = min(given.get("length", DEFAULT_READ), room if kind == "text" else min(MOST_RAW, room * 3 // 4))

    def work(source: Source) -> tuple[bytes, int | None, str | None]:
        subject = look.Subject(source, artifact.name or "", None, time.monotonic() + 30)
        if member is not None:
            source = look.opened(subject, member).source
        elif not source.ranged and offset > MOST_HELD:
            raise Unreadable(
                "this platform sends no parts of a file (that was tried), so all that lies before would have to be "
                f"fetched; that is done up to {MOST_HELD // MIB} MiB"
            )
        # A few bytes more on both sides show where characters begin and end.
        first = max(0, offset - 3)
        return source.window(first, length + offset - first + 3), source.size, source.flaw

    data, total, flaw = await _looked(artifact, request, work, member)
    before, at = offset - max(0, offset - 3), max(0, offset - 3)
    told = _facts(artifact, member) | {"as": kind}
    if kind == "text":
        start, end = _characters(data, before, min(before + length, len(data)))
        part = data[start:end]
        told |= {"offset": at + start, "length": len(part)} | _text(part)
    else:
        start, end = before, min(before + length, len(data))
        told |= {"offset": offset, "length": max(0, end - start), "base64": base64.b64encode(data[start:end]).decode()}
    following = at + end
    more = following < total if total is not None and flaw is None else len(data) > end
    if total is not None:
        told["total"] = total
    if more and end > start:
        arguments = {"artifact": artifact.urn} | ({"member": member} if member else {})
        told["next_offset"] = following
        told["next"] = next_call("read_artifact", **arguments, offset=following, length=length, **{"as": kind})
    if flaw:
        told["flaw"] = f"It could not be read to its end: {flaw}."
    return answer(told | outside.MARK, lead=outside.LEAD)


def _characters(data: bytes, start: int, end: int) -> tuple[int, int]:
    """The window, moved so that it begins and ends between UTF-8 characters."""
    while start < min(end, len(data)) and start > 0 and data[start] & 0xC0 == 0x80:
        start += 1
    for back in range(1, 4):
        if end < len(data) and end - back >= start and data[end] & 0xC0 == 0x80 and data[end - back] >= 0xC0:
            return start, end - back if end - back > start else end
    return start, end


def _text(part: bytes) -> dict[str, Any]:
    try:
        return {"text": part.decode("utf-8")}
    except UnicodeDecodeError:
        note = "Not UTF-8: what could not be read stands as �. Use as=bytes for the bytes themselves."
        return {"text": part.decode("utf-8", "replace"), "note": note}


async def ready(backend: Backend, named: str) -> Artifact:
    """An artifact with all of its bytes.

    Raises:
        ToolError: It does not have them yet, or lost them.
    """
    artifact = await backend.ivcap.stored_artifact_async(checked("artifact", named))
    status = artifact.record.status
    if status in ("pending", "partial"):
        raise ToolError("not_ready", f"{artifact.urn} is {status}: its bytes are still to come.", "Try again later.")
    if status == "error":
        raise ToolError("unreadable", f"The bytes of {artifact.urn} are gone or damaged.", "Tell the user.")
    return artifact


async def _looked(artifact: Artifact, request: Request, work: Callable[[Source], T], member: str | None) -> T:
    until = time.monotonic() + max(1.0, request.left - SPARE)
    try:
        return await fetching.looked_into(artifact, work, until)
    except Unreadable as error:
        what = f"{clip(stripped(member), 200)!r} in {artifact.urn}" if member else artifact.urn
        raise ToolError(
            "unreadable", f"{what}: {error}.", "Tell the user, or use a service that reads such files."
        ) from None


def _facts(artifact: Artifact, member: str | None) -> dict[str, Any]:
    told = {
        "artifact": artifact.urn,
        "name": clip(stripped(artifact.name or ""), 300) or None,
        "content_type": artifact.mime_type,
        "size": artifact.size,
        "member": clip(stripped(member), 400) if member else None,
    }
    return {key: value for key, value in told.items() if value is not None}


_MEMBER = text("Name of a file in an archive (tar, zip), as its preview lists it")

TOOLS = (
    Builtin(
        t.Tool(
            name="preview_artifact",
            description=(
                "A short look into an artifact: columns and first rows of a table, shape of JSON, an image, what is "
                "in an archive, first lines of a text."
            ),
            input_schema=schema(
                ("artifact",), artifact=text("URN of the artifact"), member=_MEMBER, max_bytes=MAX_BYTES
            ),
            output_schema=output(artifact=text("URN"), kind=text("What it is"), preview={"type": "object"}),
            annotations=READS,
        ),
        preview_artifact,
    ),
    Builtin(
        t.Tool(
            name="read_artifact",
            description="Read a range of an artifact, as text or as base64. Go on at `next_offset`.",
            input_schema=schema(
                ("artifact",),
                artifact=text("URN of the artifact"),
                member=_MEMBER,
                offset={"type": "integer", "minimum": 0, "default": 0, "description": "First byte"},
                length={
                    "type": "integer",
                    "minimum": 1,
                    "maximum": MOST_READ,
                    "default": DEFAULT_READ,
                    "description": "How many bytes",
                },
                **{"as": text("text, or bytes for base64", enum=["text", "bytes"], default="text")},
                max_bytes=MAX_BYTES,
            ),
            output_schema=output(artifact=text("URN"), text=text("The text"), next_offset={"type": "integer"}),
            annotations=READS,
        ),
        read_artifact,
    ),
)
