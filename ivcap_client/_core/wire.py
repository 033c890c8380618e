"""JSON from the platform → values. A field that cannot be read is named with its path ("items[3].id")."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from ivcap_client._core.messages import Response
from ivcap_client._core.reading import loaded
from ivcap_client.exception import InvalidInput, ProtocolError


@lru_cache(4096)  # a record asks for a dozen fields, a page has fifty records, and the names are always the same
def plain(name: str) -> str:
    """Field names without case and separators: deployments and documents spell them differently."""
    return name.replace("-", "").replace("_", "").lower()


class Fields:
    """A JSON object being read. Missing and null are the same; unknown fields stay in `raw`."""

    def __init__(self, value: object, what: str, at: str = "") -> None:
        if not isinstance(value, Mapping):
            raise ProtocolError(f"could not {what}: {at or 'the reply'} is not a JSON object")
        self.raw: Mapping[str, Any] = value
        self._what, self._at = what, at
        self._found = {plain(name): value[name] for name in reversed(list(value)) if value[name] is not None}

    def any(self, name: str) -> Any:
        return self._found.get(plain(name))

    def has(self, name: str) -> bool:
        """Whether the field is there at all, even as null."""
        return any(plain(known) == plain(name) for known in self.raw)

    def text(self, name: str) -> str | None:
        value = self.any(name)
        return value if isinstance(value, str) else None

    def need(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise ProtocolError(f"could not {self._what}: the reply has no {self._path(name)}")
        return value

    def whole(self, name: str) -> int | None:
        """A whole number, also where the platform sends it as text or as a float."""
        value = self.any(name)
        if isinstance(value, bool):
            return None
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value):
            return int(value)
        return value if isinstance(value, int) else None

    def number(self, name: str) -> float | None:
        value = self.any(name)
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            return None
        try:
            found = float(value)
        except (ValueError, OverflowError):
            return None
        return found if math.isfinite(found) else None

    def flag(self, name: str) -> bool | None:
        value = self.any(name)
        return value if isinstance(value, bool) else None

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.any(name)
        return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()

    def when(self, name: str) -> datetime | None:
        """A moment; text that is none counts as missing, since no one date should make a record unreadable."""
        value = self.text(name)
        return moment(value) if value else None

    def items(self, name: str) -> list[Any]:
        """What a list holds; an absent one is empty."""
        value = self.any(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise ProtocolError(f"could not {self._what}: {self._path(name)} is not a list")
        return value

    def each(self, name: str) -> Iterator[Fields]:
        for number, item in enumerate(self.items(name)):
            yield Fields(item, self._what, f"{self._path(name)}[{number}]")

    def _path(self, name: str) -> str:
        return f"{self._at}.{name}" if self._at else name


def moment(text: str) -> datetime | None:
    """An RFC 3339 time; without a zone it is UTC; nanoseconds are cut to microseconds."""
    if len(text) > 27:  # longer than microseconds and a "Z"
        text = re.sub(r"(\.\d{6})\d+", r"\1", text)
    try:
        value = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def instant(value: datetime) -> str:
    """A moment as it is sent. A value without a zone is taken as UTC, as the platform does."""
    if not isinstance(value, datetime):
        raise InvalidInput(f"at_time: a datetime is wanted, {value!r} was given")
    value = value if value.tzinfo else value.replace(tzinfo=UTC)
    return value.isoformat()


def parsed(reply: Response, what: str) -> Any:
    """The reply's JSON."""
    try:
        return loaded(reply.body)
    except (ValueError, RecursionError):
        kind = reply.headers.get("content-type", "no type")
        raise ProtocolError(
            f"could not {what}: the platform answered HTTP {reply.status} with {kind}, which is not readable as JSON"
        ) from None


def carried_out(reply: Response, what: str) -> None:
    """See that a reply in which nothing is to be read is the platform's, and not somebody's sign-in page.

    Raises:
        ProtocolError: It is a web page.
    """
    if reply.headers.get("content-type", "").lower().startswith("text/html"):
        raise ProtocolError(f"could not {what}: HTTP {reply.status} came with a web page, which is not the platform's")


def fields(reply: Response, what: str) -> Fields:
    return Fields(parsed(reply, what), what)


def encoded(value: object, what: str) -> bytes:
    """A value as the JSON that is sent."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"could not {what}: the data cannot be written as JSON ({error})") from None
