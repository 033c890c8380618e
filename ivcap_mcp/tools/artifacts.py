"""Artifacts: find and describe."""

from __future__ import annotations

import logging
import re
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import anyio
import mcp_types as t

from ivcap_client import Artifact, LocalIVCAP
from ivcap_client.exception import IvcapError
from ivcap_client.later import later
from ivcap_mcp import outside
from ivcap_mcp.backend import Backend
from ivcap_mcp.errors import ToolError
from ivcap_mcp.fitting import fit, leading
from ivcap_mcp.identifiers import checked
from ivcap_mcp.moments import AS_OF, moment_of, written
from ivcap_mcp.preview.texts import seen
from ivcap_mcp.rendering import rendered
from ivcap_mcp.results import answer, link, next_call
from ivcap_mcp.text import clip, one_line, stripped
from ivcap_mcp.tools.builtin import CURSOR, LIMIT, MAX_BYTES, READS, Builtin, output, schema, text

if TYPE_CHECKING:
    from ivcap_mcp import collected, lineage
    from ivcap_mcp.request import Request
else:
    collected = later("ivcap_mcp.collected")
    lineage = later("ivcap_mcp.lineage")

log = logging.getLogger("ivcap_mcp.artifacts")

SCAN = 1_000
"""Artifacts looked at for one answer; the cursor goes on from there."""
AT_ONCE = 8
OWN = re.compile(r"urn:ivcap:schema[:.](artifact[\w-]*|order-[\w-]*artifact)\.\d+")
"""What the platform itself states about an artifact; it stands in the answer in words."""
PROVENANCE = 10.0
"""Seconds for what made and used an artifact."""


async def list_artifacts(backend: Backend, request: Request, given: dict[str, Any]) -> t.CallToolResult:
    limit, at = given.get("limit", 10), moment_of(given.get("as_of"))
    skip = _place(given.get("cursor"))
    if given.get("collection") is not None:
        found, reached, more = await _of_collection(backend, given, skip, limit, at)
    else:
        found, reached, more = await _of_all(backend, given, skip, limit, at)
    listed = [facts(artifact) for _, artifact in found]
    told: dict[str, Any] = {"artifacts": listed} | ({"cursor": str(reached)} if more else {}) | outside.MARK
    lead = "" if found else "No artifact fits." + (" Go on with `cursor`." if more else "")
    room = max(1, leading(told, "artifacts", given.get("max_bytes", 20_000)))
    if room < len(found):
        size = len(rendered(told).encode())
        told |= {"artifacts": listed[:room], "cursor": str(found[room - 1][0]), "shortened": True, "size": size}
    return answer(told, *(link(artifact) for _, artifact in found[:room]), lead=lead)


async def _of_all(
    backend: Backend, given: dict[str, Any], skip: int, limit: int, at: datetime | None
) -> tuple[list[tuple[int, Artifact]], int, bool]:
    found: list[tuple[int, Artifact]] = []
    number = 0
    async for artifact in backend.ivcap.list_artifacts(limit=None, order_by="created-at", order_desc=True, at_time=at):
        number += 1
        if number <= skip:
            continue
        if len(found) == limit or number > skip + SCAN:
            return found, number - 1, True
        if _fits(artifact, given):
            found.append((number, artifact))
    return found, number, False


async def _of_collection(
    backend: Backend, given: dict[str, Any], skip: int, limit: int, at: datetime | None
) -> tuple[list[tuple[int, Artifact]], int, bool]:
    """The artifacts of a collection, in the order they were put in, newest first, each with the cursor after it."""
    collection = given["collection"]
    urns = dict.fromkeys(await collected.members(backend.ivcap, collection, at))
    if isinstance(backend.ivcap, LocalIVCAP):  # here the artifact itself tells the collection it was uploaded to
        own = f'collection == "{collection}"'
        async for artifact in backend.ivcap.list_artifacts(filter=own, limit=SCAN, order_desc=True, at_time=at):
            urns.setdefault(artifact.urn)
    listed = list(urns)
    found: list[tuple[int, Artifact]] = []
    for start in range(skip, len(listed), AT_ONCE):
        several = listed[start : start + AT_ONCE]
        read: dict[str, Artifact] = {}

        async def look(urn: str, read: dict[str, Artifact] = read) -> None:
            try:
                read[urn] = await backend.ivcap.stored_artifact_async(urn)
            except IvcapError as error:
                log.info("%s is in %s, but cannot be read: %s", urn, collection, error)

        async with anyio.create_task_group() as tasks:
            for urn in several:
                tasks.start_soon(look, urn)
        for number, urn in enumerate(several, start):
            if urn in read and _fits(read[urn], given):
                if len(found) == limit:
                    return found, number, True
                found.append((number + 1, read[urn]))
    return found, len(listed), False


