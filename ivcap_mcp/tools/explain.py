"""`explain_job`: everything that helps to understand how a job ended, in one answer."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Any

import anyio
import mcp_types as t

from ivcap_client import Job, LocalIVCAP
from ivcap_client.exception import IvcapError
from ivcap_client.later import later
from ivcap_mcp import outside
from ivcap_mcp.backend import Backend
from ivcap_mcp.endings import how_it_ended
from ivcap_mcp.fitting import fit
from ivcap_mcp.moments import written
from ivcap_mcp.preview.texts import seen
from ivcap_mcp.rendering import rendered
from ivcap_mcp.results import answer, next_call
from ivcap_mcp.text import clip, one_line, stripped
from ivcap_mcp.tools.builtin import MAX_BYTES, READS, Builtin, output, schema, text

if TYPE_CHECKING:
    from ivcap_mcp import arguments, explain
    from ivcap_mcp.request import Request
else:
    arguments = later("ivcap_mcp.arguments")
    explain = later("ivcap_mcp.explain")

log = logging.getLogger("ivcap_mcp.explain")

EVENTS = 12
COMPARED = 20
"""Successful jobs whose inputs are read to find the nearest one."""
AT_ONCE = 5
PATIENCE = 8.0
"""Seconds for each part that is looked up; what is missing then is said."""
MOST_OUTPUT = 6_000


async def explain_job(backend: Backend, request: Request, given: dict[str, Any]) -> t.CallToolResult:
    job, most = await backend.job(given["job"]), given.get("max_bytes", 20_000)
    status = job.status(refresh=False).value
    told: dict[str, Any] = {"job": job.urn, "status": status, "service": job.service}
    told |= {
        name: value
        for name in ("requested_at", "started_at", "finished_at")
        if (value := written(getattr(job, name))) is not None
    }
    missing: list[str] = []
    if job.ended and status != "succeeded":
        told["error"] = clip(stripped(job.error or "no reason was given"), 3_000)
        if detail := _traceback(job):
            told["traceback_end"] = detail
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_within, _last_events, backend, job, told, missing)
        tasks.start_soon(_within, _output, backend, job, told, missing)
        if job.ended and status != "succeeded" and how_it_ended(job).compare:
            tasks.start_soon(_within, _comparison, backend, job, told, missing)
    if missing:
        told["not_found_out"] = missing
    told |= _advice(job, status, told, runs=not backend.settings.read_only)
    order = ("job", "status", "service", "error", "advice", "next", "compared", "traceback_end", "events", "output")
    told = {key: told[key] for key in (*order, *told) if key in told}
    told = seen(told) | outside.MARK
    if "output" in told:
        told["output"] = told["output"][-(most // 3) :]  # the end tells more than the beginning
    whole = told
    for part in ("events", "output", "traceback_end", "next", "compared", "error"):
        if part in told:
            told = fit(told, part, most)
    if told is not whole:
        told = {name: value for name, value in told.items() if name != "full_size"}
        told["size"] = len(rendered(whole).encode())
    return answer(told, lead=f"{_lead(job, status)} {outside.LEAD}")


async def _within(part: Any, backend: Backend, job: Job, told: dict[str, Any], missing: list[str]) -> None:
    """Look one part up; what fails or takes too long is named and costs nothing else."""
    name = part.__name__.strip("_").replace("_", " ")
    try:
        with anyio.fail_after(PATIENCE):
            await part(backend, job, told)
    except TimeoutError:
        missing.append(f"{name}: it took longer than {PATIENCE:g} s")
    except IvcapError as error:
        log.info("%s of %s: %s", name, job.urn, error)
        missing.append(f"{name}: {one_line(str(error), 300)}")


async def _last_events(backend: Backend, job: Job, told: dict[str, Any]) -> None:
    last: deque[dict[str, Any]] = deque(maxlen=EVENTS)
    count = 0
    stream = job.events()
    try:
        with anyio.move_on_after(PATIENCE if job.ended else 1.0):
            while (event := await stream.next_async(timeout=PATIENCE)) is not None:
                count += 1
                last.append({"at": written(event.timestamp), "text": one_line(event.text, 300)})
    finally:
        with anyio.CancelScope(shield=True):
            await stream.close_async()
    told["events"] = list(last)
    if count > len(last):
        told["event_count"] = count


async def _output(backend: Backend, job: Job, told: dict[str, Any]) -> None:
    if not isinstance(backend.ivcap, LocalIVCAP):
        return
    found = await backend.ivcap.job_output_async(job.urn, most=MOST_OUTPUT, own=True)
    if found is None:
        told["output_note"] = "What the tool printed meanwhile is not kept any more, or it has not begun."
        return
    if not found.text.strip():
        told["output_note"] = "The tool printed nothing while this job ran."
        return
    told["output"] = found.text
    notes = []
    if found.shortened:
        notes.append(f"These are the last of {found.size} bytes.")
    if found.others:
        named = ", ".join(found.others[:5])
        notes.append(
            f"{len(found.others)} other jobs ran in the same process meanwhile ({named}); lines may be theirs."
        )
    if notes:
        told["output_note"] = " ".join(notes)


async def _comparison(backend: Backend, job: Job, told: dict[str, Any]) -> None:
    """The nearest successful input."""
    if job.service is None:
        return
    candidates = [
        other
        async for other in backend.ivcap.list_jobs(job.service, limit=5 * COMPARED)
        if other.status(refresh=False).value == "succeeded" and other.urn != job.urn
    ][:COMPARED]
    limiter = anyio.CapacityLimiter(AT_ONCE)
    inputs: dict[str, Any] = {}

    async def look(other: Job) -> None:
        async with limiter:
            try:
                inputs[other.urn] = (await backend.ivcap.job(other.urn, job.service).refresh_async()).request
            except IvcapError as error:
                log.info("%s cannot be read for comparison: %s", other.urn, error)

    async with anyio.create_task_group() as tasks:
        for other in candidates:
            tasks.start_soon(look, other)
    known = [(other.urn, inputs[other.urn]) for other in candidates if inputs.get(other.urn) is not None]
    found = explain.nearest(job.request, known)
    if found is None:
        told["compared"] = {"note": "No successful job of this service is known to compare the input with."}
        return
    urn, differing = found
    differing = explain.ranked(differing, str(told.get("error", "")), await _wrong(backend, job))
    told["compared"] = {
        "nearest_success": urn,
        "looked_at": len(known),
        "differences": [one.told("there") for one in differing[: explain.MOST_DIFFERENCES]],
    }
    if not differing:
        told["compared"]["note"] = "The same input succeeded: the failure need not be the input's."
    elif len(differing) > explain.MOST_DIFFERENCES:
        told["compared"]["difference_count"] = len(differing)


async def _wrong(backend: Backend, job: Job) -> list[str]:
    """Places of the input that the service's schema does not accept; none where the service is no tool any more."""
    entry = await backend.catalog.of_service(job.service) if job.service else None
    if entry is None:
        return []
    return await anyio.to_thread.run_sync(arguments.wrong_places, job.request, entry.original, abandon_on_cancel=True)


