"""Moments as the store keeps them: whole microseconds since 1970, UTC."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], int]
"""Tells the time in microseconds since 1970."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN_EPOCH = datetime(1970, 1, 1)  # a zone would only be written to be cut off again


def now() -> int:
    """Return the time in microseconds since 1970."""
    return time.time_ns() // 1000


def rfc3339(moment: int) -> str:
    """Write a moment as `2025-11-04T10:22:31.123456Z`, always with six digits, so that text sorts as time does."""
    return (_PLAIN_EPOCH + timedelta(0, 0, moment)).isoformat("T", "microseconds") + "Z"


def parse(text: str) -> int:
    """Read an RFC 3339 or ISO time; without a zone it is UTC, as the public client sends it.

    Raises:
        ValueError: This is no time.
    """
    # A "+" that was not quoted in a query arrives as a space.
    if "T" in text and " " in text:
        text = text.replace(" ", "+")
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)
