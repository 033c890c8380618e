"""What a reader of events may ask for: where to go on, how many, for how long (rest-api §2.10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .refusals import invalid

MOST_WAIT = 24 * 3600


@dataclass(frozen=True, slots=True)
class EventQuery:
    """How much of a stream is wanted.

    Attributes:
        after: SeqID of the last event seen, or `None`: from the start.
        most: Events after which the stream ends, or `None`.
        wait: Seconds after which it ends although the job has not, or `None`: it lasts as long as the job.
    """

    after: str | None = None
    most: int | None = None
    wait: float | None = None

    @property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The same as parameters of a request."""
        told = {"max-messages": self.most, "max-wait-time": None if self.wait is None else int(self.wait)}
        return tuple((name, str(value)) for name, value in told.items() if value is not None)


def read(parameters: Mapping[str, str], last_event_id: str | None) -> EventQuery:
    """Read the parameters and the header of a request.

    Raises:
        Refusal: One is no number that can be meant (422).
    """
    most = _number(parameters, "max-messages", 1, 2**31)
    wait = _number(parameters, "max-wait-time", 0, MOST_WAIT)
    # An id of another server's is not an error: everything is sent again.
    after = (last_event_id or "").strip()
    return EventQuery(after if after.isdecimal() and len(after) <= 20 else None, most, wait)


def _number(parameters: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    text = parameters.get(name, "")
    if text == "":
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 12 and least <= int(text) <= most):
        raise invalid(name, f"a whole number from {least} to {most} is expected", text)
    return int(text)
