"""Event streams of running jobs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from ivcap_client._core.events import MOST_LINE, EventParser
from ivcap_mcp.progress import Progress
from tests.fuzz import chance as by
from tests.fuzz.fuzzing import Check, Part

JOB = "urn:ivcap:job:00000000-0000-4000-8000-000000000002"
NAMES = ("SeqID", "Type", "Data", "Schema", "Timestamp", "status", "progress", "total", "options", "message", "name")
GOOD: tuple[dict[str, Any], ...] = (
    {"SeqID": "00000001", "Type": "ivcap.job.status", "Data": {"job-urn": JOB, "status": "executing"}},
    {
        "SeqID": "2",
        "Type": "ivcap.job.event",
        "Data": {"name": "s", "options": {"message": "m", "progress": 1, "total": 3}},
    },
    {"SeqID": 3, "Type": "ivcap.job.event", "Schema": "urn:x:step.1", "Data": {"context": "c", "progress": 0.5}},
    {"id": "4", "status": "succeeded", "timestamp": "2026-01-31T12:00:00Z"},
)
FIELDS = (b"data: ", b"data:", b"id: ", b"event: ", b"retry: ", b": ", b"", b"data", b"\xef\xbb\xbf", b"\xff\xfe")
ENDS = (b"\n", b"\r\n", b"\r", b"\n\n", b"\r\n\r\n", b"", b"\r\r")


def make(chance: Random) -> tuple[bytes, list[int]]:
    """A stream, and where it is cut into pieces."""
    said = bytearray()
    for _ in range(chance.randrange(1, 12)):
        event = by.mutated(chance, chance.choice(GOOD), NAMES)
        if chance.random() < 0.8:
            said += b"id: %d\ndata: %s\n\n" % (chance.randrange(99), by.encoded(chance, event))
        else:
            said += chance.choice(FIELDS) + by.encoded(chance, event) + chance.choice(ENDS)
    if chance.random() < 0.01:
        said += b"data: " + b"x" * (MOST_LINE + chance.randrange(-5, 5)) + b"\n\n"
    stream = by.damaged(chance, bytes(said)) if chance.random() < 0.3 else bytes(said)
    return stream, sorted(chance.randrange(len(stream) + 1) for _ in range(chance.randrange(6)))


@asynccontextmanager
async def opened() -> AsyncIterator[Check]:
    async def check(tried: tuple[bytes, list[int]]) -> None:
        stream, cuts = tried
        whole = EventParser().feed(stream)
        parser, found, progress = EventParser(), [], Progress()
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            found += parser.feed(stream[start:end])
            assert len(parser._line) <= MOST_LINE
        # NaN is equal to nothing, so what they say is compared.
        assert [repr(one) for one in found] == [repr(one) for one in whole], "the pieces make a difference"
        last = -1.0
        for event in found:
            full, step = progress.full, progress.of(event)
            assert full or step.progress > last, f"{step.progress} after {last}"
            last = step.progress
            assert len(step.message) <= 200
            json.dumps([event.text, event.status, event.seq, event.type, step.message]).encode()

    yield check


PART = Part("events", 30_000, 1_500, make, opened)
