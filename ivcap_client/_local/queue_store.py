"""Queues: messages that are taken out in the order in which they came in, each by one taker.

`.ivcap/queues/<uuid>/queue.json` says what a queue is, `<number>.message` holds one message. Whoever puts in or takes
out holds the lock of the queue's directory, so processes may share one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._io.files import locked, write_whole
from . import times
from .identity import ACCOUNT, POLICY_ASPECT, new_uuid, urn, uuid_of

MOST_MESSAGES = 10_000
"""Messages that wait in one queue."""

MOST_QUEUES = 1000

MOST_TAKEN = 16 * 1024 * 1024
"""Bytes of messages that are taken out at once: those in a reply that is too long to be read would be lost."""

log = logging.getLogger(__name__)


class NameTaken(ValueError):
    """There is a queue of this name."""

    def __init__(self, queue: Queue) -> None:
        super().__init__(f"there is a queue of this name, {queue.urn}")
        self.queue = queue


class Full(ValueError):
    """There is no room for one more."""


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue. `created_at` in microseconds since 1970; `maker`: the account, or the service whose tool made it."""

    id: str
    name: str
    description: str
    policy: str
    created_at: int
    maker: str = ACCOUNT

    @property
    def urn(self) -> str:
        return urn("queue", self.id)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in a queue: messages, their bytes, when the first and the last came (microseconds since 1970)."""

    messages: int
    size: int
    first: int | None
    last: int | None


class QueueStore:
    """The queues below one directory."""

    def __init__(self, directory: Path, now: times.Clock) -> None:
        self._directory, self._now = directory, now

    def create(self, name: str, description: str = "", policy: str | None = None, *, maker: str = ACCOUNT) -> Queue:
        """Make a queue.

        Raises:
            NameTaken, Full: It was not made.
            OSError: It could not be written.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        with _lock(self._directory):
            known = self.all()
            if (taken := next((one for one in known if one.name == name), None)) is not None:
                raise NameTaken(taken)
            if len(known) >= MOST_QUEUES:
                raise Full(f"at most {MOST_QUEUES} queues are kept")
            queue = Queue(new_uuid(), name, description, policy or POLICY_ASPECT, self._now(), maker)
            place = self._directory / queue.id
            place.mkdir()
            record = dataclasses.asdict(queue)
            del record["id"]  # the directory's name
            write_whole(place / "queue.json", json.dumps(record).encode())
        return queue

    def all(self) -> list[Queue]:
        """Return all queues, by name."""
        try:
            names = os.listdir(self._directory)
        except FileNotFoundError:
            return []
        found = [self._read(name) for name in names if uuid_of(name, "queue") == name]
        return sorted((one for one in found if one is not None), key=lambda one: (one.name, one.id))

    def find(self, queue: str) -> Queue | None:
        """Return a queue by URN or UUID, or `None`."""
        id = uuid_of(queue, "queue")
        return None if id is None else self._read(id)

    def delete(self, queue: Queue) -> None:
        """Remove a queue and what waits in it."""
        place = self._directory / queue.id
        with contextlib.suppress(FileNotFoundError), _lock(place):
            (place / "queue.json").unlink()  # from here on it is gone, however much of it is left
        shutil.rmtree(place, ignore_errors=True)

    def waiting(self, queue: Queue) -> Waiting:
        """Return what waits in a queue."""
        numbers = self._numbers(queue)
        size = 0
        for number in numbers:
            with contextlib.suppress(FileNotFoundError):
                size += (self._message(queue, number)).stat().st_size
        return Waiting(len(numbers), size, numbers[0] if numbers else None, numbers[-1] if numbers else None)

    def put(
        self, queue: Queue, content: Any, schema: str | None, content_type: str, *, sender: str | None = None
    ) -> str:
        """Put a message in, durably; return its URN.

        Raises:
            Full: Too many wait already.
            FileNotFoundError: The queue was deleted meanwhile.
        """
        with _lock(self._directory / queue.id):
            if self._read(queue.id) is None:
                raise FileNotFoundError(queue.urn)
            numbers = self._numbers(queue)
            if len(numbers) >= MOST_MESSAGES:
                raise Full(f"{MOST_MESSAGES} messages wait in this queue, which is all it holds")
            # A clock that was set back must not let a message overtake those that wait.
            number = max(self._now(), numbers[-1] + 1 if numbers else 0)
            told = {
                "id": urn("message", new_uuid()),
                "content": content,
                "schema": schema,
                "content-type": content_type,
                "sender": sender,
            }
            kept = {key: value for key, value in told.items() if value is not None or key == "content"}
            write_whole(self._message(queue, number), json.dumps(kept, allow_nan=False).encode())
            return str(told["id"])

    def take(self, queue: Queue, most: int) -> list[Mapping[str, Any]]:
        """Take messages out, the oldest first; `sender` is the service whose tool put one in, if one did.

        Fewer than `most` where they are long. A file that is no message is put aside.
        """
        found: dict[Path, Mapping[str, Any]] = {}
        size = 0
        with contextlib.suppress(FileNotFoundError), _lock(self._directory / queue.id):
            for number in self._numbers(queue):
                path = self._message(queue, number)
                data = path.read_bytes()
                size += len(data)
                if len(found) == most or (found and size > MOST_TAKEN):
                    break
                if (message := _message(data)) is not None:
                    found[path] = message
                else:
                    log.warning("%s is no message; it is put aside, and the queue goes on without it", path)
                    path.replace(path.with_suffix(".broken"))
            for path in found:  # only now: none is gone that is not handed out
                path.unlink()
        return list(found.values())

    def _read(self, id: str) -> Queue | None:
        try:
            told = json.loads((self._directory / id / "queue.json").read_bytes())
            texts = str(told["name"]), str(told["description"]), str(told["policy"])
            return Queue(id, *texts, int(told["created_at"]), str(told.get("maker", ACCOUNT)))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _numbers(self, queue: Queue) -> list[int]:
        try:
            names = os.listdir(self._directory / queue.id)
        except FileNotFoundError:
            return []
        stems = [name.removesuffix(".message") for name in names if name.endswith(".message")]
        return sorted(int(stem) for stem in stems if len(stem) == 20 and stem.isascii() and stem.isdecimal())

    def _message(self, queue: Queue, number: int) -> Path:
        return self._directory / queue.id / f"{number:020d}.message"


def _message(data: bytes) -> Mapping[str, Any] | None:
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) and "content" in told else None


@contextlib.contextmanager
def _lock(directory: Path) -> Iterator[None]:
    handle = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with locked(handle):
            yield
    finally:
        os.close(handle)
