"""What a tool printed while a job ran: the part of its service's log, by the times the guard noted beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .._core.job_output import JobOutput
from . import times
from .guard import KEPT, MARKED
from .job_record import LocalJob, of_record
from .specs import slug
from .tool_log import ADDRESS, COLOURS, own_words

if TYPE_CHECKING:
    from .index import Connection
    from .store import Store

MOST = 16_000
LATE = 1_000_000
"""Microseconds after a job's end in which what it printed may still arrive in the log."""
MOST_BESIDE = 20


def output(store: Store, job: LocalJob, most: int = MOST, *, own: bool = False) -> JobOutput | None:
    """Find a job's output.

    Args:
        store: Where the job and the log are.
        job: The job.
        most: Bytes of the text, taken from its end.
        own: Leave out what the tool's library says of its own work.

    Returns:
        `None` if the job has not begun, or the log of that time is gone. Of one that ended before its tool had it: what
        the tool printed when it was to be started.
    """
    begun = job.started_at or (job.requested_at if job.ended else None)
    if begun is None:
        return None
    others = _neighbours(store, job)
    start = times.parse(begun)
    end = None if job.finished_at is None else times.parse(job.finished_at)
    if end is not None:
        later = [times.parse(other.started_at) for other in others if other.started_at]
        end = min([end + LATE, *(began for began in later if began > end)])
    log = store.hidden / "logs" / f"{slug(job.service_name)}.log"
    parts = [_between(file, start, end) for file in (Path(f"{log}.{KEPT}"), log)]
    if all(part is None for part in parts):
        return None
    whole = b"".join(part or b"" for part in parts)
    text = ADDRESS.sub(r"\1…", COLOURS.sub("", whole.decode("utf-8", "replace")))
    text = own_words(text) if own else text
    size = len(text.encode())
    if size > most:
        text = text.encode()[-most:].decode("utf-8", "ignore")
        text = text.partition("\n")[2] or text
    return JobOutput(text, size, _meanwhile(begun, job, others))


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


def _neighbours(store: Store, job: LocalJob) -> list[LocalJob]:
    """Other jobs of the same service that have begun, the newest first."""

    def work(connection: Connection) -> list[tuple[str]]:
        return connection.execute(
            "SELECT record FROM jobs WHERE service = ? AND id <> ? AND started_at IS NOT NULL"
            " ORDER BY requested_at DESC LIMIT 500",
            (job.service, job.id),
        ).fetchall()

    return [of_record(json.loads(text)) for (text,) in store.jobs.read(work)]


def _meanwhile(began: str, job: LocalJob, others: Sequence[LocalJob]) -> tuple[str, ...]:
    """Those that ran at the same time. Times are RFC 3339 in UTC with microseconds, so they sort as text."""
    ended = job.finished_at or "9"
    beside = [
        other.urn
        for other in others
        if (other.started_at or "") <= ended and (other.finished_at is None or other.finished_at >= began)
    ]
    return tuple(beside[:MOST_BESIDE])
