"""`get_job`: where a job stands, and its result, also long after the call that ordered it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import anyio
import mcp_types as t

from ivcap_client import Job
from ivcap_client.later import later
from ivcap_mcp import outside, results
from ivcap_mcp.backend import Backend
from ivcap_mcp.errors import ToolError, tool_error
from ivcap_mcp.moments import written
from ivcap_mcp.results import answer, next_call, pointed, window
from ivcap_mcp.shortening import fitted_in_time
from ivcap_mcp.tools.builtin import READS, Builtin, output, schema, text, waited

if TYPE_CHECKING:
    from ivcap_mcp import calls, ordering
    from ivcap_mcp.request import Request
else:
    calls = later("ivcap_mcp.calls")
    ordering = later("ivcap_mcp.ordering")

MOST_JOBS = 20
OPEN = frozenset({"pending", "scheduled", "executing", "running"})
"""States of jobs that are worth waiting for."""


async def get_job(backend: Backend, request: Request, given: dict[str, Any]) -> t.CallToolResult:
    named = given["job"]
    wait = min(float(given.get("wait", 0)), backend.settings.max_wait)
    until = time.monotonic() + wait
    if isinstance(named, list) and len(named) != 1:
        return await _several(backend, request, named, given.get("wait_for", "all"), until)
    request.doing = "looking for the job"
    job = await backend.job(named[0] if isinstance(named, list) else named, request)
    about = _about(backend, job)
    if not (job.ended and job.record.has_result):
        ended = await calls.ended_by(backend, request, job, until) if wait > 0 and not job.ended else None
        if ended is None and not job.ended:
            return results.handle(job, list(request.progress.recent), backend.settings.wait, about)
        job = ended or job
    try:
        results.refuse_failed(job)
    except ToolError:
        backend.note(job.urn, "delivered")
        raise
    return await _told(backend, request, job, given, about)


def _about(backend: Backend, job: Job) -> dict[str, Any]:
    """What has to be said of a job that is ours by its content alone."""
    return {"note": ordering.BY_CONTENT} if backend.journal.known_by(job.urn) == "content" else {}


async def _told(
    backend: Backend, request: Request, job: Job, given: dict[str, Any], about: dict[str, Any]
) -> t.CallToolResult:
    facts: dict[str, Any] = facts_of(job) | about
    pointer, offset, limit = given.get("pointer", ""), given.get("offset", 0), given.get("limit")
    value = pointed(results._value(job), pointer)
    part, total, following = window(value, offset, limit)
    most = min(given.get("max_bytes", backend.settings.most_text), backend.settings.most_text)
    shown, size = await fitted_in_time(part, most)
    facts |= {"result": shown} | outside.MARK
    lead = about.get("note", "")
    if pointer or offset or limit is not None or size is not None:
        facts |= {"pointer": pointer, "offset": offset}
        facts |= {"total": total} if total is not None else {}
    if size is not None:
        facts |= {"shortened": True, "size": size}
        lead += f" The result has {size} bytes and is shortened; ask for a part with pointer, offset and limit."
    if following is not None:
        facts["next"] = next_call("get_job", job=job.urn, pointer=pointer, offset=following, limit=limit)
    extra: list[t.ContentBlock] = []
    if not pointer and not offset and results.artifacts_in(shown):
        with anyio.move_on_after(max(request.left - results.SPARE, 0.1)):
            extra = await results.linked(backend.ivcap, backend.settings, shown)
    backend.note(job.urn, "delivered")
    meta = {"ivcap/job": job.urn, **outside.META}
    return answer(facts, *extra, lead=f"{lead} {outside.SERVICE}".strip(), meta=meta)


async def _several(
    backend: Backend, request: Request, named: list[str], wait_for: str, until: float
) -> t.CallToolResult:
    """Where several jobs stand; waits for all of them, or for the first that ends."""
    found: dict[str, dict[str, Any]] = {}
    enough = anyio.Event()

    async def look(one: str) -> None:
        try:
            job = await backend.job(one, request)
            if not job.ended and until > time.monotonic():
                job = await calls.ended_by(backend, request, job, until) or job
            found[one] = facts_of(job)
            if job.ended:
                found[one] |= {"error": job.error} if job.error else {}
                if wait_for == "any":
                    enough.set()
        except Exception as error:
            failed = tool_error(error)
            found[one] = {"job": one, "status": "unknown", "error": f"{failed.code}: {failed.message}"}

    async with anyio.create_task_group() as tasks:

        async def all_looked() -> None:
            async with anyio.create_task_group() as looks:
                for one in dict.fromkeys(named):
                    looks.start_soon(look, one)
            enough.set()

        tasks.start_soon(all_looked)
        await enough.wait()
        tasks.cancel_scope.cancel()
    listed = [found.get(one, {"job": one, "status": "running"}) for one in dict.fromkeys(named)]
    open_ones = [one["job"] for one in listed if one["status"] in OPEN]
    if not open_ones:
        return answer({"jobs": listed})
    following = next_call("get_job", job=open_ones, wait=int(backend.settings.wait), wait_for=wait_for)
    lead = f"{len(listed) - len(open_ones)} of {len(listed)} have ended."
    return answer({"jobs": listed, "next": following}, lead=lead)


def facts_of(job: Job) -> dict[str, Any]:
    """Where a job stands."""
    told = {
        "job": job.urn,
        "status": job.status(refresh=False).value,
        "service": job.service,
        "requested_at": written(job.requested_at),
        "started_at": written(job.started_at),
        "finished_at": written(job.finished_at),
    }
    return {name: str(value) for name, value in told.items() if value is not None}


_JOB = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MOST_JOBS}],
    "description": "URN of a job (or the id of a submission), or a list of them",
}

TOOLS = (
    Builtin(
        t.Tool(
            name="get_job",
            description=(
                "Status and result of a job, by the URN a call returned. Waits up to `wait` seconds for its end. "
                "A large result is read in parts with pointer (JSON Pointer), offset and limit."
            ),
            input_schema=schema(
                ("job",),
                job=_JOB,
                wait=waited(0),
                wait_for=text("With several jobs: wait for all of them or any one", enum=["all", "any"], default="all"),
                pointer=text("JSON Pointer into the result, such as /rows/0", default=""),
                offset={"type": "integer", "minimum": 0, "default": 0, "description": "First item, key or character"},
                limit={"type": "integer", "minimum": 1, "description": "How many items, keys or characters"},
                max_bytes={
                    "type": "integer",
                    "minimum": 1000,
                    "maximum": 1_000_000,
                    "description": "Longest result in bytes",
                },
            ),
            output_schema=output(
                job=text("URN"),
                status=text("State"),
                service=text("URN"),
                jobs={"type": "array", "items": {"type": "object"}},
            ),
            annotations=READS,
        ),
        get_job,
    ),
)
