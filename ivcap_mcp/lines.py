"""Lines of standard input that have a longest length, and what is answered to one that is no message."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import mcp_types as t
from anyio import to_thread
from pydantic import ValidationError

from ivcap_mcp.errors import MOST_ERROR

MOST_LINE = 16 * 1024 * 1024
"""Bytes of one message: text of the largest size that a tool takes, escaped as badly as can be, fits with ease."""
PIECE = 64 * 1024

_NUMBER = rb'"id"\s*:\s*("[^"\\\x00-\x1f]{1,200}"|-?\d{1,18})'
_FIRST = re.compile(rb'\s*\{\s*(?:"(?:jsonrpc|method)"\s*:\s*"[^"\\]{0,200}"\s*,\s*){0,2}' + _NUMBER)
_LAST = re.compile(_NUMBER + rb'\s*(?:,\s*"(?:jsonrpc|method)"\s*:\s*"[^"\\]{0,200}"\s*){0,2}\}\s*$')
_TOO_LONG = "too long"


class Lines:
    """Lines as text, for the SDK's transport. One that is longer than `most` bytes is skipped as it comes in, and a
    line that is no message takes its place, so that it is answered like others that are none.
    """

    def __init__(self, file: BinaryIO, most: int = MOST_LINE) -> None:
        self._file, self._most = file, most

    async def __aiter__(self) -> AsyncIterator[str]:
        # Abandoned: a line that never comes must not keep a server whose client does not listen any more.
        while line := await to_thread.run_sync(self._next, abandon_on_cancel=True):
            yield line

    def _next(self) -> str:
        line = self._file.readline(self._most + 1)
        if len(line) <= self._most:
            return line.decode("utf-8", "replace")
        first, end = line[:PIECE], line[-PIECE:]
        del line
        while not end.endswith(b"\n") and (piece := self._file.readline(PIECE)):
            end = (end + piece)[-PIECE:]
        return json.dumps({_TOO_LONG: self._most, "id": _id(first, end)})


@contextmanager
def own_stdin() -> Iterator[Any]:
    """Standard input for `stdio_server`, taken away from everybody else: handlers and child processes read nothing.

    Where it is no descriptor of its own (a program that exchanged `sys.stdin`), and on Windows, the SDK takes it.
    """
    if sys.platform == "win32" or not _is_descriptor():
        yield None
        return
    import fcntl

    own = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    try:
        # Never closed: the thread that reads it may be blocked in it, and a number used again would mix up two files.
        yield Lines(os.fdopen(own, "rb", closefd=False))
    finally:
        os.dup2(own, 0)


def _is_descriptor() -> bool:
    try:
        return sys.stdin.buffer.fileno() == 0
    except (AttributeError, OSError, ValueError):
        return False


def complaint(error: Exception) -> t.JSONRPCError | None:
    """What is answered to a line that is no message; nothing to an empty one, and to a notification that is wrong.

    Source: JSON-RPC 2.0, "5.1 Error object": -32700 for what is no JSON, -32600 for what is no request.
    """
    found = error.errors(include_url=False) if isinstance(error, ValidationError) else []
    if not found:
        return None
    if found[0]["type"] == "json_invalid":
        text = str(found[0]["input"])
        if not text.strip():
            return None
        head, tail = text[:PIECE].encode("utf-8", "replace"), text[-PIECE:].encode("utf-8", "replace")
        reason = str(found[0].get("ctx", {}).get("error", found[0]["msg"]))[:MOST_ERROR]
        return _error(_id(head, tail), t.PARSE_ERROR, f"Parse error: {reason}")
    given = next((one["input"] for one in found if isinstance(one["input"], dict) and "id" in one["input"]), None)
    if given is not None and _TOO_LONG in given:
        return _error(_known(given["id"]), t.INVALID_REQUEST, f"A message may have at most {given[_TOO_LONG]} bytes")
    if len(found[0]["loc"]) < 2:
        batch = isinstance(found[0]["input"], list)
        reason = "batches are not part of MCP; send one message a line" if batch else "no object"
        return _error(None, t.INVALID_REQUEST, f"Invalid request: {reason}")
    if given is None or "method" not in given:
        # An answer that is wrong must not be taken for the answer to a request of the same number.
        return _error(None, t.INVALID_REQUEST, "Invalid request") if given is not None else None
    where = {".".join(str(part) for part in one["loc"][1:]) for one in found if one["loc"][:1] == ("JSONRPCRequest",)}
    return _error(_known(given["id"]), t.INVALID_REQUEST, f"Invalid request: {', '.join(sorted(where))}")


def _id(head: bytes, tail: bytes) -> int | str | None:
    """The request's id, where it stands before or after everything else."""
    found = _FIRST.match(head) or _LAST.search(tail[-1000:])
    try:
        return _known(json.loads(found[1].decode("utf-8", "replace"))) if found else None
    except ValueError:  # 007 is no number
        return None


def _known(value: object) -> int | str | None:
    """A request's id, if it is one: `true` is an integer to Python, and none to JSON-RPC."""
    return value if isinstance(value, (int, str)) and not isinstance(value, bool) else None


def _error(number: int | str | None, code: int, text: str) -> t.JSONRPCError:
    return t.JSONRPCError(jsonrpc="2.0", id=number, error=t.ErrorData(code=code, message=text))
