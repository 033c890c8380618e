"""What a tool printed while a job ran: the part of its service's log, by the times the guard noted beside it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import times
from .guard import KEPT, MARKED
from .job_record import LocalJob, of_record
from .specs import slug

if TYPE_CHECKING:
    from .index import Connection
    from .store import Store

MOST = 16_000
LATE = 1_000_000
"""Microseconds after a job's end in which what it printed may still arrive in the log."""
MOST_BESIDE = 20
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class JobOutput:
    """What a tool printed between a job's start and its end.

    Attributes:
        text: It, or its last part.
        size: Bytes of all of it.
        others: URNs of jobs that the same process may have run meanwhile: some of the lines may be theirs.
    """

    text: str
    size: int
    others: tuple[str, ...] = ()

    @property
    def shortened(self) -> bool:
        """Whether `text` is only the last part."""
        return self.size > len(self.text.encode())


def output(store: Store, job: LocalJob, most: int = MOST) -> JobOutput | None:
    """Find a job's output.

    Args:
        store: Where the job and the log are.
        job: The job.
        most: Bytes of the text, taken from its end.

    Returns:
        `None` if the job has not begun, or the log of that time is gone.
    """
    if job.started_at is None:
        return None
    start = times.parse(job.started_at)
    end = None if job.finished_at is None else times.parse(job.finished_at) + LATE
    log = store.hidden / "logs" / f"{slug(job.service_name)}.log"
    parts = [_between(file, start, end) for file in (Path(f"{log}.{KEPT}"), log)]
    if all(part is None for part in parts):
        return None
    whole = b"".join(part or b"" for part in parts)
    text = _COLOURS.sub("", whole[-most:].decode("utf-8", "replace"))
    if len(whole) > most:
        text = text.partition("\n")[2] or text
    return JobOutput(text, len(_COLOURS.sub("", whole.decode("utf-8", "replace")).encode()), _others(store, job))


def _between(log: Path, start: int, end: int | None) -> bytes | None:
    """The bytes of a log that were written between two times; `None` if that is not known."""
    try:
        marks = _marks(Path(f"{log}.times"))
        if not marks or (end is not None and marks[0][0] > end):
            return None
        # What is written soon after a mark gets none of its own, so the one just before the start may cover it.
        first = next((at for when, at in marks if when >= start - MARKED), None)
        last = next((at for when, at in marks if end is not None and when > end), None)
        if first is None:
            return b""
        with log.open("rb") as file:
            file.seek(first)
            return file.read() if last is None else file.read(max(0, last - first))
    except OSError:
        return None


def _marks(path: Path) -> list[tuple[int, int]]:
    marks = []
    for line in path.read_text(encoding="ascii", errors="replace").splitlines():
        when, _, at = line.partition(" ")
        if when.isdigit() and at.isdigit():
            marks.append((int(when), int(at)))
    return marks


def _others(store: Store, job: LocalJob) -> tuple[str, ...]:
    """Jobs of the same service that ran at the same time."""

    def work(connection: Connection) -> list[tuple[str]]:
        return connection.execute(
            "SELECT record FROM jobs WHERE service = ? AND id <> ? AND started_at IS NOT NULL"
            " ORDER BY requested_at DESC LIMIT 500",
            (job.service, job.id),
        ).fetchall()

    others = [of_record(json.loads(text)) for (text,) in store.jobs.read(work)]
    began, ended = job.started_at or "", job.finished_at
    # Times are RFC 3339 in UTC with microseconds, so they sort as text.
    beside = [
        other.urn
        for other in others
        if (other.started_at or "") <= (ended or "9") and (other.finished_at is None or other.finished_at >= began)
    ]
    return tuple(beside[:MOST_BESIDE])
