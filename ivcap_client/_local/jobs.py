"""Handlers that create and cancel jobs (rest-api §2.6)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .._core.messages import Request, Response
from . import reach_rules
from .asked import header, reply, whole_body
from .catalogue import Service
from .identity import SCHEMA_JOB_INPUT, urn, uuid_of
from .job_record import LocalJob
from .job_results import MOST_INLINE, is_json
from .job_store import KeyConflict
from .refusals import bad_request, conflict, invalid, missing, not_here
from .routes import route

if TYPE_CHECKING:
    from .platform import LocalPlatform

MOST_WAIT = 20.0
"""Seconds that a request may be held by `Timeout`."""

RETRY_LATER = 1
"""Seconds; the `ivcap` tool sleeps as long before its only look."""

MOST_KEY = 512


@route("POST", "/1/services2/{service}/jobs")
def create_job(platform: LocalPlatform, request: Request, service: str) -> Response:
    """Create a job: 202 with its URN, or, if it succeeds with JSON within `Timeout`, 200 with the result."""
    wait = _wait(header(request, "timeout"))
    found = platform.catalogue().find(service)
    if found is None:
        raise missing(service, f"there is no service {service}", kind="service")
    if found.spec is None:
        raise not_here(
            f"{found.name or service} is known from its aspects only; the embedded platform runs a service only if it"
            " was named by --service, by 'services add', or stands in a directory it was given"
        )
    if platform.runners is None:
        raise not_here("this embedded platform was opened for data only and cannot run services")
    content_type, body = _request(platform, request, found)
    reach_rules.check_request(platform, body)
    key = _key(header(request, "idempotency-key"))
    if key is not None and platform.reach is not None:
        key = f"{platform.reach.service} {key}"  # a tool's keys are no key to what others asked
    try:
        job, _ = platform.store.jobs.create(
            service=found.urn,
            service_name=found.name,
            body=body,
            content_type=content_type,
            order=_order(header(request, "ivcap-order-id")),
            key=key,
            parent=_parent(header(request, "ivcap-job-id")),
        )
    except KeyConflict as problem:
        raise conflict(problem.job, str(problem)) from problem
    if platform.reach is not None:
        platform.reach.started(job.id)
    if job.status == "scheduled":
        # Also when the key was known: whoever recorded it may have died before saying so.
        job = _submit(platform, job, found)
    if wait > 0 and not job.ended:
        job = platform.store.jobs.wait(job, wait)
    return (
        _finished(platform, request, job)
        if wait > 0 and job.status == "succeeded"
        else _accepted(platform, request, job)
    )


@route("POST", "/1/services2/{service}/jobs/{id}/cancel")
def cancel_job(platform: LocalPlatform, request: Request, service: str, id: str) -> Response:
    """End a job that has not ended. It becomes `error` at once; our own route, the platform has none."""
    job = find_job(platform, service, id)
    if job.ended:
        raise conflict(
            job.urn, f"the job has ended already, it {'is in error' if job.status == 'error' else job.status}"
        )
    if platform.runners is None:
        raise not_here("this embedded platform was opened for data only and cannot end jobs")
    platform.runners.cancel(job)
    job = platform.store.jobs.find(job.id) or job
    return reply(202, {"job-id": job.urn, "service-id": job.service, "status": job.status})


def find_job(platform: LocalPlatform, service: str, id: str) -> LocalJob:
    """Return a job of a service.

    Raises:
        Refusal: There is none, or it is of another service (404).
    """
    job = platform.store.jobs.find(id)
    if job is not None and not reach_rules.sees_job(platform.reach, job):
        job = None
    if job is None or uuid_of(job.service, "service") != uuid_of(service, "service"):
        raise missing(id, f"there is no job {id} of service {service}", kind="job")
    return job


def job_url(platform: LocalPlatform, request: Request, job: LocalJob) -> str:
    """Return the absolute URL of a job."""
    return f"{platform.base(request)}/1/services2/{job.service}/jobs/{job.urn}"


def job_headers(platform: LocalPlatform, request: Request, job: LocalJob, content_type: str) -> dict[str, str]:
    """Return the headers of a raw result."""
    return {
        "content-type": content_type,
        "ivcap-job-id": job.urn,
        "ivcap-job-url": job_url(platform, request, job),
        "ivcap-order-id": job.order,
    }


def _submit(platform: LocalPlatform, job: LocalJob, service: Service) -> LocalJob:
    assert platform.runners is not None
    assert service.spec is not None
    try:
        platform.runners.submitted(job, service.spec)
    except RuntimeError as problem:
        platform.store.jobs.finish(job, status="error", message=str(problem))
    return platform.store.jobs.find(job.id) or job


def _accepted(platform: LocalPlatform, request: Request, job: LocalJob) -> Response:
    url = job_url(platform, request, job)
    body = {"job-id": job.urn, "service-id": job.service, "location": url, "retry-later": RETRY_LATER}
    headers = {"location": url, "ivcap-job-id": job.urn, "ivcap-order-id": job.order}
    return reply(202, body, headers)


def _finished(platform: LocalPlatform, request: Request, job: LocalJob) -> Response:
    """Answer with the result itself, if it is one that clients expect inline: JSON."""
    if not job.result_content_type or job.result_urn or not is_json(job.result_content_type):
        return _accepted(platform, request, job)
    result = platform.store.jobs.result_body(job)
    if result is None:
        return _accepted(platform, request, job)
    return Response(200, job_headers(platform, request, job, result[0]), result[1])


def _request(platform: LocalPlatform, request: Request, service: Service) -> tuple[str, bytes]:
    """Return type and bytes of what the service is asked, fetched from an aspect where the body says so."""
    body = whole_body(request, MOST_INLINE // 4)
    kind = header(request, "content-type") or "application/json"
    media = kind.partition(";")[0].strip().lower()
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as problem:
        if is_json(media):
            raise bad_request(f"the body is not JSON: {problem}") from problem
        return kind, body
    if not is_json(media) and media not in ("application/yaml", "text/yaml", "application/x-yaml"):
        return kind, body
    if isinstance(value, dict) and value.get("$schema") == SCHEMA_JOB_INPUT:
        return "application/json", _stored(platform, value, service)
    # The ivcap tool says YAML and sends JSON (rest-api §2.6).
    return (kind if is_json(media) else "application/json"), body


def _stored(platform: LocalPlatform, value: dict[str, object], service: Service) -> bytes:
    told, aspect = value.get("service"), value.get("request-aspect")
    if told is not None and uuid_of(str(told), "service") != uuid_of(service.urn, "service"):
        raise invalid("service", f"the body names another service than the address, {service.urn}", str(told))
    if not isinstance(aspect, str):
        raise invalid("request-aspect", "the URN of an aspect is expected")
    row = platform.store.aspects.find(aspect)
    if row is None or not reach_rules.sees_aspect(platform.reach, row):
        raise missing(aspect, f"there is no aspect {aspect} to take the request from", kind="aspect")
    return row.content.encode()


def _wait(text: str | None) -> float:
    if not text:
        return 0.0
    try:
        seconds = float(text)
    except ValueError as problem:
        raise invalid("Timeout", "a number of seconds is expected", text) from problem
    # "nan" compares as false with everything, so it is no wait.
    return min(seconds, MOST_WAIT) if seconds > 0 else 0.0


def _order(text: str | None) -> str | None:
    if not text:
        return None
    if not text.startswith("urn:") or len(text) > 256 or not text.isprintable():
        raise invalid("IVCAP-Order-Id", "a URN is expected", text)
    return text


def _key(text: str | None) -> str | None:
    if not text:
        return None
    if len(text) > MOST_KEY:
        raise invalid("Idempotency-Key", f"at most {MOST_KEY} characters are expected")
    return text


def _parent(text: str | None) -> str | None:
    id = uuid_of(text, "job") if text else None
    return urn("job", id) if id else None
