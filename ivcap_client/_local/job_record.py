"""What is known of a job: its record, in memory and on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from .identity import ACCOUNT, POLICY_SERVICE, urn
from .mirror import Record

ENDED = ("succeeded", "failed", "error")
EndStatus = Literal["succeeded", "failed", "error"]


@dataclass(frozen=True, slots=True)
class LocalJob:
    """One job as its record says.

    Attributes:
        id: UUID.
        name: `b-<service uuid>-<random>`.
        service: URN of its service; `service_name` what people call it.
        status: `scheduled`, `executing`, `succeeded`, `failed` or `error`.
        order, account, policy: URNs.
        request_content_type: Media type of the request body.
        requested_at, started_at, finished_at: RFC 3339 with microseconds.
        result_content_type: Media type of the result, if there is one.
        result_urn: Artifact that holds the result, when it cannot stand in a reply.
        error_message: Why it is `error` (or `failed`).
        key, key_digest: Idempotency key and hash of the request it stands for.
        parent: URN of the job that asked for this one.
        products: URNs of artifacts it made, in order.
        used: URNs of artifacts named in its request.
    """

    id: str
    name: str
    service: str
    service_name: str
    status: str
    order: str
    request_content_type: str
    requested_at: str
    account: str = ACCOUNT
    policy: str = POLICY_SERVICE
    started_at: str | None = None
    finished_at: str | None = None
    result_content_type: str | None = None
    result_urn: str | None = None
    error_message: str | None = None
    key: str | None = None
    key_digest: str | None = None
    parent: str | None = None
    products: tuple[str, ...] = ()
    used: tuple[str, ...] = ()

    @property
    def urn(self) -> str:
        return urn("job", self.id)

    @property
    def ended(self) -> bool:
        return self.status in ENDED


def status_data(job: LocalJob) -> Mapping[str, str]:
    return {"job-urn": job.urn, "status": job.status}


def tells(event: Mapping[str, Any], status: str) -> bool:
    data = event.get("Data")
    return event.get("Type") == "ivcap.job.status" and isinstance(data, dict) and data.get("status") == status


_FIELDS = {field.name for field in fields(LocalJob)}


def record_of(job: LocalJob) -> Record:
    return asdict(job)


def of_record(record: Record) -> LocalJob:
    """Read a record. Raises `TypeError` when it lacks what every job has."""
    known = {key: value for key, value in record.items() if key in _FIELDS}
    for key in ("products", "used"):
        known[key] = tuple(known.get(key) or ())
    return LocalJob(**known)