def _traceback(job: Job) -> str | None:
    """The last lines of the service's traceback, where it sent one: they name the place in its code."""
    told = job.record.result
    trace = told.get("traceback") if isinstance(told, dict) else None
    return "\n".join(stripped(trace).strip().splitlines()[-6:])[-1_500:] if isinstance(trace, str) else None


def _advice(job: Job, status: str, told: dict[str, Any], *, runs: bool) -> dict[str, Any]:
    if not job.ended:
        return {"next": next_call("get_job", job=job.urn, wait=25)}
    if status == "succeeded":
        return {"next": next_call("get_job", job=job.urn)}
    how = how_it_ended(job)
    advice = how.advice
    differing = told.get("compared", {}).get("differences", ())
    # What the failed input merely leaves out explains little beside what is wrong in it.
    likely = [one for one in differing if one["here"] != explain.ABSENT or "why" in one] or differing
    if likely:
        places = ", ".join(one["at"] for one in likely[:5])
        advice = f"Look first at {places}: there the input differs from one that succeeded. {advice}"
    following = {}
    if runs and job.service and isinstance(job.request, dict) and len(explain.in_words(job.request)) < 160:
        following = {"next": next_call("run_service", service=job.service, input=job.request)}
        advice += " `next` is the same call again" + (", a fresh job." if how.again else ": change its input first.")
        if how.again:
            following["next"]["arguments"]["resubmit"] = True
    return {"advice": advice} | following


def _lead(job: Job, status: str) -> str:
    if not job.ended:
        return f"Job {job.urn} has not ended yet ({status})."
    if status == "succeeded":
        return f"Job {job.urn} succeeded; there is no failure to explain."
    return f"Job {job.urn} ended as {status}."


TOOLS = (
    Builtin(
        t.Tool(
            name="explain_job",
            description=(
                "Why a job failed: its error, last events, what the tool printed, and where its input differs from "
                "the nearest one that succeeded."
            ),
            input_schema=schema(("job",), job=text("URN of the job"), max_bytes=MAX_BYTES),
            output_schema=output(job=text("URN"), status=text("State"), error=text("Why"), compared={"type": "object"}),
            annotations=READS,
        ),
        explain_job,
    ),
)
