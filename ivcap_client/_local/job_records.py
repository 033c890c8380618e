"""The records of jobs: found, changed by one writer at a time, waited for; and their rows in the index."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import times
from .aspect_rows import with_head
from .identity import SCHEMA_JOB_STATUS, uuid_of
from .index import Connection
from .job_events import EventLog
from .job_facts import facts
from .job_record import LocalJob, of_record, record_of, status_data
from .mirror import Mirror, Record
from .table_rows import TableRow, put_rows

if TYPE_CHECKING:
    from .store import Store


class JobRecords:
    """The records of one store: `.ivcap/jobs/<uuid>.json`, and their rows."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.directory = store.hidden / "jobs"
        self.mirror = Mirror("job", self.directory, store.temp, lambda: store.index, self)
        self.log = EventLog(self.directory, store)
        self._changed = threading.Condition()

    def find(self, job: str) -> LocalJob | None:
        """Return a job by URN or UUID, or `None`."""
        id = uuid_of(job, "job")
        if id is None or not self._store.present():
            return None
        self.mirror.recover()

        def work(connection: Connection) -> str | None:
            row = connection.execute("SELECT record FROM jobs WHERE id = ?", (id,)).fetchone()
            return row[0] if row else None

        text = self._store.index.read(work)
        if text is None and self.mirror.path(id).exists():
            self.mirror.catch_up()
            text = self._store.index.read(work)
        return None if text is None else of_record(json.loads(text))

    def by_key(self, key: str) -> LocalJob | None:
        """Return the job that was ordered with an idempotency key, if there is one."""
        if not self._store.present():
            return None
        row = self._store.index.read(lambda c: c.execute("SELECT record FROM jobs WHERE key = ?", (key,)).fetchone())
        return of_record(json.loads(row[0])) if row else None

    def read(self, work: Callable[[Connection], list[tuple[Any, ...]]]) -> list[tuple[Any, ...]]:
        """Run a query over the rows; empty when there is no store yet."""
        if not self._store.present():
            return []
        self.mirror.recover()
        return self._store.index.read(work)

    def unfinished(self) -> list[LocalJob]:
        """Return all jobs that are scheduled or executing, oldest first."""
        if not self._store.present():
            return []
        self.mirror.catch_up()
        rows = self.read(
            lambda c: c.execute("SELECT record FROM jobs WHERE finished_at IS NULL ORDER BY requested_at").fetchall()
        )
        return [of_record(json.loads(row[0])) for row in rows]

    def wait(self, job: LocalJob, seconds: float) -> LocalJob:
        """Wait until a job has ended, at most `seconds`, whichever process ends it; return it as it is then."""
        until = time.monotonic() + seconds
        pause = 0.005
        while True:
            now = self.find(job.id) or job
            left = until - time.monotonic()
            if now.ended or left <= 0:
                return now
            with self._changed:
                # Another process cannot wake us, so we look again by ourselves.
                self._changed.wait(min(pause, left))
            pause = min(pause * 1.5, 0.1)

    def change(
        self,
        id: str,
        to: Callable[[LocalJob], LocalJob | None],
        visible: Callable[[], None] | None = None,
    ) -> tuple[LocalJob, bool]:
        """Rewrite a record from what it says now; started over when another process was faster.

        Args:
            id: UUID.
            to: Returns the new record, or `None` to leave it.
            visible: Runs when nobody else can write any more, right before the record changes.
        """
        while True:
            now = self.find(id)
            if now is None:
                raise KeyError(f"there is no job {id}")
            changed = to(now)
            if changed is None:
                return now, False

            def check(connection: Connection, now: LocalJob = now) -> None:
                row = connection.execute("SELECT record FROM jobs WHERE id = ?", (id,)).fetchone()
                if row is None or of_record(json.loads(row[0])) != now:
                    raise _Overtaken
                if visible:
                    visible()

            try:
                self.mirror.put(id, record_of(changed), guard=check)
            except _Overtaken:
                continue
            # After the record, so that who sees the last event finds the job ended.
            self.tell(changed)
            self.notify()
            return changed, True

    def tell(self, job: LocalJob) -> None:
        """Append the event that says what the job is now."""
        self.log.append(job, "ivcap.job.status", SCHEMA_JOB_STATUS, status_data(job))

    def notify(self) -> None:
        """Wake who waits in this process."""
        with self._changed:
            self._changed.notify_all()

    def path(self, id: str, end: str) -> Path:
        """Where a part of a job lies: its `request`, its `result`."""
        return self.directory / f"{id}.{end}"

    # Rows, called by the mirror

    def apply(self, connection: Connection, id: str, record: Record) -> None:
        """Replace the rows of one record: the job's own, and what the platform states about it."""
        rows = self.rows(id, record)
        connection.execute("DELETE FROM aspects WHERE origin = ?", (f"job:{id}",))
        put_rows(connection, rows)

    def rows(self, id: str, record: Record) -> list[TableRow]:
        """The rows of one record."""
        job = of_record(record)
        if job.id != id:
            raise ValueError(f"its 'id' is {job.id!r}, which is not the name of the file")
        own = (
            id,
            job.service,
            job.name,
            job.status,
            job.order,
            job.key,
            times.parse(job.requested_at),
            times.parse(job.started_at) if job.started_at else None,
            times.parse(job.finished_at) if job.finished_at else None,
            json.dumps(record),
        )
        return [("jobs", own), *(("aspects", with_head(row)) for row in facts(job, self.path(id, "result")))]

    def loaded(self, connection: Connection) -> None:
        """No record says anything of another."""

    def drop(self, connection: Connection, id: str) -> None:
        """Remove the rows of a record that is gone."""
        connection.execute("DELETE FROM jobs WHERE id = ?", (id,))
        connection.execute("DELETE FROM aspects WHERE origin = ?", (f"job:{id}",))


class _Overtaken(Exception):
    """Somebody else changed the record between our look and our write."""
