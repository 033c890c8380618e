"""`upload_artifact`: from text, from an allowed file, from an archive's member, or by a hand-off over HTTP."""

from __future__ import annotations

import io
import mimetypes
import shlex
import tempfile
import time
from collections.abc import Iterator
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, Any

import anyio
import mcp_types as t

from ivcap_client import Artifact
from ivcap_client.later import later
from ivcap_mcp import allowed
from ivcap_mcp.backend import Backend
from ivcap_mcp.errors import ToolError
from ivcap_mcp.preview.bounds import MIB, MOST_EXTRACTED, Unreadable
from ivcap_mcp.results import answer, link, next_call
from ivcap_mcp.text import clip, stripped
from ivcap_mcp.tools.artifacts import facts
from ivcap_mcp.tools.builtin import ADDS, Builtin, output, schema, text
from ivcap_mcp.tools.reading import ready

if TYPE_CHECKING:
    from ivcap_mcp import collected, reached, uploads
    from ivcap_mcp.preview import fetching, look
    from ivcap_mcp.preview.source import Source
    from ivcap_mcp.request import Request
else:
    collected = later("ivcap_mcp.collected")
    fetching = later("ivcap_mcp.preview.fetching")
    look = later("ivcap_mcp.preview.look")
    reached = later("ivcap_mcp.reached")
    uploads = later("ivcap_mcp.uploads")

MOST_TEXT = 2_000_000
WAYS = ("text", "path", "from_artifact", "size")
SPARE = 5.0


async def upload_artifact(backend: Backend, request: Request, given: dict[str, Any]) -> t.CallToolResult:
    ways = [way for way in WAYS if given.get(way) is not None]
    if len(ways) != 1:
        raise ToolError(
            "invalid_input",
            "Give either `text`, `path`, `from_artifact` with `member`, or `size` alone"
            + (f", not {' and '.join(ways)}." if ways else "."),
            "`path` must lie under an allowed directory; `size` gives you an address to send a large file to.",
        )
    common: dict[str, Any] = {name: given.get(name) for name in ("policy", "collection")}
    if ways == ["text"]:
        artifact = await _from_text(backend, given, common)
    elif ways == ["path"]:
        artifact = await _from_path(backend, given, common)
    elif ways == ["from_artifact"]:
        artifact = await _from_member(backend, request, given, common)
    else:
        return await _handed_off(backend, request, given, common)
    await _collected(backend, artifact, given)
    return answer(facts(artifact), link(artifact))


async def _from_path(backend: Backend, given: dict[str, Any], common: dict[str, Any]) -> Artifact:
    # Opened once, where it was found to be permitted: looked up by name again it might be another file.
    file = await anyio.to_thread.run_sync(allowed.opened, str(given["path"]), backend.settings.allow_roots)
    with file:
        name = given.get("name") or PurePath(given["path"]).name
        return await backend.ivcap.upload_artifact_async(
            name=name, io_stream=file, content_type=given.get("content_type"), **common
        )


async def _from_text(backend: Backend, given: dict[str, Any], common: dict[str, Any]) -> Artifact:
    data = given["text"].encode()
    if len(data) > MOST_TEXT:
        raise ToolError("too_large", f"`text` has {len(data)} bytes, more than {MOST_TEXT}.", "Use `path` or `size`.")
    name = given.get("name") or "text.txt"
    kind = given.get("content_type") or mimetypes.guess_type(name)[0] or "text/plain; charset=utf-8"
    return await backend.ivcap.upload_artifact_async(name=name, io_stream=io.BytesIO(data), content_type=kind, **common)


