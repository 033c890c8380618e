"""`list_jobs` and `cancel_job`: which jobs there are, and an end to one."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import anyio
import mcp_types as t

from ivcap_client import Aspect, Job
from ivcap_client.exception import Conflict, IvcapApiError
from ivcap_client.job import JOB_SCHEMA
from ivcap_mcp.backend import Backend
from ivcap_mcp.errors import ToolError
from ivcap_mcp.fitting import leading
from ivcap_mcp.rendering import rendered
from ivcap_mcp.results import answer
from ivcap_mcp.text import clip, stripped
from ivcap_mcp.tools.builtin import CURSOR, LIMIT, MAX_BYTES, READS, Builtin, output, schema, text
from ivcap_mcp.tools.services import known

if TYPE_CHECKING:
    from ivcap_mcp.request import Request

MOST_SCANNED = 1000
"""Jobs looked through for one answer; a cursor goes on where it stopped."""
STATES = ("pending", "scheduled", "executing", "succeeded", "failed", "error")
ENDS = t.ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)
NO_CANCEL = "IVCAP has no cancel: the job runs on."
FACTS = ("status", "service-id", "service-name", "requested-at", "started-at", "finished-at")


async def list_jobs(backend: Backend, request: Request, given: dict[str, Any]) -> t.CallToolResult:
    service = await _service(backend, given.get("service"))
    since, until = _moment(given, "since"), _moment(given, "until")
    limit, place = given.get("limit", 10), _place(given.get("cursor"))
    found: list[dict[str, Any]] = []
    places: list[str] = []
    on, scanned = "", 0
    listed = backend.ivcap.list_aspects(schema=JOB_SCHEMA, content_path=_path(service, given.get("status")), limit=None)
    async for aspect in listed:
        if place is not None and _position(aspect) >= place:
            continue
        scanned += 1
        told = _told(aspect)
        requested = _parsed(told.get("requested_at"))
        # Each change of a job makes a new statement: what holds since before `since` is of a job from before.
        if since is not None and aspect.valid_from is not None and aspect.valid_from < since:
            break
        fits = service in (None, told.get("service")) and given.get("status") in (None, told["status"])
        early = since is not None and (requested is None or requested < since)
        late = until is not None and (requested is None or requested > until)
        if fits and not early and not late:
            found.append(told)
            places.append(_cursor(aspect))
        if len(found) >= limit or scanned >= MOST_SCANNED or request.left < backend.settings.reserve:
            on = _cursor(aspect) if await listed.has_next_async() else ""
            break
    answered: dict[str, Any] = {"jobs": found} | ({"cursor": on} if on else {})
    room = max(1, leading(answered, "jobs", given.get("max_bytes", 20_000)))
    if room < len(found):
        size = len(rendered(answered).encode())
        answered = {"jobs": found[:room], "cursor": places[room - 1], "shortened": True, "size": size}
    open_ones = await anyio.to_thread.run_sync(backend.journal.unsettled, backend.ivcap.url, backend.identity)
    lead = "" if found else "No job fits." if not on else "No job fits so far; go on with the cursor."
    if open_ones:
        # Their jobs, if there are any, may be in the list without anybody knowing that they are these.
        answered["unknown_outcome"] = [{"submission": one.id, "service": one.service} for one in open_ones[-10:]]
        lead += " Of some orders it is not known whether they made a job: get_job with the submission looks for it."
    return answer(answered, lead=lead.strip())


async def cancel_job(backend: Backend, request: Request, given: dict[str, Any]) -> t.CallToolResult:
    job = await backend.job(given["job"], request)
    if not job.ended:
        if not await backend.can_cancel():
            return _cancelled(job, False, NO_CANCEL)
        try:
            await job.cancel_async()
        except Conflict:
            await job.refresh_async()  # it ended in the meantime
        except IvcapApiError as error:
            if error.status_code not in (404, 405, 501):
                raise
            return _cancelled(job, False, NO_CANCEL)
        else:
            backend.note(job.urn, "ended")
            return _cancelled(job, True, f"Job {job.urn} was asked to end.")
    return _cancelled(job, False, f"Job {job.urn} had ended already.")


def _cancelled(job: Job, done: bool, lead: str) -> t.CallToolResult:
    told = {"job": job.urn, "status": job.status(refresh=False).value, "cancelled": done, "note": lead}
    return answer(told, lead=lead, meta={"ivcap/job": job.urn})


async def _service(backend: Backend, named: str | None) -> str | None:
    """The URN of a service; one that is no tool is named by its URN."""
    if named is None or named.startswith("urn:"):
        return named
    return (await known(backend, named)).service


def _path(service: str | None, status: str | None) -> str | None:
    """What the platform can sort out itself."""
    terms = [
        f'@."{field}" == {json.dumps(value)}' for field, value in (("service-id", service), ("status", status)) if value
    ]
    return f"$ ? ({' && '.join(terms)})" if terms else None


def _told(aspect: Aspect) -> dict[str, Any]:
    content = aspect.record.content if isinstance(aspect.record.content, dict) else {}
    told = {"job": aspect.entity, "status": "unknown"}
    for name in FACTS:
        value = content.get(name)
        if isinstance(value, str):
            told[name.removesuffix("-id").replace("-", "_")] = clip(stripped(value), 300)
    return told


def _moment(given: dict[str, Any], name: str) -> datetime | None:
    value = given.get(name)
    moment = _parsed(value)
    if value is not None and moment is None:
        shown = clip(stripped(str(value)), 60)
        raise ToolError("invalid_input", f"{name}: {shown!r} is no time.", "Write it like 2026-01-31T12:00:00Z.")
    return moment


def _parsed(value: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if value else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def _position(aspect: Aspect) -> tuple[str, str]:
    """Where it stands in a list that begins with the newest, so that a page goes on whatever came on top."""
    since = aspect.valid_from.timestamp() if aspect.valid_from else 0.0
    return f"{since:020.6f}", aspect.id


def _cursor(aspect: Aspect) -> str:
    return base64.urlsafe_b64encode(json.dumps(_position(aspect)).encode()).decode()


def _place(cursor: str | None) -> tuple[str, str] | None:
    if cursor is None:
        return None
    try:
        since, id = json.loads(base64.urlsafe_b64decode(cursor))
    except (ValueError, TypeError):
        since = id = None
    if not isinstance(since, str) or not isinstance(id, str):
        raise ToolError("invalid_input", "cursor: not one of ours.", "Take it from the answer before.")
    return since, id


TOOLS = (
    Builtin(
        t.Tool(
            name="list_jobs",
            description="Recent jobs of one service or of all, the ones that changed last first.",
            input_schema=schema(
                (),
                service=text("URN, name or tool name of a service"),
                status=text("Only jobs in this state", enum=list(STATES)),
                since=text("Ordered at or after this time (RFC 3339)"),
                until=text("Ordered at or before this time"),
                limit=LIMIT,
                cursor=CURSOR,
                max_bytes=MAX_BYTES,
            ),
            output_schema=output(jobs={"type": "array", "items": {}}, cursor=text("Where to go on")),
            annotations=READS,
        ),
        list_jobs,
    ),
    Builtin(
        t.Tool(
            name="cancel_job",
            description="End a job, where the platform can; the answer says whether it could.",
            input_schema=schema(("job",), job=text("URN of the job, or the id of a submission")),
            output_schema=output(job=text("URN"), status=text("State"), cancelled={"type": "boolean"}),
            annotations=ENDS,
        ),
        cancel_job,
    ),
)
