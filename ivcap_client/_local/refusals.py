"""Answers that say no, each with the body the platform's clients can parse (rest-api §6.2)."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from pathlib import Path

from .._core.messages import Response
from .identity import as_urn


class Refusal(Exception):
    """Ends a handler with an error reply."""

    def __init__(self, status: int, body: Mapping[str, object], headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, dict(body))
        self.status, self.body, self.headers = status, body, headers or {}

    @property
    def response(self) -> Response:
        return Response(
            self.status, {"content-type": "application/json", **self.headers}, json.dumps(self.body).encode()
        )


def bad_request(message: str) -> Refusal:
    return Refusal(400, {"message": message})


def forbidden(message: str) -> Refusal:
    return Refusal(403, {"message": message})


def missing(id: str, message: str = "", *, kind: str = "resource") -> Refusal:
    """What is not here.

    Args:
        id: How it was asked for.
        message: What to say; made up when empty.
        kind: What it would be; the body has its id as a URN, which is what the platform's description promises.
    """
    return Refusal(404, {"id": as_urn(kind, id), "message": message or f"there is no {id} here"})


def conflict(id: str, message: str, headers: Mapping[str, str] | None = None) -> Refusal:
    return Refusal(409, {"id": id, "message": message}, headers)


def too_large(message: str) -> Refusal:
    return Refusal(413, {"message": message})


def invalid(name: str, message: str, value: str | None = None) -> Refusal:
    """An argument that can never work.

    Args:
        name: Which one.
        message: What is wrong and what would be right.
        value: What was given; a long one is cut.
    """
    body: dict[str, object] = {"name": name, "message": message}
    if value is not None:
        body["value"] = value if len(value) <= 500 else value[:500] + "…"
    return Refusal(422, body)


def not_unique(message: str) -> Refusal:
    return Refusal(424, {"name": "not-unique", "message": message})


def not_here(message: str) -> Refusal:
    """What the embedded platform cannot do; says what to do instead."""
    return Refusal(501, {"message": message})


def no_room(message: str) -> Refusal:
    return Refusal(507, {"message": message})


def disk(problem: OSError, base_dir: Path) -> Refusal:
    """Say what the disk refused, and where."""
    where = _directory(problem, base_dir)
    if problem.errno in (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return no_room(f"no space left to write in {where}")
    if problem.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        # The directory is told apart from the text: no credential and no account can help.
        return Refusal(403, {"message": f"cannot write {where}: {problem.strerror}", "directory": str(where)})
    return Refusal(500, {"message": f"cannot use {where}: {problem.strerror or problem}"})


def _directory(problem: OSError, base_dir: Path) -> Path:
    if not isinstance(problem.filename, str):
        return base_dir
    path = Path(problem.filename)
    # Temporary names mean nothing to anybody; their directory does.
    return path.parent if path.suffix in (".tmp", ".part", ".json", ".lock") else path
