"""Page cursors: everything the first request asked for and where its page ended, in characters safe in any URL."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass

MOST_TEXT = 32 * 1024

Key = str | int | float


class BadCursor(ValueError):
    """A page that we did not hand out."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a listing goes on.

    Attributes:
        kind: What is listed; a cursor of one list is refused by another.
        query: Parameters of the first request.
        at: Moment the listing stands for, in microseconds since 1970, so that pages agree with each other.
        after: Sort keys of the last item shown.
    """

    kind: str
    query: Mapping[str, str]
    at: int
    after: tuple[Key, ...]


def write(cursor: Cursor) -> str:
    """Write a cursor with the characters A to Z, a to z, 0 to 9, - and _ only (rest-api §6.1)."""
    text = json.dumps([cursor.kind, dict(cursor.query), cursor.at, list(cursor.after)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read(text: str, kind: str) -> Cursor:
    """Read a cursor back.

    Raises:
        BadCursor: It is not one of this list's.
    """
    if len(text) > MOST_TEXT:
        raise BadCursor("this page is not one of ours")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        told, query, at, after = json.loads(raw)
    except (ValueError, TypeError, binascii.Error, RecursionError) as problem:
        raise BadCursor("this page is not one of ours") from problem
    fits = (
        told == kind
        and isinstance(query, dict)
        and all(isinstance(value, str) for value in query.values())
        and type(at) is int
        and abs(at) < 2**62
        and isinstance(after, list)
        and all(type(key) in (str, int, float) for key in after)
        and all(abs(key) < 2**62 for key in after if isinstance(key, int))
    )
    if not fits:
        raise BadCursor(f"this page is not one of a list of {kind}")
    return Cursor(kind, query, at, tuple(after))
