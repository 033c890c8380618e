"""Jobs: a durable record of what was asked, what became of it, and what came out."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

from .._core.messages import Source
from .._io.files import read_own, write_temp
from . import times
from .identity import SCHEMA_JOB_STATUS, new_uuid, urn, uuid_of
from .index import Connection
from .job_record import EndStatus, LocalJob, of_record, record_of, status_data, tells
from .job_records import JobRecords
from .job_results import MOST_INLINE, stands_inline, suffix, whole_or_joined

__all__ = ["JobStore", "KeyConflict", "LocalJob"]

UNTOLD = 5_000_000
"""Microseconds after the end of a job from which on a missing last event is added by whoever reads the events."""

MOST_USED = 1000
"""Artifacts named in one request that are recorded as used by the job."""

_ARTIFACT = re.compile(rb"urn:ivcap:artifact:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class KeyConflict(Exception):
    """The idempotency key was used before for another service or another request; `job` is that one's URN."""

    def __init__(self, job: str) -> None:
        super().__init__(f"this Idempotency-Key was used for another request, job {job}")
        self.job = job


class JobStore(JobRecords):
    """The jobs of one store: what is asked, begins, happens and comes out (`.request`, `.events`, `.result`)."""

    def create(
        self,
        *,
        service: str,
        service_name: str,
        body: bytes,
        content_type: str,
        order: str | None = None,
        key: str | None = None,
        parent: str | None = None,
    ) -> tuple[LocalJob, bool]:
        """Record a job, durably, as `scheduled`.

        Args:
            service: URN.
            service_name: What people call it.
            body: The request as it was sent.
            content_type: Its media type.
            order: URN to group jobs by; made up when absent.
            key: Idempotency key: the same key and request give the same job, in all processes.
            parent: URN of the job that asks.

        Returns:
            The job, and whether it is new.

        Raises:
            KeyConflict: The key stands for another request.
            OSError: It could not be written; nothing was changed.
        """
        digest = hashlib.sha256(service.encode() + b"\0" + body).hexdigest() if key is not None else None
        if key is not None and (known := self.by_key(key)):
            return _same(known, digest), False
        id = new_uuid()
        job = LocalJob(
            id=id,
            name=f"b-{uuid_of(service, 'service') or 'service'}-{secrets.token_hex(4)}",
            service=service,
            service_name=service_name,
            status="scheduled",
            order=order or urn("order", new_uuid()),
            request_content_type=content_type,
            requested_at=times.rfc3339(self._store.now()),
            key=key,
            key_digest=digest,
            parent=parent,
            used=tuple(dict.fromkeys(found.decode().lower() for found in _ARTIFACT.findall(body)))[:MOST_USED],
        )
        self._store.prepare()
        request = write_temp(self._store.temp, body)
        try:

            def check(connection: Connection) -> None:
                if key is not None:
                    row = connection.execute("SELECT record FROM jobs WHERE key = ?", (key,)).fetchone()
                    if row:
                        raise _Known(of_record(json.loads(row[0])))
                if request.exists():
                    request.replace(self.path(id, "request"))
                # Also before the record: who sees the job sees its first event.
                self.log.append(job, "ivcap.job.status", SCHEMA_JOB_STATUS, status_data(job))

            try:
                self.mirror.put(id, record_of(job), guard=check)
            except _Known as found:
                return _same(found.job, digest), False
        finally:
            request.unlink(missing_ok=True)
        self.notify()
        return job, True

    def request_body(self, job: LocalJob) -> bytes:
        """Return the request as it was sent.

        Raises:
            FileNotFoundError: Somebody removed it.
        """
        return read_own(self.path(job.id, "request"))

    def result_body(self, job: LocalJob) -> tuple[str, bytes] | None:
        """Return media type and bytes of the result, wherever it is kept; `None` if there is none."""
        if job.result_content_type is None:
            return None
        if job.result_urn is not None:
            artifact = self._store.artifacts.find(job.result_urn)
            path = None if artifact is None else self._store.artifacts.data(artifact)
            return None if path is None else (job.result_content_type, path.read_bytes())
        return job.result_content_type, read_own(self.path(job.id, "result"))

    def start(self, job: LocalJob) -> LocalJob:
        """Record, durably, that the job is about to run. A job that has ended stays as it is."""

        def begin(now: LocalJob) -> LocalJob | None:
            if now.status != "scheduled":
                return None
            return replace(now, status="executing", started_at=times.rfc3339(self._store.now()))

        return self.change(job.id, begin)[0]

    def finish(
        self,
        job: LocalJob,
        *,
        status: EndStatus,
        content_type: str | None = None,
        body: bytes | Source | None = None,
        message: str | None = None,
    ) -> bool:
        """Record, durably, how the job ended. The first report counts.

        Args:
            job: The job.
            status: `succeeded`; `failed`: the service said so; `error`: it could not be run.
            content_type: Media type of the result.
            body: The result. JSON and text stay with the job; anything else, and what is larger than
                `MOST_INLINE` bytes, becomes an artifact named after the job.
            message: Why, for people.

        Returns:
            Whether this report was the first.

        Raises:
            OSError: It could not be written; the job has not ended and can be finished again.
        """
        now = self.find(job.id)
        if now is None or now.ended:
            return False
        result, artifact = self._keep_result(now, content_type, body)
        try:

            def end(now: LocalJob) -> LocalJob | None:
                if now.ended:
                    return None
                made = (*self._products(now.urn), *((artifact,) if artifact else ()))
                return replace(
                    now,
                    status=status,
                    finished_at=times.rfc3339(self._store.now()),
                    result_content_type=(content_type or "application/octet-stream") if body is not None else None,
                    result_urn=artifact,
                    error_message=message,
                    products=tuple(dict.fromkeys(made)),
                )

            def show() -> None:
                if result is not None and result.exists():
                    result.replace(self.path(job.id, "result"))

            return self.change(job.id, end, show)[1]
        finally:
            if result is not None:
                result.unlink(missing_ok=True)

    def add_event(self, job: LocalJob, *, type: str, schema: str, data: object) -> dict[str, Any]:
        """Append one event; return it as stored: `SeqID`, `EventID`, `Type`, `Schema`, `Source`, `Timestamp`, `Data`.

        A larger one than `job_events.MOST_EVENT` is cut, and says so.
        """
        event = self.log.append(job, type, schema, data)
        self.notify()
        return event

    def events(self, job: LocalJob, after: str | None = None) -> list[dict[str, Any]]:
        """Return the events after the one with SeqID `after`; all of them without."""
        events = self.log.read(job.id, after)
        if job.finished_at and not any(tells(event, job.status) for event in events):
            overdue = self._store.now() - times.parse(job.finished_at) > UNTOLD
            if overdue and not any(tells(event, job.status) for event in self.log.read(job.id, None)):
                # Whoever ended the job died before it could say so.
                self.tell(job)
                events = self.log.read(job.id, after)
        return events

    def _products(self, job: str) -> tuple[str, ...]:
        return self._store.artifacts.made_by(job)

    def _keep_result(
        self, job: LocalJob, content_type: str | None, body: bytes | Source | None
    ) -> tuple[Path | None, str | None]:
        """Put the result where it belongs: a temporary file that becomes `<uuid>.result`, or an artifact."""
        if body is None:
            return None, None
        self._store.prepare()
        kind = (content_type or "application/octet-stream").partition(";")[0].strip().lower()
        head = body if isinstance(body, bytes) else whole_or_joined(body)
        if isinstance(head, bytes) and len(head) <= MOST_INLINE and stands_inline(kind, head):
            return write_temp(self._store.temp, head), None
        name = job.name + suffix(kind)
        return None, self._store.artifacts.add(head, name=name, mime_type=kind, job=job.urn).urn


class _Known(Exception):
    """The job that makes a new one unnecessary."""

    def __init__(self, job: LocalJob) -> None:
        super().__init__(job.id)
        self.job = job


def _same(job: LocalJob, digest: str | None) -> LocalJob:
    if job.key_digest != digest:
        raise KeyConflict(job.urn)
    return job