def _fits(artifact: Artifact, given: dict[str, Any]) -> bool:
    name, kind = given.get("name"), given.get("mime_type")
    if name and name.lower() not in (artifact.name or "").lower():
        return False
    return not kind or (artifact.mime_type or "").startswith(kind)


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
        "name": clip(stripped(artifact.name or ""), 300) or None,
        "content_type": artifact.mime_type,
        "size": artifact.size,
        "status": artifact.record.status,
        "created_at": written(artifact.created_at),
        "etag": artifact.etag,
        "policy": artifact.policy,
    }
    return {key: value for key, value in told.items() if value is not None}


async def get_artifact(backend: Backend, request: Request, given: dict[str, Any]) -> t.CallToolResult:
    artifact = await backend.ivcap.stored_artifact_async(checked("artifact", given["artifact"]))
    told = facts(artifact)
    about = [
        {"aspect": aspect.urn, "schema": aspect.schema, "content": seen(aspect.record.content)}
        async for aspect in backend.ivcap.list_aspects(entity=artifact.urn, limit=50)
        if not OWN.fullmatch(aspect.schema)
    ]
    told |= await _provenance(backend, request, artifact.urn)
    most = given.get("max_bytes", 20_000)
    told |= {"aspects": about, "next": next_call("preview_artifact", artifact=artifact.urn)} | outside.MARK
    return answer(fit(told, "aspects", most), link(artifact), lead=outside.LEAD)


async def _provenance(backend: Backend, request: Request, urn: str) -> dict[str, Any]:
    """What made it and what used it, each with the place where that is written."""
    until = time.monotonic() + min(PROVENANCE, max(1.0, request.left - 3))
    graph = await lineage.Walk(backend.ivcap, None, until).trace(urn, "both", 1)
    made: list[dict[str, str]] = []
    used: list[dict[str, str]] = []
    for edge, places in graph.edges:
        if edge.object == urn:
            (used if edge.upward else made).append({"by": edge.subject, "how": edge.relation, "source": places[0]})
    told: dict[str, Any] = {"made_by": made[:10], "used_by": used[:10]}
    if len(used) > 10:
        told["used_by_count"] = len(used)
    if not made and not used:
        told["provenance"] = "no provenance recorded"
    notes = [one_line(note, 300) for note in graph.notes if note != lineage.FURTHER]
    if notes:
        told["provenance_notes"] = notes[:3]
    return told


TOOLS = (
    Builtin(
        t.Tool(
            name="list_artifacts",
            description="List artifacts (stored files), newest first.",
            input_schema=schema(
                (),
                name=text("Only names that contain this"),
                mime_type=text("Only media types that begin so, such as image/"),
                collection=text("Only those in the collection of this URN"),
                as_of=AS_OF,
                limit=LIMIT,
                cursor=CURSOR,
                max_bytes=MAX_BYTES,
            ),
            output_schema=output(artifacts={"type": "array", "items": {}}, cursor=text("Go on here")),
            annotations=READS,
        ),
        list_artifacts,
    ),
    Builtin(
        t.Tool(
            name="get_artifact",
            description="Describe an artifact: name, type, size, what made it, what used it, the aspects about it.",
            input_schema=schema(("artifact",), artifact=text("URN of the artifact"), max_bytes=MAX_BYTES),
            output_schema=output(artifact=text("URN"), size={"type": "integer"}, made_by={}, used_by={}, aspects={}),
            annotations=READS,
        ),
        get_artifact,
    ),
)
