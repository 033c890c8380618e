"""What a running job tells: server-sent events, read as they come, with polling where there are none."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ivcap_client._core import jobs
from ivcap_client._core.call import open_body
from ivcap_client._core.jobs import ENDED, JobRecord
from ivcap_client._core.messages import Body, Request
from ivcap_client._core.port import Port
from ivcap_client._core.wire import Fields
from ivcap_client.exception import IvcapApiError, IvcapConnectionError, IvcapTimeout
from ivcap_client.urns import identifier, quoted

MOST_LINE = 1024 * 1024
KEEP_ALIVE = 45.0
"""Seconds without a byte after which a stream counts as dead: platforms send a comment more often than that."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing a job told.

    Attributes:
        seq: Position in the stream; `""` where polling saw a change of status.
        type: `ivcap.job.status` or `ivcap.job.event`.
        schema: Schema of `data`.
        data: What the service or the platform reported.
        timestamp: When, by the platform's clock.
    """

    seq: str
    type: str
    schema: str
    data: Any
    timestamp: datetime | None = None

    @property
    def status(self) -> str | None:
        """The new status, if this event reports one."""
        if self.type == "ivcap.job.status" and isinstance(self.data, Mapping):
            status = self.data.get("status")
            return status.lower() if isinstance(status, str) else None
        return None

    @property
    def text(self) -> str:
        """One line for a person: the message, else the error, else the step's name, else what kind of event it is."""
        if self.status:
            return self.status
        data = self.data if isinstance(self.data, Mapping) else {}
        options = data.get("options")
        options = options if isinstance(options, Mapping) else {}
        for value in (
            options.get("message"),
            options.get("msg"),
            data.get("error"),
            data.get("name"),
            data.get("context"),
        ):
            if isinstance(value, str) and value.strip():
                return " ".join(value.split())
        return self.schema.removesuffix(".1").rsplit(":", 1)[-1] or self.type


class EventParser:
    """Bytes of a `text/event-stream` → events. Pure; takes pieces of any size."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []
        self._id = ""
        self._skipping = False

    def feed(self, piece: bytes) -> list[Event]:
        self._rest += piece
        found = []
        # A line ends with LF, CRLF or CR. A CR at the very end may be the first half of a CRLF: it waits.
        while (cut := self._line_end()) is not None:
            line, self._rest = self._rest[: cut[0]], self._rest[cut[1] :]
            if self._skipping:
                self._skipping = False
            elif (event := self._line(line.decode("utf-8", "replace"))) is not None:
                found.append(event)
        if len(self._rest) > MOST_LINE:
            self._rest, self._skipping = b"", True  # an event too large to be one; what follows it is read again
        return found

    def _line_end(self) -> tuple[int, int] | None:
        ends = [at for at in (self._rest.find(b"\n"), self._rest.find(b"\r")) if at >= 0]
        if not ends:
            return None
        at = min(ends)
        if self._rest[at : at + 1] == b"\n":
            return at, at + 1
        if at + 1 == len(self._rest):
            return None
        return at, at + (2 if self._rest[at + 1 : at + 2] == b"\n" else 1)

    def _line(self, line: str) -> Event | None:
        if not line:
            data, self._data = "\n".join(self._data), []
            return event_of(data, self._id) if data else None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        return None


def event_of(data: str, seq: str) -> Event | None:
    """An event from the JSON of its `data`; `None` for what is none (keep-alives, other formats)."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, Mapping):
        return None
    told = Fields(value, "read events")
    kind = told.text("type") or ("ivcap.job.status" if told.text("status") else "ivcap.job.event")
    payload = told.any("data")
    if payload is None:  # the shape some documents describe: {id, status, timestamp}
        payload = dict(value)
    return Event(
        seq=told.text("seqid") or seq,
        type=kind,
        schema=told.text("schema") or "",
        data=payload,
        timestamp=told.when("timestamp"),
    )


