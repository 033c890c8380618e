"""A job → what the model gets: structured content, the same facts as text, links to artifacts; within limits."""

from __future__ import annotations

import base64
import logging
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import anyio
import mcp_types as t

from ivcap_client import IVCAP, Artifact, Job
from ivcap_client.exception import IvcapError
from ivcap_mcp import outside
from ivcap_mcp.endings import how_it_ended
from ivcap_mcp.errors import ToolError
from ivcap_mcp.fitting import fitted
from ivcap_mcp.rendering import rendered
from ivcap_mcp.settings import Settings
from ivcap_mcp.text import clip, stripped

log = logging.getLogger("ivcap_mcp.results")

ARTIFACT = re.compile(r"urn:ivcap:artifact:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
MOST_LINKS = 20
SPARE = 0.2
"""Seconds kept for writing the answer."""
IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
ENVELOPE = {
    "type": "object",
    "properties": {
        "job": {"type": "string"},
        "status": {"type": "string"},
        "service": {"type": "string"},
        "progress": {"type": "array", "items": {"type": "string"}},
        "attached": {"type": "boolean"},
        "next": {"type": "object"},
        "result": {},
    },
}


def next_call(tool: str, **arguments: Any) -> dict[str, Any]:
    """The exact call that goes on from here."""
    return {"tool": tool, "arguments": arguments}


def answer(structured: Mapping[str, Any], *extra: t.ContentBlock, lead: str = "", meta: Any = None) -> t.CallToolResult:
    """A success: the structured content, and the same as text for clients that show only that."""
    text = rendered(structured)
    content: list[t.ContentBlock] = [t.TextContent(text=f"{lead}\n{text}" if lead else text), *extra]
    return t.CallToolResult(content=content, structured_content=dict(structured), _meta=meta)


def handle(job: Job, told: list[str], wait: float, about: Mapping[str, Any] | None = None) -> t.CallToolResult:
    """The answer for a job that has not ended: where it stands, and how to go on. Not an error.

    Args:
        job: As it was last seen.
        told: What it told meanwhile.
        wait: Seconds that the next call should wait.
        about: More to be said about it; its `note` is told as text too.
    """
    status = job.status(refresh=False).value
    following = next_call("get_job", job=job.urn, wait=int(wait))
    more = dict(about or {})
    structured = {"job": job.urn, "status": status, "service": job.service, "progress": told, **more, "next": following}
    where = (
        f"The job has ended ({status}), but its result could not be read in time."
        if job.ended
        else f"The job has not ended yet ({status}); it goes on whether anybody waits or not."
    )
    lead = f'{where} To wait for its result call get_job with {{"job": "{job.urn}", "wait": {int(wait)}}}.'
    lead += f" {more['note']}" if "note" in more else ""
    return answer(structured, lead=lead, meta={"ivcap/job": job.urn})


async def finished(
    ivcap: IVCAP, settings: Settings, job: Job, about: Mapping[str, Any] | None = None, left: float = math.inf
) -> t.CallToolResult:
    """The result of a service tool's job.

    Args:
        ivcap: The platform.
        settings: Limits.
        job: It, read with its result.
        about: What has to be said about the job; the result then stands under `result` beside it.
        left: Seconds left; links to artifacts that cannot be had in time are left out.

    Raises:
        ToolError: The job did not succeed.
    """
    refuse_failed(job)
    value = _value(job)
    structured = value if isinstance(value, dict) else {"result": value}
    shown, size = await anyio.to_thread.run_sync(fitted, structured, settings.most_text)
    lead = f"Job {job.urn} succeeded."
    if about:
        lead += f" {about.get('note', '')}"
        if size is None:
            shown = {"job": job.urn, "status": "succeeded", **about, "result": value}
    if size is not None:
        at_once = settings.most_text // 3 if isinstance(value, str) else 100
        following = next_call("get_job", job=job.urn, pointer="", offset=0, limit=at_once)
        shown = {
            "job": job.urn,
            "status": "succeeded",
            **(about or {}),
            "shortened": True,
            "size": size,
            "next": following,
            "result": shown,
        }
        lead += (
            f" Its result has {size} bytes and is shortened here; read on with get_job and "
            "`pointer` (a JSON Pointer into the result), `offset` and `limit`."
        )
    extra: list[t.ContentBlock] = []
    with anyio.move_on_after(max(left - SPARE, 0.1)):
        extra = await linked(ivcap, settings, value)
    meta = {"ivcap/job": job.urn, **outside.META}
    return answer(shown, *extra, lead=f"{lead} {outside.SERVICE}", meta=meta)


def refuse_failed(job: Job) -> None:
    """Raise the tool error for a job that ended badly."""
    status = job.status(refresh=False).value
    if status == "succeeded":
        return
    reason = clip(stripped(job.error or "no reason was given"), 3000).rstrip(".")
    how = how_it_ended(job)
    more = f' To see why call explain_job with {{"job": "{job.urn}"}}.' if how.compare else ""
    raise ToolError("job_failed", f"Job {job.urn} ended as {status}: {reason}.", how.advice + more)


def _value(job: Job) -> Any:
    record = job.record
    if isinstance(record.result, (bytes, bytearray)):
        return {"content_type": record.result_content_type, "bytes": len(record.result), "note": "not text"}
    if record.result is None and record.result_content_urn:
        return {"artifact": record.result_content_urn, "content_type": record.result_content_type}
    return record.result


def artifacts_in(value: Any, most: int = MOST_LINKS) -> list[str]:
    """URNs of artifacts that a value mentions, in order, each once."""
    found: dict[str, None] = {}
    for text in _texts(value):
        for urn in ARTIFACT.findall(text):
            found.setdefault(urn)
            if len(found) >= most:
                return list(found)
    return list(found)


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, Mapping):
            waiting.extend(reversed(list(one.values())))
        elif isinstance(one, list):
            waiting.extend(reversed(one))


