"""What a running job tells: events, and how they are read from a stream of server-sent events. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ivcap_client._core.reading import loaded
from ivcap_client._core.wire import Fields

MOST_LINE = 1024 * 1024
"""Bytes of a line, and characters of an event, beyond which it is skipped."""

_LINES = re.compile(rb"[^\r\n]*+(?:\r\n|\n|\r)|[^\r\n]+")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing a job told.

    Attributes:
        seq: Position in the stream; `""` where polling saw a change of status.
        type: `ivcap.job.status` or `ivcap.job.event`.
        schema: Schema of `data`.
        data: What the service or the platform reported.
        timestamp: When, by the platform's clock.

    Examples:
        >>> job = ivcap.get_service_by_name("plain").request_job({"do": "echo"})
        >>> [event.status for event in job.events(timeout=30) if event.status][-1]
        'succeeded'
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
    """Bytes of a `text/event-stream` → events. Pure; takes pieces of any size, and remembers a bounded part of them.

    Source: WHATWG HTML, "9.2.6 Interpreting an event stream".
    """

    def __init__(self) -> None:
        self._line = bytearray()
        self._data: list[str] = []
        self._size = 0
        self._id = ""
        self._after_cr = self._too_long = False
        self._first = True

    def feed(self, piece: bytes) -> list[Event]:
        found = []
        for part in _LINES.findall(piece):
            if self._after_cr and part.startswith(b"\n"):
                part = part[1:]  # the second half of a CRLF whose first half ended the line
            self._after_cr = False
            text = part.rstrip(b"\r\n")
            if len(self._line) + len(text) > MOST_LINE:
                self._line.clear()
                self._too_long = True
            elif not self._too_long:
                self._line += text
            if len(text) == len(part):
                continue  # the line goes on, unless `part` was that LF
            self._after_cr = part.endswith(b"\r")
            if (event := self._ended()) is not None:
                found.append(event)
        return found

    def _ended(self) -> Event | None:
        line, self._line = self._line.decode("utf-8", "replace"), bytearray()
        if self._first:
            line, self._first = line.removeprefix("\ufeff"), False
        if self._too_long:
            self._too_long, self._size = False, MOST_LINE + 1  # the event it belonged to is not whole any more
            return None
        if not line:
            data, size = "\n".join(self._data), self._size
            self._data, self._size = [], 0
            return event_of(data, self._id) if data and size <= MOST_LINE else None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._size += len(value) + 1
            if self._size <= MOST_LINE:
                self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        return None


def event_of(data: str, seq: str) -> Event | None:
    """An event from the JSON of its `data`; `None` for what is none (keep-alives, other formats)."""
    try:
        value = loaded(data)
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
        seq=told.text("seqid") or (str(number) if (number := told.whole("seqid")) is not None else seq),
        type=kind,
        schema=told.text("schema") or "",
        data=payload,
        timestamp=told.when("timestamp"),
    )
