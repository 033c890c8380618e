"""Results of jobs: which ones can stand in a reply, and which must become artifacts."""

from __future__ import annotations

import json
import mimetypes

from .._core.messages import MOST_REPLY, Source
from .._io.files import PIECE

MOST_INLINE = MOST_REPLY
"""Larger results become artifacts; a reply that is read whole could not hold them."""

_SUFFIX = {"application/octet-stream": ".bin", "application/json": ".json", "text/plain": ".txt"}


class Joined:
    """What was read of a source already, and then the rest of it."""

    def __init__(self, head: bytes, rest: Source) -> None:
        self._head, self._rest = head, rest

    def read(self, size: int, /) -> bytes:
        if self._head:
            piece, self._head = self._head[:size], self._head[size:]
            return piece
        return self._rest.read(size)


def whole_or_joined(source: Source) -> bytes | Joined:
    """Read a source to its end if it fits in a reply; otherwise join it together again."""
    read = bytearray()
    while len(read) <= MOST_INLINE:
        piece = source.read(PIECE)
        if not piece:
            return bytes(read)
        read += piece
    return Joined(bytes(read), source)


def is_json(content_type: str) -> bool:
    """Whether a media type says JSON. Source: rest-api §2.7, `application/vnd.ivcap.<schema urn>`."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or kind.startswith("application/vnd.ivcap.") or kind.endswith("+json")


def stands_inline(kind: str, data: bytes) -> bool:
    if is_json(kind):
        try:
            json.loads(data, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return False
        return True
    if not kind.startswith("text/"):
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def suffix(kind: str) -> str:
    """Return the file suffix of a media type."""
    return _SUFFIX.get(kind) or mimetypes.guess_extension(kind) or ".bin"