class Follower:
    """Follows one job to its end, one `next` after the other.

    Events come from the platform's stream, which is opened again from the last one seen when it breaks. Where the
    platform has no stream, or refuses it, the status is polled; `streaming` tells which it is.
    """

    def __init__(
        self, service: str, job: str, *, after: str = "", first_pause: float = 0.25, most_pause: float = 5.0
    ) -> None:
        self.service, self.job = service, job
        self.streaming: bool | None = None
        self.last: JobRecord | None = None
        self._after, self._body, self._parser = after, None, EventParser()  # type: tuple[str, Body | None, EventParser]
        self._waiting: deque[Event] = deque()
        self._first, self._most = first_pause, most_pause
        self._pause, self._status, self._ended, self._cuts = first_pause, "", False, 0

    async def next(self, port: Port, *, deadline: float | None = None) -> Event | None:
        """The next event, or `None` when the job has ended and everything it told was returned.

        Raises:
            IvcapTimeout: The deadline (on the port's clock) came first; following can go on.
        """
        while True:
            if self._waiting:
                return self._taken(self._waiting.popleft())
            if self._ended:
                await self.close()
                return None
            if deadline is not None and port.now() >= deadline:
                raise IvcapTimeout(f"job {self.job} told nothing new in time")
            if self.streaming is False:
                await self._poll(port, deadline)
            else:
                await self._read(port, deadline)

    async def close(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            await body.close()

    def _taken(self, event: Event) -> Event:
        self._after = event.seq or self._after
        self._status = event.status or self._status
        self._ended = self._ended or self._status in ENDED
        return event

    async def _read(self, port: Port, deadline: float | None) -> None:
        try:
            if self._body is None:
                self._body, self._parser = await self._open(port, deadline), EventParser()
                self.streaming = True
            piece = await self._body.read()
        except IvcapTimeout:
            # Nothing came for long: either our deadline is over, or the line is dead; a new one shows which.
            await self.close()
            if deadline is None or port.now() < deadline:
                await self._poll(port, deadline, pause=False)
            return
        except IvcapConnectionError:
            await self.close()
            await self._reconnect(port, deadline)
            return
        except IvcapApiError as refused:
            await self.close()
            if refused.status_code in (204, 504):
                await self._reconnect(port, deadline)
            else:
                self.streaming = False  # no stream here, or not for us: 403, 404, 501 and the like
            return
        if piece:
            self._cuts, self._pause = 0, self._first
            # A platform that ignores Last-Event-Id tells everything again.
            self._waiting.extend(event for event in self._parser.feed(piece) if not _before(event.seq, self._after))
        else:
            await self.close()
            await self._reconnect(port, deadline)

    async def _open(self, port: Port, deadline: float | None) -> Body:
        what = "follow job"
        path = f"/1/services2/{quoted(identifier(self.service, what))}/jobs/{quoted(identifier(self.job, what))}/events"
        headers = {"accept": "text/event-stream", "cache-control": "no-cache"}
        headers |= {"last-event-id": self._after} if self._after else {}
        request = Request("GET", path, headers=headers, what=what, timeout=KEEP_ALIVE, deadline=deadline)
        body = await open_body(port, request)
        if body.status != 200 or not body.headers.get("content-type", "").startswith("text/event-stream"):
            await body.close()
            raise IvcapApiError(what, 204 if body.status in (200, 204) else body.status)
        return body

    async def _reconnect(self, port: Port, deadline: float | None) -> None:
        """After an end of the stream: look at the job itself, and pause more each time nothing came in between."""
        self._cuts += 1
        await self._poll(port, deadline, pause=self._cuts > 1)

    async def _poll(self, port: Port, deadline: float | None, *, pause: bool = True) -> None:
        if pause:
            left = self._pause if deadline is None else min(self._pause, deadline - port.now())
            await port.sleep(max(left, 0.0))
            self._pause = min(self._pause * 1.5, self._most)
        self.last = await jobs.read(port, self.service, self.job, result=False, deadline=deadline)
        if self.last.status != self._status:
            data = {"job-urn": self.job, "status": self.last.status}
            self._waiting.append(Event("", "ivcap.job.status", "urn:ivcap:schema:job.status.1", data))


def _before(seq: str, after: str) -> bool:
    """Whether `seq` was passed already: positions are numbers, zero-padded, or text that only equality tells apart."""
    if seq.isdigit() and after.isdigit():
        return int(seq) <= int(after)
    return bool(seq) and seq == after


async def wait(
    port: Port, service: str, job: str, *, timeout: float | None, tell: Any = None, fresh: bool = False
) -> JobRecord | None:
    """Follow a job until it has ended, then read it whole.

    Args:
        port: Way to the platform.
        service: URN of its service.
        job: URN of the job.
        timeout: Seconds; `None` waits without limit. Never overshot by more than the last request.
        tell: Called with each `Event`.
        fresh: The job was ordered just now, so that it need not be looked at before it is followed.

    Returns:
        The ended job with its result, or `None` when the time was over first.
    """
    deadline = None if timeout is None else port.now() + timeout
    if not fresh:
        seen = await jobs.read(port, service, job)
        if seen.ended:
            return seen
    follower = Follower(service, job)
    try:
        while (event := await follower.next(port, deadline=deadline)) is not None:
            if tell is not None:
                tell(event)
    except IvcapTimeout:
        if deadline is not None and port.now() >= deadline:
            return None
        raise
    finally:
        await follower.close()
    return await jobs.read(port, service, job)
