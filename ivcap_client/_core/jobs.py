"""Jobs: order one, read it, list them, wait for the end. Requests, and what the replies mean."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from ivcap_client._core import aspects
from ivcap_client._core.call import call, get_fields
from ivcap_client._core.messages import MIB, Request, Response
from ivcap_client._core.pages import Listing, Page, page
from ivcap_client._core.port import Port
from ivcap_client._core.reading import loaded
from ivcap_client._core.wire import Fields, carried_out, fields
from ivcap_client.exception import ProtocolError, ResourceNotFound
from ivcap_client.urns import identifier, quoted, urn_of

JOB_SCHEMA = "urn:ivcap:schema:job.2"
ENDED = frozenset({"succeeded", "failed", "error"})
LONGEST_HOLD = 20
"""Seconds for which the platform is asked to hold a request; proxies cut longer ones."""
MOST_RESULT = 256 * MIB


@dataclass(frozen=True, slots=True)
class JobRecord:
    """What the platform said about one job at one moment.

    `status` is the platform's word, or `unknown` for one we do not know. `result` is `None` until the job has ended
    and its result was read; `has_result` tells that apart from a result that is null.
    """

    id: str
    status: str = "unknown"
    service: str | None = None
    name: str | None = None
    order: str | None = None
    account: str | None = None
    policy: str | None = None
    tags: tuple[str, ...] = ()
    requested_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    request_content_type: str | None = None
    request: Any = None
    result_content_type: str | None = None
    result_content_urn: str | None = None
    result: Any = None
    has_result: bool = False
    error_message: str | None = None
    products: tuple[Mapping[str, Any], ...] = ()
    retry_later: float | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def ended(self) -> bool:
        """Whether this is its last status."""
        return self.status in ENDED


def job_record(item: Fields) -> JobRecord:
    status = (item.text("status") or "unknown").lower()
    products = item.any("products")
    listed = products.get("items") if isinstance(products, Mapping) else None
    return JobRecord(
        id=urn_of("job", item.need("id")),
        status=status,
        service=item.text("service") or item.text("service-id"),
        name=item.text("name"),
        order=item.text("order"),
        account=item.text("account"),
        policy=item.text("policy"),
        tags=item.texts("tags"),
        requested_at=item.when("requested-at"),
        started_at=item.when("started-at"),
        finished_at=item.when("finished-at"),
        request_content_type=item.text("request-content-type"),
        request=item.any("request-content"),
        result_content_type=item.text("result-content-type"),
        result_content_urn=item.text("result-content-urn"),
        result=item.any("result-content"),
        # A null is a result only of a job that has ended; before that it says that there is none yet.
        has_result=item.any("result-content") is not None or (status in ENDED and item.has("result-content")),
        error_message=item.text("error-message"),
        products=tuple(p for p in listed if isinstance(p, Mapping)) if isinstance(listed, list) else (),
        raw=item.raw,
    )


async def submit(
    port: Port,
    service: str,
    body: bytes,
    *,
    hold: float = 0,
    order: str | None = None,
    key: str | None = None,
    deadline: float | None = None,
) -> JobRecord:
    """Order a job. Never repeated once it may have reached the platform.

    Args:
        port: Way to the platform.
        service: URN of the service.
        body: The request object as JSON.
        hold: Seconds for which the platform may hold the request until the job ends; at most 20 are asked for.
        order: URN under which the job can be found again, on platforms that keep it.
        key: Idempotency key, for platforms that honour it.
        deadline: On the port's clock.
    """
    what = "order job"
    seconds = min(max(math.ceil(hold), 0), LONGEST_HOLD)
    headers = {"content-type": "application/json", "timeout": str(seconds)}
    headers |= {"ivcap-order-id": order} if order else {}
    headers |= {"idempotency-key": key} if key else {}
    path = f"/1/services2/{quoted(identifier(service, what))}/jobs"
    timeout = port.target.timeout + seconds  # silence while it is held says nothing
    reply = await call(
        port, Request("POST", path, headers=headers, body=body, what=what, timeout=timeout, deadline=deadline)
    )
    return ordered(reply, service, what)


def ordered(reply: Response, service: str, what: str) -> JobRecord:
    """The job of a reply to an order: 202 with a handle, or 200 with the result itself."""
    named = reply.headers.get("ivcap-job-id") or _last(reply.headers.get("ivcap-job-url", ""))
    if reply.status == 200 and named:
        kind = reply.headers.get("content-type", "application/json")
        return JobRecord(
            id=urn_of("job", named),
            status="succeeded",
            service=service,
            order=reply.headers.get("ivcap-order-id"),
            result_content_type=kind,
            result=content(kind, reply.body),
            has_result=True,
        )
    told = fields(reply, what)
    # In an answer that may be the result itself, `id` is the service's own.
    own = told.text("id") if reply.status != 200 else None
    job = told.text("job-id") or named or own or _last(told.text("location") or reply.headers.get("location", ""))
    if not job:
        raise ProtocolError(f"could not {what}: the platform accepted the job, but its reply has no job-id")
    return JobRecord(
        id=urn_of("job", job), status="scheduled", service=service, retry_later=told.number("retry-later"), raw=told.raw
    )


def _last(url: str) -> str:
    """The job named by its URL, if it is one."""
    path = urlsplit(url).path if url.isprintable() and "[" not in url else ""
    name = unquote(path.rpartition("/jobs/")[2]) if "/jobs/" in path else ""
    return name if "/" not in name else ""


def content(kind: str, body: bytes) -> Any:
    """A result as a value: JSON decoded, text as `str`, everything else as `bytes`."""
    plain = kind.split(";")[0].strip().lower()
    if plain == "application/json" or plain.endswith("+json") or plain.startswith("application/vnd.ivcap."):
        try:
            return loaded(body)
        except (ValueError, RecursionError):
            return body.decode("utf-8", "replace")
    return body.decode("utf-8", "replace") if plain.startswith("text/") else body


async def read(port: Port, service: str, job: str, *, result: bool = True, deadline: float | None = None) -> JobRecord:
    """Read a job; with its result and its request where they exist."""
    what = "read job"
    path = f"/1/services2/{quoted(identifier(service, what))}/jobs/{quoted(identifier(job, what))}"
    wanted = "true" if result else "false"
    query = (("with-request-content", wanted), ("with-result-content", wanted))
    request = Request("GET", path, query, what=what, safe=True, deadline=deadline, most=MOST_RESULT)
    record = job_record(fields(await call(port, request), what))
    return replace(record, service=record.service or service)


async def output(port: Port, service: str, job: str) -> tuple[str, bytes] | None:
    """A job's result as it was reported, with its media type; `None`: it has none, or none yet."""
    what = "read job output"
    path = f"/1/services2/{quoted(identifier(service, what))}/jobs/{quoted(identifier(job, what))}/output"
    reply = await call(port, Request("GET", path, what=what, safe=True, most=MOST_RESULT))
    kind = reply.headers.get("content-type", "application/octet-stream")
    return (kind, reply.body) if reply.status == 200 else None


