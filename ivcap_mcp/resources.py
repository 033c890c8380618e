"""Artifacts, aspects, services and jobs as resources under their URNs."""

from __future__ import annotations

import base64
import json
from typing import Any

import mcp_types as t

from ivcap_client import Artifact, Aspect, Job
from ivcap_client.exception import InvalidInput, ResourceNotFound
from ivcap_client.urns import is_urn, kind_of
from ivcap_mcp.backend import Backend
from ivcap_mcp.errors import ToolError
from ivcap_mcp.fitting import fitted
from ivcap_mcp.text import clip, stripped

KINDS = {
    "artifact": "An artifact's bytes: text as text, others as a blob; large ones as a short description",
    "aspect": "A statement about an entity: its content, schema and validity",
    "service": "A service: description and input schema",
    "job": "A job: status, times, and its result once it has ended",
}
RECENT = 25
RECENT_JOBS = 10
MOST_ASPECTS = 50
"""Statements shown of an entity that is read."""
TEXT_TYPES = (
    "application/json",
    "application/xml",
    "application/yaml",
    "application/x-ndjson",
    "application/javascript",
)


def templates() -> list[t.ResourceTemplate]:
    """One template per kind."""
    return [
        t.ResourceTemplate(name=f"ivcap-{kind}", uri_template=f"urn:ivcap:{kind}:{{uuid}}", description=text)
        for kind, text in KINDS.items()
    ]


async def recent(backend: Backend) -> list[t.Resource]:
    """The newest artifacts and jobs, so that a person finds something to pick; all else is reached by its URN."""
    listed = backend.ivcap.list_artifacts(limit=RECENT, order_by="created-at", order_desc=True)
    found = [_resource(artifact) async for artifact in listed]
    jobs = [job async for job in backend.ivcap.list_jobs(limit=RECENT_JOBS)]
    known = {entry.service: entry.name for entry in backend.catalog.all()}
    return found + [_job_resource(job, known.get(job.service or "", job.name or "")) for job in jobs]


def _resource(artifact: Artifact) -> t.Resource:
    name = clip(stripped(artifact.name or artifact.urn), 200)
    return t.Resource(uri=artifact.urn, name=name, mime_type=artifact.mime_type, size=artifact.size)


def _job_resource(job: Job, called: str) -> t.Resource:
    when = f" of {job.requested_at:%Y-%m-%d %H:%M}" if job.requested_at else ""
    name = clip(stripped(f"job {called}{when}"), 200)
    return t.Resource(uri=job.urn, name=name, description=job.status(refresh=False).value, mime_type="application/json")


async def read(backend: Backend, uri: str) -> list[t.TextResourceContents | t.BlobResourceContents] | None:
    """What a URN names; `None` if there is nothing, or nothing a URN of ours can name."""
    try:
        match kind_of(uri):
            case "artifact":
                return [await _artifact(backend, uri)]
            case "aspect":
                return [await _aspect(backend, uri)]
            case "service":
                return await _service(backend, uri)
            case "job":
                return [await _job(backend, uri)]
            case _:
                return await _entity(backend, uri)
    except (ResourceNotFound, InvalidInput):
        return None


async def exists(backend: Backend, uri: str) -> bool:
    """Whether `read` would find something, at the cost of a look.

    Raises:
        IvcapError: The platform could not be asked.
    """
    try:
        match kind_of(uri):
            case "artifact":
                await backend.ivcap.stored_artifact_async(uri)
            case "aspect":
                await backend.ivcap.get_aspect_async(uri)
            case "job" | "service":
                return await read(backend, uri) is not None
            case _:
                return bool(await _about(backend, uri, 1))
    except (ResourceNotFound, InvalidInput):
        return False
    return True


async def _artifact(backend: Backend, uri: str) -> t.TextResourceContents | t.BlobResourceContents:
    artifact = await backend.ivcap.stored_artifact_async(uri)
    kind = artifact.mime_type or "application/octet-stream"
    most = backend.settings.most_blob
    if artifact.record.status != "ready" or artifact.size is None or artifact.size > most:
        told = {
            "artifact": artifact.urn,
            "name": artifact.name,
            "content_type": artifact.mime_type,
            "size": artifact.size,
            "status": artifact.record.status,
            "note": f"Not sent inline: only complete artifacts of at most {most} bytes are. "
            "preview_artifact looks into it, read_artifact reads a part of it.",
        }
        return _text(uri, told)
    data = await artifact.as_bytes_async(most=most)
    plain = kind.split(";")[0].strip().lower()
    if plain.startswith("text/") or plain in TEXT_TYPES or plain.endswith(("+json", "+xml")):
        try:
            return t.TextResourceContents(uri=uri, mime_type=kind, text=data.decode("utf-8"))
        except UnicodeDecodeError:
            pass  # it is not what its type says: the bytes themselves are right in any case
    return t.BlobResourceContents(uri=uri, mime_type=kind, blob=base64.b64encode(data).decode("ascii"))


async def _aspect(backend: Backend, uri: str) -> t.TextResourceContents:
    aspect = await backend.ivcap.get_aspect_async(uri)
    told = {
        "aspect": aspect.urn,
        "entity": aspect.entity,
        "schema": aspect.schema,
        "valid_from": aspect.valid_from,
        "valid_to": aspect.valid_to,
        "content": aspect.record.content,
    }
    return _bounded(backend, uri, told)


async def _about(backend: Backend, uri: str, limit: int) -> list[Aspect]:
    if not is_urn(uri):
        return []
    return [aspect async for aspect in backend.ivcap.list_aspects(entity=uri, limit=limit)]


async def _entity(backend: Backend, uri: str) -> list[t.TextResourceContents | t.BlobResourceContents] | None:
    """Any other URN is what is stated about it; one about which nothing is stated is no resource."""
    found = await _about(backend, uri, MOST_ASPECTS)
    if not found:
        return None
    said = [{"aspect": aspect.urn, "schema": aspect.schema, "content": aspect.record.content} for aspect in found]
    return [_bounded(backend, uri, {"entity": uri, "aspects": said})]


async def _service(backend: Backend, uri: str) -> list[t.TextResourceContents | t.BlobResourceContents] | None:
    entry = await backend.catalog.of_service(uri)
    if entry is None:
        service = await backend.ivcap.get_service(uri).refresh_async()
        return [_text(uri, {"service": uri, "name": service.name, "description": service.description})]
    told = {"service": uri, "tool": entry.name, "description": entry.description, "input_schema": entry.original}
    return [_bounded(backend, uri, told)]


async def _job(backend: Backend, uri: str) -> t.TextResourceContents:
    try:
        job = await backend.job(uri, patience=0)
    except ToolError:
        raise ResourceNotFound("read job", detail=uri) from None
    told = {
        "job": job.urn,
        "status": job.status(refresh=False).value,
        "service": job.service,
        "requested_at": job.requested_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "request": job.request,
        "error": job.error,
        "result": job.record.result if job.record.status == "succeeded" else None,
    }
    return _bounded(backend, uri, {name: value for name, value in told.items() if value is not None})


def _bounded(backend: Backend, uri: str, told: dict[str, Any]) -> t.TextResourceContents:
    shown, size = fitted(told, backend.settings.most_blob)
    return _text(uri, told if size is None else {"shortened": True, "size": size, "content": shown})


def _text(uri: str, told: Any) -> t.TextResourceContents:
    text = json.dumps(told, ensure_ascii=False, indent=1, default=str)
    return t.TextResourceContents(uri=uri, mime_type="application/json", text=text)
