"""Handlers that read jobs: status, list, output, events (rest-api §2.7 to §2.10)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .._core.messages import BlockingBody, Request, Response
from . import event_query, filters
from .asked import flag, header, in_path, listing, page, parameters, present, reply
from .bodies import StreamedBody
from .event_query import EventQuery
from .identity import urn, uuid_of
from .index import Connection
from .job_events import Event, sse
from .job_record import LocalJob, of_record
from .job_results import is_json
from .jobs import RETRY_LATER, find_job, job_headers, job_url
from .listing import Where, order_of, rows
from .refusals import Refusal, missing
from .routes import route, stream

if TYPE_CHECKING:
    from .platform import LocalPlatform

FIELDS = {
    "id": "('urn:ivcap:job:' || id)",
    "name": "name",
    "status": "status",
    "service": "service",
    "order": '"order"',
}
_ORDER = {
    "id": "id",
    "name": "coalesce(name, '')",
    "status": "status",
    "service": "service",
    "order": "coalesce(\"order\", '')",
    "requested_at": "requested_at",
    "started_at": "coalesce(started_at, 0)",
    "finished_at": "coalesce(finished_at, 0)",
}
_SSE = {"content-type": "text/event-stream", "cache-control": "no-cache"}


@route("GET", "/1/services2/{service}/jobs")
def list_jobs(platform: LocalPlatform, request: Request, service: str) -> Response:
    """List the jobs of one service, the newest first unless told otherwise."""
    id = uuid_of(service, "service")
    if id is None:
        raise missing(service, f"there is no service {service}", kind="service")
    asked = listing(f"jobs of {id}", f"/1/services2/{urn('service', id)}/jobs", request, platform.store.now())
    where = Where().plus("service = ?", urn("service", id))
    if asked.past:
        where = where.plus("requested_at <= ?", asked.at)
    if platform.reach is not None:
        where = where.plus("id IN (SELECT value FROM json_each(?))", platform.reach.jobs())
    condition = asked.condition(frozenset(FIELDS))
    if condition is not None:
        text, values = filters.sql(condition, FIELDS)
        where = where.plus(text, *values)
    order = order_of(
        asked.query.get("order-by"),
        _ORDER,
        "requested_at",
        "id",
        descending=asked.descending(),
        other=lambda name: None,
    )

    def work(connection: Connection) -> list[tuple[Any, ...]]:
        return list(rows(connection, [("jobs", where)], ["record"], order, asked.after, most=asked.limit + 1))

    found = platform.store.jobs.read(work) if len(asked.after) in (0, len(order.keys)) else []
    if not found and not asked.after and platform.catalogue().find(service) is None:
        raise missing(service, f"there is no service {service}", kind="service")
    more = found[asked.limit - 1][1] if len(found) > asked.limit else None
    items = []
    for (text,), _ in found[: asked.limit]:
        job = of_record(json.loads(text))
        items.append(
            json.dumps(
                present(
                    id=job.urn,
                    href=job_url(platform, request, job),
                    service=job.service,
                    status=job.status,
                    name=job.name,
                    order=job.order,
                    requested_at=job.requested_at,
                    started_at=job.started_at,
                    finished_at=job.finished_at,
                )
            )
        )
    return page(asked, platform.base(request), items, more)


@route("GET", "/1/services2/{service}/jobs/{id}")
def read_job(platform: LocalPlatform, request: Request, service: str, id: str) -> Response:
    """Read a job, with its result unless told otherwise, and with its request if asked."""
    query = parameters(request)
    job = find_job(platform, service, id)
    url = job_url(platform, request, job)
    body = present(
        id=job.urn,
        name=job.name,
        status=job.status,
        order=job.order,
        service=job.service,
        account=job.account,
        policy=job.policy,
        request_content_type=job.request_content_type,
        requested_at=job.requested_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        result_content_type=job.result_content_type,
        result_content_urn=job.result_urn,
        error_message=job.error_message,
        parent=job.parent,
        products=_products(platform, request, job),
        links=[{"rel": "self", "type": "application/json", "href": url}],
    )
    text = json.dumps(body)
    if flag(query, "with-request-content", False):
        text = _with(text, "request-content", _inline(job.request_content_type, platform.store.jobs.request_body(job)))
    if flag(query, "with-result-content", True) and job.result_urn is None:
        result = platform.store.jobs.result_body(job)
        if result is not None:
            text = _with(text, "result-content", _inline(*result))
    if platform.reach is not None and platform.reach.child(job.id):
        platform.reach.learn(text)
    return Response(200, {"content-type": "application/json"}, text.encode())


@route("GET", "/1/services2/{service}/jobs/{id}/output")
def read_output(platform: LocalPlatform, request: Request, service: str, id: str) -> Response:
    """Answer with the raw result (rest-api §2.9); 202 while there is none yet."""
    job = find_job(platform, service, id)
    if not job.ended:
        return reply(
            202, {"job-id": job.urn, "retry-later": RETRY_LATER}, {"location": job_url(platform, request, job)}
        )
    if job.status != "succeeded":
        message = job.error_message or _told_error(platform, job) or f"the job ended as {job.status}"
        raise Refusal(400 if job.status == "failed" else 500, {"message": message})
    result = platform.store.jobs.result_body(job)
    if result is None:
        return Response(204, {"ivcap-job-id": job.urn})
    if platform.reach is not None and platform.reach.child(job.id):
        platform.reach.learn(result[1])
    return Response(200, job_headers(platform, request, job, result[0]), result[1])


@stream("GET", "/1/services2/{service}/jobs/{id}/events")
def follow_events(platform: LocalPlatform, request: Request, service: str, id: str) -> BlockingBody:
    """Send the events of a job: those of an ended one at once, those of a running one as they come."""
    job = find_job(platform, service, id)
    asked = _asked(request)
    if job.ended or platform.runners is None:
        return StreamedBody(200, _SSE, _told(platform.store.jobs.events(job, asked.after), asked.most))
    return platform.runners.follow(job, asked, timeout=request.timeout)


@route("GET", "/1/services2/{service}/jobs/{id}/events")
def read_events(platform: LocalPlatform, request: Request, service: str, id: str) -> Response:
    """Answer with the events so far, for a caller that does not stream."""
    job = find_job(platform, service, id)
    asked = _asked(request)
    return Response(200, _SSE, b"".join(_told(platform.store.jobs.events(job, asked.after), asked.most)))


def _asked(request: Request) -> EventQuery:
    return event_query.read(parameters(request), header(request, "last-event-id"))


def _told(events: list[Event], most: int | None) -> Iterator[bytes]:
    for event in events[:most]:
        yield sse(event)


def _products(platform: LocalPlatform, request: Request, job: LocalJob) -> dict[str, object] | None:
    made = dict.fromkeys((*job.products, *(() if job.ended else platform.store.artifacts.made_by(job.urn))))
    if not made:
        return None
    base, items = platform.base(request), []
    for product in made:
        artifact = platform.store.artifacts.find(product)
        if artifact is None:
            continue
        items.append(
            present(
                id=artifact.urn,
                href=f"{base}/1/artifacts/{artifact.urn}",
                data_href=f"{base}/1/artifacts/{in_path(artifact.id)}/blob",
                status=artifact.status,
                name=artifact.name or None,
                mime_type=artifact.mime_type,
                size=artifact.size,
            )
        )
    return {"items": items, "links": []}


def _told_error(platform: LocalPlatform, job: LocalJob) -> str | None:
    """Return what an error result says, where the record has no message."""
    result = platform.store.jobs.result_body(job)
    if result is None or not is_json(result[0]):
        return None
    try:
        value = json.loads(result[1])
    except ValueError:
        return None
    told = value.get("error") or value.get("message") if isinstance(value, dict) else None
    return told if isinstance(told, str) else None


def _inline(content_type: str, data: bytes) -> str:
    """Return content as JSON text: JSON as it is, anything else as a string."""
    text = data.decode(errors="replace")
    if is_json(content_type):
        return text.strip() or '""'
    return json.dumps(text)


def _with(text: str, key: str, value: str) -> str:
    return f"{text[:-1]}, {json.dumps(key)}: {value}}}"
