"""The events of jobs: one JSON line each, numbered per job from 00000001."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._io.files import NO_LINK, locked, read_own, write_all
from . import times
from .identity import new_uuid

if TYPE_CHECKING:
    from .job_record import LocalJob
    from .store import Store

Event = dict[str, Any]

MOST_EVENT = 60_000
"""Bytes of one event as JSON. The `ivcap` tool's reader breaks at 64 KiB (rest-api §2.10); a larger one is cut."""


LAST_LINES = 4096
"""Bytes in which the last event is looked for first; most are a few hundred."""


class EventLog:
    """Appends and reads `<uuid>.events`. Not synced: after a power cut the job's record still says how it ended."""

    def __init__(self, directory: Path, store: Store) -> None:
        self._directory, self._store = directory, store
        self._lock = threading.Lock()

    def append(self, job: LocalJob, type: str, schema: str, data: object) -> Event:
        """Number an event and write it as one line; several writers do not get the same number."""
        handle = os.open(
            self._directory / f"{job.id}.events", os.O_RDWR | os.O_CREAT | NO_LINK | getattr(os, "O_BINARY", 0), 0o644
        )
        try:
            with locked(handle):
                number, end = _end(handle)
                event: Event = {
                    "SeqID": f"{number + 1:08d}",
                    "EventID": new_uuid(),
                    "Type": type,
                    "Schema": schema,
                    "Source": job.name,
                    "Timestamp": times.rfc3339(self._store.now()),
                    "Data": data,
                }
                line = json.dumps(event, default=str).encode()
                if len(line) > MOST_EVENT:
                    text = json.dumps(data, default=str)
                    event["Data"] = {"$schema": schema, "truncated": True, "size": len(text), "start": text[:20_000]}
                    line = json.dumps(event).encode()
                # What a crash left of an unfinished line is overwritten.
                os.ftruncate(handle, end)
                os.lseek(handle, end, os.SEEK_SET)
                write_all(handle, line + b"\n")
                return event
        finally:
            os.close(handle)

    def read(self, id: str, after: str | None) -> list[Event]:
        """Return the events of a job whose number is greater than `after`, in order."""
        try:
            data = read_own(self._directory / f"{id}.events")
        except FileNotFoundError:
            return []
        past = int(after) if after and after.isdecimal() else 0
        events = []
        for line in data.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            try:
                event = json.loads(line)
                if int(event["SeqID"]) > past:
                    events.append(event)
            except (ValueError, KeyError, TypeError):
                continue  # a line a power cut left torn; those after it still count
        return events


def _end(handle: int) -> tuple[int, int]:
    """Return the number of the last whole event and the position after it."""
    size = os.fstat(handle).st_size
    window = LAST_LINES
    while True:
        start = max(0, size - window)
        os.lseek(handle, start, os.SEEK_SET)
        data = b""
        while len(data) < size - start:
            piece = os.read(handle, size - start - len(data))
            if not piece:
                break
            data += piece
        whole = data[: data.rfind(b"\n") + 1]
        for line in reversed(whole.split(b"\n")[start > 0 :]):  # the first one may be cut
            try:
                return int(json.loads(line)["SeqID"]), start + len(whole)
            except (ValueError, KeyError, TypeError):
                continue
        if start == 0:
            return 0, len(whole)
        window *= 4


def sse(event: Event) -> bytes:
    """Write an event as server-sent event: `id`, `event`, one line of `data`."""
    return f"id: {event['SeqID']}\nevent: {event['Type']}\ndata: {json.dumps(event)}\n\n".encode()
