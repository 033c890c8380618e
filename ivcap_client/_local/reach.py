"""What one tool process may touch: its jobs, what they were given, what it made, the sub-jobs it started.

A tool runs with a request of its user, and the platform would let it act for that user. Here it gets what the request
speaks of and no more: the URNs in the request, what aspects about those speak of (a collection's items), and so on for
`DEEPEST` steps. What the tool itself wrote opens nothing, or it could write itself a key.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Iterator

from .identity import SCHEMA_SERVICE, SCHEMA_TOOL, urn

DEEPEST = 2
"""Steps from a request to what can be reached: an aspect or collection that is named, then what it names."""

MOST_NAMES = 100_000
"""Names that one process is given; one with more is given no further ones."""

PUBLIC = (SCHEMA_SERVICE, SCHEMA_TOOL)
"""Schemas whose aspects everybody reads: descriptions of services."""

_PLATFORM = re.compile(r"urn:ivcap:[a-z]+:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def names_in(data: bytes | str) -> set[str]:
    """Return the URNs that a text speaks of: those of the platform wherever they stand, others where they are all of a
    JSON string.
    """
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    try:
        # Decoded, because an escape may stand for any letter.
        strings: Iterable[str] = _strings(json.loads(text))
        found = {one for one in strings if one.startswith("urn:") and len(one) <= 2048}
        text = "\n".join(_strings(json.loads(text)))
    except (ValueError, RecursionError):
        found = set()
    return {one.lower() if _PLATFORM.fullmatch(one) else one for one in found} | {
        one.lower() for one in _PLATFORM.findall(text)
    }


def _strings(value: object) -> Iterator[str]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting.extend(one.keys())
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


class Reach:
    """What one process may touch. Thread-safe; it only ever grows while the process lives.

    Args:
        service: URN of its service, under which it states aspects.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self._lock = threading.Lock()
        self._steps: dict[str, int] = {}
        self._jobs: set[str] = set()
        self._children: set[str] = set()
        self._made: set[str] = set()

    def give_job(self, job: str, request: bytes) -> None:
        """A job (bare UUID) was handed to the process, with what its request names."""
        with self._lock:
            self._jobs.add(job)
        self._add(names_in(request), 0)

    def started(self, job: str) -> None:
        """The process started a sub-job (bare UUID)."""
        with self._lock:
            self._children.add(job)

    def made(self, entity: str) -> None:
        """The process made an artifact, or is the first to speak of an entity."""
        with self._lock:
            self._made.add(entity)

    def learn(self, data: bytes | str, about: str | None = None) -> None:
        """The process was shown what others wrote; `about`: the entity it is about, `None`: a sub-job's result."""
        step = 0 if about is None else self._steps.get(about, DEEPEST)
        if step < DEEPEST:
            self._add(names_in(data), step + 1)

    def holds(self, name: str) -> bool:
        """Whether a URN was given to the process, or made by it."""
        return name in self._steps or name in self._made or self.own_job(name.rpartition(":")[2])

    def built(self, entity: str) -> bool:
        """Whether the process made it."""
        return entity in self._made

    def own_job(self, job: str | None) -> bool:
        """Whether a job (bare UUID) is one of the process, or a sub-job of one."""
        return job in self._jobs or job in self._children

    def child(self, job: str) -> bool:
        """Whether a job (bare UUID) is a sub-job, so that its result is somebody else's word."""
        return job in self._children and job not in self._jobs

    def entities(self) -> str:
        """Everything aspects may be about, as a JSON list for SQLite's `json_each`."""
        with self._lock:
            jobs = [urn("job", job) for job in (*self._jobs, *self._children)]
            return json.dumps([*self._steps, *self._made, *jobs])

    def jobs(self) -> str:
        """UUIDs of its jobs and their sub-jobs, as a JSON list."""
        with self._lock:
            return json.dumps([*self._jobs, *self._children])

    def _add(self, names: set[str], step: int) -> None:
        with self._lock:
            for name in names:
                known = self._steps.get(name)
                if known is None and len(self._steps) >= MOST_NAMES:
                    return
                if known is None or step < known:
                    self._steps[name] = step
