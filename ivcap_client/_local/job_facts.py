"""What the platform states about a job as aspects, computed from the job's record with its whole history."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._io.files import read_own
from . import times
from .aspect_rows import AspectRow, derived
from .identity import SCHEMA_JOB, SCHEMA_JOB_RESULT, SCHEMA_USED, derived_uuid

if TYPE_CHECKING:
    from .job_record import LocalJob

MOST_RESULT = 256 * 1024
"""Bytes of a result that stand in its aspect; of a larger one only type, size and where to read it."""


def facts(job: LocalJob, result: Path) -> list[AspectRow]:
    """Compute the aspects of a job: one `job.2` valid at any moment, its result, and the artifacts it used.

    Args:
        job: The record.
        result: File that holds an inline result, if there is one.
    """
    history = _history(job)
    return [*history, *_result(job, result, history[-1].valid_from), *_used(job)]


def _history(job: LocalJob) -> list[AspectRow]:
    states: list[tuple[str, str]] = [("scheduled", job.requested_at)]
    if job.started_at:
        states.append(("executing", job.started_at))
    if job.finished_at:
        states.append((job.status, job.finished_at))
    rows = []
    begun = -1
    for number, (status, moment) in enumerate(states):
        # Two changes within a microsecond, or a clock set back, must not make two of them valid at once.
        start = max(times.parse(moment), begun + 1)
        rows.append((status, start, number))
        begun = start
    out = []
    for status, start, number in rows:
        last = number == len(rows) - 1
        content: dict[str, Any] = {
            "$schema": SCHEMA_JOB,
            "id": job.urn,
            "name": job.name,
            "service-id": job.service,
            "service-name": job.service_name,
            "status": status,
            "order": job.order,
            "account": job.account,
            "policy": job.policy,
            "request-content-type": job.request_content_type,
            "requested-at": job.requested_at,
        }
        if number >= 1 and job.started_at:
            content["started-at"] = job.started_at
        if last and job.finished_at:
            content["finished-at"] = job.finished_at
            content |= {
                key: value
                for key, value in {
                    "result-content-type": job.result_content_type,
                    "result-content-urn": job.result_urn,
                    "error-message": job.error_message,
                    "products": list(job.products) or None,
                }.items()
                if value is not None
            }
        if job.parent:
            content["parent"] = job.parent
        if job.used:
            content["used"] = list(job.used)
        out.append(
            derived(
                derived_uuid(job.urn, f"job/{number}/{status}"),
                job.urn,
                SCHEMA_JOB,
                content,
                valid_from=start,
                valid_to=None if last else rows[number + 1][1],
                origin=f"job:{job.id}",
                policy=job.policy,
            )
        )
    return out


def _result(job: LocalJob, path: Path, since: int) -> list[AspectRow]:
    if job.finished_at is None or job.result_content_type is None or job.status == "error":
        return []
    entity, policy = job.urn, job.policy
    content: dict[str, Any] = {
        "$schema": SCHEMA_JOB_RESULT,
        "job-id": job.urn,
        "service-id": job.service,
        "status": job.status,
        "result-content-type": job.result_content_type,
    }
    if job.result_urn:
        content["result-content-urn"] = job.result_urn
    else:
        size = path.stat().st_size if path.exists() else 0
        content["size"] = size
        if (0 < size <= MOST_RESULT and "json" in job.result_content_type) or "vnd.ivcap" in job.result_content_type:
            try:
                value = json.loads(read_own(path))
            except (OSError, ValueError):
                value = None
            if value is not None:
                content["result-content"] = value
            if isinstance(value, dict):
                entity = _foreign(value.get("$id")) or entity
                told = value.get("$policy")
                policy = told if isinstance(told, str) and told.startswith("urn:ivcap:policy:") else policy
    return [
        derived(
            derived_uuid(job.urn, "result"),
            entity,
            SCHEMA_JOB_RESULT,
            content,
            valid_from=since,  # the moment the job is said to have ended, so that neither stands without the other
            valid_to=None,
            origin=f"job:{job.id}",
            policy=policy,
        )
    ]


def _foreign(id: object) -> str | None:
    """A result may name its own entity, but not speak about the platform's."""
    if isinstance(id, str) and id.startswith("urn:") and not id.lower().startswith("urn:ivcap:") and id.isascii():
        return id
    return None


def _used(job: LocalJob) -> list[AspectRow]:
    return [
        derived(
            derived_uuid(job.urn, f"used/{artifact}"),
            artifact,
            SCHEMA_USED,
            {"$schema": SCHEMA_USED, "artifact": artifact, "job": job.urn, "order": job.order, "service": job.service},
            valid_from=times.parse(job.requested_at),
            valid_to=None,
            origin=f"job:{job.id}",
            policy=job.policy,
        )
        for artifact in job.used
    ]