async def with_output(port: Port, record: JobRecord) -> JobRecord:
    """The same with its result, also where the platform keeps that as an artifact, as it does with bytes."""
    if record.has_result or record.status != "succeeded" or not record.service or not record.result_content_urn:
        return record
    found = await output(port, record.service, record.id)
    return record if found is None else replace(record, result=content(*found), has_result=True)


async def service_of(port: Port, job: str) -> str:
    """Which service a job belongs to, from its `job.2` aspect: a job is read below its service.

    Raises:
        ResourceNotFound: No such job, or not one this credential may see.
    """
    urn = urn_of("job", identifier(job, "read job"))
    asked = aspects.AspectQuery(entity=urn, schema=JOB_SCHEMA, order_by=None, order_direction=None)
    listed = await aspects.list_page(port, asked, 2, None)
    for record in listed.items:
        if isinstance(record.content, Mapping):
            service = Fields(record.content, "read job").text("service-id")
            if service:
                return service
    raise ResourceNotFound("read job", detail=f"{urn} is not known here, or belongs to another account")


async def find(port: Port, job: str) -> JobRecord:
    return await read(port, await service_of(port, job), job)


async def list_page(port: Port, service: str, asked: Listing, size: int, cursor: str | None) -> Page[JobRecord]:
    what = "list jobs"
    path = f"/1/services2/{quoted(identifier(service, what))}/jobs"
    return page(await get_fields(port, path, what, asked.query(size, cursor)), job_record)


async def list_all_page(
    port: Port, at_time: datetime | None, size: int, cursor: str | None, newest: bool = True
) -> Page[JobRecord]:
    """Jobs of all services, newest or oldest first, through their `job.2` aspects."""
    asked = aspects.AspectQuery(schema=JOB_SCHEMA, at_time=at_time, order_direction="DESC" if newest else "ASC")
    listed = await aspects.list_page(port, asked, size, cursor)
    records = [
        job_record(Fields({"id": a.entity, **a.content}, "list jobs"))
        for a in listed.items
        if isinstance(a.content, Mapping)
    ]
    return Page(tuple(records), listed.next)


async def cancel(port: Port, service: str, job: str) -> None:
    """Ask for a job's end. Only platforms that list the route have it: see `can_cancel`."""
    what = "cancel job"
    path = f"/1/services2/{quoted(identifier(service, what))}/jobs/{quoted(identifier(job, what))}/cancel"
    carried_out(await call(port, Request("POST", path, what=what, safe=True)), what)


async def can_cancel(port: Port) -> bool:
    """Whether the platform's own description lists the cancel route."""
    described = await get_fields(port, "/1/openapi/openapi3.json", "read the platform's description")
    paths = described.any("paths")
    return isinstance(paths, Mapping) and any(path.endswith("/jobs/{id}/cancel") for path in paths)


def failure(record: JobRecord) -> str:
    """Why a job failed, in one line, from its error object or the platform's message; never a traceback."""
    told = record.result if isinstance(record.result, dict) else {}
    kind, text = told.get("type"), told.get("error") or told.get("message") or record.error_message
    text = " ".join(text.split())[:2000] if isinstance(text, str) and text.strip() else "no reason was given"
    return f"{kind}: {text}" if isinstance(kind, str) and kind and not text.startswith(kind) else text
