"""Artifacts: find, describe, upload."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import anyio
import mcp_types as t

from ivcap_client import Artifact
from ivcap_mcp.backend import Backend
from ivcap_mcp.errors import ToolError
from ivcap_mcp.request import Request
from ivcap_mcp.results import answer, fitted, link
from ivcap_mcp.text import clip
from ivcap_mcp.tools.builtin import ADDS, CURSOR, LIMIT, MAX_BYTES, READS, Builtin, output, schema, text

MOST_TEXT = 2_000_000
SCAN = 1_000
"""Artifacts looked at for one answer; the cursor goes on from there."""


async def list_artifacts(backend: Backend, request: Request, given: dict[str, Any]) -> t.CallToolResult:
    limit, name, kind = given.get("limit", 10), given.get("name"), given.get("mime_type")
    skip = _place(given.get("cursor"))
    found: list[Artifact] = []
    seen, more = 0, False
    listed = backend.ivcap.list_artifacts(limit=None, order_by="created-at", order_desc=True)
    async for artifact in listed:
        seen += 1
        if seen <= skip:
            continue
        if len(found) == limit or seen > skip + SCAN:
            more = True
            break
        if name and name.lower() not in (artifact.name or "").lower():
            continue
        if kind and not (artifact.mime_type or "").startswith(kind):
            continue
        found.append(artifact)
    told: dict[str, Any] = {"artifacts": [facts(artifact) for artifact in found]}
    if more:
        told["cursor"] = str(seen - 1)
    return answer(told, *(link(artifact) for artifact in found))


def _place(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isdigit() or len(cursor) > 9:
        raise ToolError(
            "invalid_input", f"cursor {clip(cursor, 50)!r} is not one of ours.", "Take it from the answer before."
        )
    return int(cursor)


def facts(artifact: Artifact) -> dict[str, Any]:
    told = {
        "artifact": artifact.urn,
        "name": clip(artifact.name or "", 300) or None,
        "content_type": artifact.mime_type,
        "size": artifact.size,
        "status": artifact.record.status,
        "created_at": str(artifact.created_at) if artifact.created_at else None,
        "etag": artifact.etag,
        "policy": artifact.policy,
    }
    return {key: value for key, value in told.items() if value is not None}


async def get_artifact(backend: Backend, request: Request, given: dict[str, Any]) -> t.CallToolResult:
    artifact = await backend.ivcap.get_artifact_async(given["artifact"])
    told = facts(artifact)
    about = [
        {"aspect": aspect.urn, "schema": aspect.schema, "content": aspect.record.content}
        async for aspect in backend.ivcap.list_aspects(entity=artifact.urn, limit=20)
    ]
    most = given.get("max_bytes", 20_000)
    shown, size = fitted(about, most)
    told["aspects"] = shown
    told |= {"shortened": True, "size": size} if size is not None else {}
    return answer(told, link(artifact))


async def upload_artifact(backend: Backend, request: Request, given: dict[str, Any]) -> t.CallToolResult:
    body, path = given.get("text"), given.get("path")
    if (body is None) == (path is None):
        raise ToolError("invalid_input", "Give either `text` or `path`.", "`path` must lie under an allowed directory.")
    common: dict[str, Any] = {"content_type": given.get("content_type"), "policy": given.get("policy")}
    if body is not None:
        data = body.encode()
        if len(data) > MOST_TEXT:
            raise ToolError("too_large", f"`text` has {len(data)} bytes, more than {MOST_TEXT}.", "Use `path`.")
        name = given.get("name") or "text.txt"
        common["content_type"] = common["content_type"] or _kind(name)
        artifact = await backend.ivcap.upload_artifact_async(name=name, io_stream=io.BytesIO(data), **common)
    else:
        file = await anyio.to_thread.run_sync(permitted, str(path), backend.settings.allow_roots)
        artifact = await backend.ivcap.upload_artifact_async(
            name=given.get("name") or file.name, file_path=file, **common
        )
    return answer(facts(artifact), link(artifact))


def _kind(name: str) -> str:
    import mimetypes

    return mimetypes.guess_type(name)[0] or "text/plain; charset=utf-8"


def permitted(path: str, roots: tuple[Path, ...]) -> Path:
    """The file, if it lies under an allowed root after all links are followed.

    Raises:
        ToolError: It does not, or is no file.
    """
    if not roots:
        raise ToolError("not_permitted", "This server may read no files.", "Give the content as `text`.")
    given = Path(path).expanduser()
    file = (given if given.is_absolute() else roots[0] / given).resolve()
    allowed = ", ".join(str(root) for root in roots)
    if not any(file.is_relative_to(root.resolve()) for root in roots):
        raise ToolError(
            "not_permitted", f"{clip(path, 300)!r} lies outside {allowed}.", "Ask the user for --allow-root."
        )
    if not file.is_file():
        raise ToolError("not_found", f"There is no file {clip(path, 300)!r} under {allowed}.", "Check the path.")
    return file


TOOLS = (
    Builtin(
        t.Tool(
            name="list_artifacts",
            description="List artifacts (stored files), newest first.",
            input_schema=schema(
                (),
                name=text("Only names that contain this"),
                mime_type=text("Only media types that begin so, such as image/"),
                limit=LIMIT,
                cursor=CURSOR,
            ),
            output_schema=output(artifacts={"type": "array", "items": {"type": "object"}}, cursor=text("Go on here")),
            annotations=READS,
        ),
        list_artifacts,
    ),
    Builtin(
        t.Tool(
            name="get_artifact",
            description="Describe an artifact: name, type, size, and the aspects about it.",
            input_schema=schema(("artifact",), artifact=text("URN of the artifact"), max_bytes=MAX_BYTES),
            output_schema=output(artifact=text("URN"), size={"type": "integer"}, aspects={}),
            annotations=READS,
        ),
        get_artifact,
    ),
    Builtin(
        t.Tool(
            name="upload_artifact",
            description=(
                "Store text, or a file of this machine that the user allowed, as an artifact. Returns its URN, which "
                "services take as input."
            ),
            input_schema=schema(
                (),
                name=text("Display name, with an ending such as .csv"),
                content_type=text("Media type; guessed from the name by default"),
                text=text("The content"),
                path=text("A file under an allowed directory, instead of text"),
                policy=text("URN of a policy"),
            ),
            output_schema=output(artifact=text("URN"), size={"type": "integer"}),
            annotations=ADDS,
        ),
        upload_artifact,
    ),
)
