"""The journal of submissions: an intent is on disk before its job is ordered, so that no job is lost or ordered twice.

One file of JSON lines per user, append-only. A line is written whole and fsynced before the next step is taken; a line
cut off by a crash is skipped when the journal is read.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

log = logging.getLogger("ivcap_mcp.submissions")

NAMESPACE = uuid.UUID("5b0e1f0c-6a0c-5f5e-9a53-0d6f1f6d2c11")
"""Under this, a caller's own key becomes an order's URN."""


@dataclass(frozen=True, slots=True)
class Submission:
    """An intent to run a service once.

    Attributes:
        id: Names the submission; `get_job` takes it where the job's URN never came back.
        order: URN sent along, under which platforms that keep it find the job again.
        origin: The platform.
        identity: Whose job it is, hashed.
        service: URN of the service.
        input_hash: SHA-256 of the canonical request.
        t0: When, RFC 3339.
    """

    id: str
    order: str
    origin: str
    identity: str
    service: str
    input_hash: str
    t0: str


def submission(origin: str, identity: str, service: str, body: Any, key: str | None = None) -> Submission:
    """A new intent; with a caller's `key` its order is the same whenever the key is."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    order = uuid.uuid5(NAMESPACE, f"{identity}\n{origin}\n{service}\n{key}") if key else uuid.uuid4()
    return Submission(
        id=str(uuid.uuid4()),
        order=f"urn:ivcap:order:{order}",
        origin=origin,
        identity=identity,
        service=service,
        input_hash=hashlib.sha256(canonical.encode()).hexdigest(),
        t0=datetime.now(UTC).isoformat(),
    )


class Journal:
    """Appends to the journal and reads it back. Blocking: call it from a worker thread."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "submissions.jsonl"
        self._lock = threading.Lock()

    def intend(self, intent: Submission) -> None:
        """Record what is about to be ordered.

        Raises:
            OSError: The journal cannot be written; then nothing must be ordered.
        """
        self._append(
            {"submission": intent.id, **{name: getattr(intent, name) for name in intent.__slots__ if name != "id"}}
        )

    def ordered(self, intent: Submission, job: str) -> None:
        """Record the job's URN."""
        self._append({"submission": intent.id, "job": job, "service": intent.service})

    def note(self, job: str, what: str) -> None:
        """Record what became of a call: `delivered`, `handle`, `cancelled`."""
        self._append({"job": job, "note": what, "at": datetime.now(UTC).isoformat()})

    def service_of(self, job: str) -> str | None:
        """The service a job was ordered from, if it was ordered here."""
        found = None
        for line in self._lines():
            if line.get("job") == job and isinstance(line.get("service"), str):
                found = line["service"]
        return found

    def job_of(self, submission_id: str) -> str | None:
        """The job that came of a submission, if its URN came back."""
        found = None
        for line in self._lines():
            if line.get("submission") == submission_id and isinstance(line.get("job"), str):
                found = line["job"]
        return found

    def _append(self, line: Mapping[str, Any]) -> None:
        data = (json.dumps(line, ensure_ascii=False) + "\n").encode()
        with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # One write of a short line to a file opened for appending is not torn by other processes.
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(file, data)
                os.fsync(file)
            finally:
                os.close(file)

    def _lines(self) -> Iterator[Mapping[str, Any]]:
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return
        for line in text.splitlines():
            try:
                value = json.loads(line)
            except ValueError:
                log.warning("a line of %s is not readable and is skipped", self.path)
                continue
            if isinstance(value, dict):
                yield value