async def linked(ivcap: IVCAP, settings: Settings, value: Any) -> list[t.ContentBlock]:
    """Links to the artifacts a value mentions, with type and size; small images are shown too."""
    urns = artifacts_in(value)
    known: dict[str, Artifact | None] = dict.fromkeys(urns)

    async def look(urn: str) -> None:
        try:
            known[urn] = await ivcap.stored_artifact_async(urn)
        except IvcapError as error:
            log.info("the result names %s, which cannot be read: %s", urn, error)

    async with anyio.create_task_group() as tasks:
        for urn in urns:
            tasks.start_soon(look, urn)
    blocks: list[t.ContentBlock] = []
    for urn in urns:
        artifact = known[urn]
        if artifact is not None:
            blocks.append(link(artifact))
            blocks.extend(await _image(artifact, settings.most_image))
    return blocks


def link(artifact: Artifact) -> t.ResourceLink:
    """A link to an artifact under its URN."""
    name = clip(stripped(artifact.name or artifact.urn), 200)
    return t.ResourceLink(uri=artifact.urn, name=name, mime_type=artifact.mime_type, size=artifact.size)


async def _image(artifact: Artifact, most: int) -> list[t.ContentBlock]:
    if artifact.mime_type not in IMAGES or artifact.size is None or artifact.size > most:
        return []
    try:
        data = await artifact.as_bytes_async(most=most)
    except IvcapError as error:
        log.info("the image %s cannot be shown: %s", artifact.urn, error)
        return []
    return [t.ImageContent(data=base64.b64encode(data).decode("ascii"), mime_type=artifact.mime_type)]


def pointed(value: Any, pointer: str) -> Any:
    """What a JSON Pointer (RFC 6901) names.

    Raises:
        ToolError: It leads nowhere; the message says how far it led and what is there.
    """
    if pointer in ("", "/"):
        return value
    if not pointer.startswith("/"):
        raise ToolError(
            "invalid_input", f"pointer {clip(pointer, 100)!r} does not begin with '/'.", "Give a JSON Pointer."
        )
    here = ""
    for raw in pointer[1:].split("/"):
        key = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and re.fullmatch(r"\d{1,9}", key) and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, Mapping) and key in value:
            value = value[key]
        else:
            there = (
                f"a list of {len(value)}"
                if isinstance(value, list)
                else (
                    f"an object with the keys {', '.join(map(str, list(value)[:20]))}"
                    if isinstance(value, Mapping)
                    else "a plain value"
                )
            )
            raise ToolError(
                "not_found", f"There is nothing at {clip(pointer, 200)!r}: {here or 'the result'} is {there}."
            )
        here += f"/{raw}"
    return value


def window(value: Any, offset: int, limit: int | None) -> tuple[Any, int | None, int | None]:
    """A part of a value: items of a list, keys of an object, characters of a text.

    Returns:
        The part, how many there are in all, and where to go on; the latter two are `None` for plain values.
    """
    if not isinstance(value, (list, str, Mapping)):
        return value, None, None
    total = len(value)
    end = total if limit is None else min(offset + limit, total)
    if isinstance(value, Mapping):
        keys = list(value)[offset:end]
        part: Any = {key: value[key] for key in keys}
    else:
        part = value[offset:end]
    return part, total, end if end < total else None