async def _from_member(backend: Backend, request: Request, given: dict[str, Any], common: dict[str, Any]) -> Artifact:
    """Unpack a member to a file nobody else sees, then send that."""
    member = given.get("member")
    if not member:
        raise ToolError(
            "invalid_input", "`from_artifact` needs `member`.", "preview_artifact lists the members of an archive."
        )
    archive = await ready(backend, given["from_artifact"])
    until = time.monotonic() + max(1.0, request.left - SPARE)
    with tempfile.TemporaryFile(prefix="ivcap-member-") as file:

        def work(source: Source) -> str:
            subject = look.Subject(source, archive.name or "", None, until)
            opened = look.opened(subject, member)
            for piece in _bounded(opened.source.pieces(), until):
                file.write(piece)
            file.seek(0)
            return opened.name

        try:
            called = await fetching.looked_into(archive, work, until, most=MOST_EXTRACTED)
        except Unreadable as error:
            what = f"{clip(stripped(member), 200)!r} in {archive.urn}"
            raise ToolError("unreadable", f"{what}: {error}.", "preview_artifact lists what is in it.") from None
        name = given.get("name") or stripped(called) or "member"
        stream: IO[bytes] = file
        return await backend.ivcap.upload_artifact_async(
            name=name, io_stream=stream, content_type=given.get("content_type"), **common
        )


def _bounded(pieces: Iterator[bytes], until: float) -> Iterator[bytes]:
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > MOST_EXTRACTED:
            raise Unreadable(f"it unpacks to more than {MOST_EXTRACTED // MIB} MiB")
        if time.monotonic() > until:
            raise Unreadable("unpacking it took longer than one call may")
        yield piece


async def _handed_off(
    backend: Backend, request: Request, given: dict[str, Any], common: dict[str, Any]
) -> t.CallToolResult:
    """Announce the artifact, and say where its bytes can be sent to."""
    base = reached.address(request.ctx, backend.settings.public_url)
    if base is None:
        roots = ", ".join(str(root) for root in backend.settings.allow_roots)
        way = f"Put the file under {roots} and give its `path`" if roots else "Give the content as `text`"
        raise ToolError(
            "not_over_stdio",
            "A large file can be handed off only to a server that is reached over HTTP; this one speaks stdio.",
            f"{way}, or let the user upload it with the SDK: IVCAP().upload_artifact(file_path=…).",
        )
    size = given["size"]
    if size > uploads.MOST:
        raise ToolError(
            "too_large", f"{size} bytes are more than the {uploads.MOST} this server takes.", "Use the SDK."
        )
    name = given.get("name") or "upload.bin"
    kind = given.get("content_type") or mimetypes.guess_type(name)[0] or "application/octet-stream"
    artifact = await backend.ivcap.create_artifact_async(size=size, name=name, content_type=kind, **common)
    await _collected(backend, artifact, given)
    path, ticket = backend.handoffs.path(artifact.urn, size)
    url = f"{base}{path}"
    curl = f"curl --fail --upload-file {shlex.quote(name)} {shlex.quote(url)}"
    told = facts(artifact) | {
        "upload_url": url,
        "expires_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ticket.expires)),
        "curl": curl,
        "next": next_call("get_artifact", artifact=artifact.urn),
    }
    lead = (
        f"Nothing has been sent yet. Send exactly {size} bytes within {uploads.LIFETIME // 60} minutes, with the path "
        f"of the file in place of {name!r}:\n  {curl}\n"
        f"The address takes this one artifact, once; show it to nobody else."
    )
    return answer(told, lead=lead)


async def _collected(backend: Backend, artifact: Artifact, given: dict[str, Any]) -> None:
    if given.get("collection"):
        await collected.add(backend.ivcap, given["collection"], artifact.urn)


TOOLS = (
    Builtin(
        t.Tool(
            name="upload_artifact",
            description=(
                "Store an artifact, whose URN services take as input: from text, a file the user allowed, a member of "
                "an archive, or, for large data over HTTP, by `size`, which returns an address and a curl line."
            ),
            input_schema=schema(
                (),
                name=text("Display name, with an ending such as .csv"),
                content_type=text("Media type; guessed from the name by default"),
                text=text("The content"),
                path=text("A file under an allowed directory"),
                from_artifact=text("URN of an archive"),
                member=text("File in that archive"),
                size={"type": "integer", "minimum": 0, "description": "Bytes of a file that will be sent by curl"},
                policy=text("URN of a policy"),
                collection=text("URN of a collection to put it into"),
            ),
            output_schema=output(artifact=text("URN"), size={"type": "integer"}, curl=text("How to send the bytes")),
            annotations=ADDS,
        ),
        upload_artifact,
    ),
)
