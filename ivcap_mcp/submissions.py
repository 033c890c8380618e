"""The journal of submissions: an intent is on disk before its job is ordered, so that no job is lost or ordered twice.

One file of JSON lines per user, append-only. A line is written whole and fsynced before the next step is taken; a line
cut off by a crash is skipped when the journal is read.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import threading
import uuid
from collections.abc import Mapping
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
    """Appends to the journal and reads it back. Blocking: call it from a worker thread, except for `note`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "submissions.jsonl"
        self._writing, self._syncing, self._reading = threading.Lock(), threading.Lock(), threading.Lock()
        self._written = self._synced = 0
        self._inode, self._read_to = 0, 0
        self._services: dict[str, str] = {}
        self._jobs: dict[str, str] = {}

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
        """Record what became of a call: `delivered`, `handle`, `cancelled`.

        Not synced: a note that a power cut takes costs a repeated delivery, not a job.
        """
        self._append({"job": job, "note": what, "at": datetime.now(UTC).isoformat()}, durable=False)

    def service_of(self, job: str) -> str | None:
        """The service a job was ordered from, if it was ordered here."""
        with self._reading:
            self._catch_up()
            return self._services.get(job)

    def known_service_of(self, job: str) -> str | None:
        """`service_of` from memory alone, for the event loop: a job's service never changes."""
        return self._services.get(job)

    def job_of(self, submission_id: str) -> str | None:
        """The job that came of a submission, if its URN came back."""
        with self._reading:
            self._catch_up()
            return self._jobs.get(submission_id)

    def _append(self, line: Mapping[str, Any], *, durable: bool = True) -> None:
        data = (json.dumps(line, ensure_ascii=False) + "\n").encode()
        file = self._open()
        try:
            with self._writing:
                # One write of a short line to a file opened for appending is not torn by other processes. Where the
                # disk was full, or power was lost, in the middle of the last line, ours must not be lost with it.
                size = os.fstat(file).st_size
                if size and os.pread(file, 1, size - 1) != b"\n":
                    data = b"\n" + data
                if os.write(file, data) < len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
                self._written += 1
                mine = self._written
            if durable:
                with self._syncing:
                    # One sync carries the lines of all who wrote before it, so many calls at once need few.
                    if self._synced < mine:
                        carried = self._written
                        os.fsync(file)
                        self._synced = carried
        finally:
            os.close(file)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
        try:
            return os.open(self.path, flags, 0o600)
        except FileNotFoundError:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            return os.open(self.path, flags, 0o600)

    def _catch_up(self) -> None:
        """Read what was appended since the last look, by us or by another server of this user."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        with file:
            found = os.fstat(file.fileno())
            if found.st_ino != self._inode or found.st_size < self._read_to:
                self._inode, self._read_to = found.st_ino, 0
                self._services.clear()
                self._jobs.clear()
            if found.st_size == self._read_to:
                return
            file.seek(self._read_to)
            whole, end, _ = file.read().rpartition(b"\n")  # a line that is being written is read the next time
        self._read_to += len(whole) + len(end)
        for line in whole.split(b"\n"):
            self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            value = json.loads(line) if line else None
        except ValueError:
            log.warning("a line of %s is not readable and is skipped", self.path)
            return
        if not isinstance(value, dict) or not isinstance(job := value.get("job"), str):
            return
        if isinstance(service := value.get("service"), str):
            self._services[job] = service
        if isinstance(submission_id := value.get("submission"), str):
            self._jobs[submission_id] = job
