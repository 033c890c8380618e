"""What a tool's failure becomes: the job's status, the error object that is kept, a short text. Pure.

Source: service-contract §2 "Responses" and §4 "Error result on the wire".
"""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator
from typing import Literal, TypeAlias

Ended: TypeAlias = Literal["succeeded", "failed", "error"]
Pieces: TypeAlias = AsyncIterator[bytes]

ERROR_SCHEMA = "urn:ivcap:schema.service.error.1"
MOST_TEXT = 500


def inline(status: int, body: bytes) -> tuple[Ended, bytes, str]:
    """What an HTTP error of a tool says about the job: status, error object to keep, short text.

    A 5xx with an error object is the tool's exception; any other answer is not the tool's contract at all.
    """
    try:
        said = json.loads(body)
    except ValueError:
        said = body.decode("utf-8", "replace")
    if status == 422:
        text = fields(said)
        return "failed", _error(text, "ValidationError"), short(text)
    if isinstance(said, dict) and "message" in said:
        kind = "ValueError" if status == 400 else "Exception"
        text = str(said["message"])
        return "failed", _error(text, kind, said.get("traceback")), short(f"{kind}: {text}" if status == 400 else text)
    text = f"the tool answered with HTTP {status}: {said if isinstance(said, str) else json.dumps(said)}"
    return "failed", _error(short(text), "Exception"), short(text)


def reported(body: bytes) -> str:
    """A short text for an error that came through the sidecar."""
    try:
        said = json.loads(body)
    except ValueError:
        return short(body.decode("utf-8", "replace") or "the tool reported an error without a text")
    if not isinstance(said, dict):
        return short(json.dumps(said))
    if said.get("type") == "no-result-error":
        return short(str(said.get("error") or "the tool ended without a result"))
    text = str(said.get("error") or said.get("message") or "the tool reported an error without a text")
    kind = said.get("type")
    return short(f"{kind}: {text}" if isinstance(kind, str) and kind else text)


def process_ended(name: str, code: int | None, words: str) -> str:
    """A text for a job whose process ended in the middle of it.

    Args:
        name: Of the service.
        code: Exit code; 128 + n stands for signal n.
        words: What the process wrote last.
    """
    how = f"exit code {code}"
    if code is not None and code > 128 and (code - 128) in {one.value for one in signal.Signals}:
        how += f", ended by {signal.Signals(code - 128).name}"
    last = f"Its last output:\n{words}" if words else "It said nothing about why."
    return short(f"the process of {name} ended ({how}) while this job ran. {last}", 2000)


def fields(said: object) -> str:
    """The fields a 422 complains about, as one sentence."""
    detail = said.get("detail") if isinstance(said, dict) else None
    complaints = []
    for item in detail if isinstance(detail, list) else []:
        if isinstance(item, dict):
            place = [str(part) for part in item.get("loc", []) if part != "body"]
            complaints.append(f"{'.'.join(place) or 'input'}: {item.get('msg', 'not accepted')}")
    if not complaints:
        return f"the service did not accept the input: {json.dumps(detail if detail is not None else said)}"
    return "the service did not accept the input: " + "; ".join(complaints)


def short(text: str, most: int = MOST_TEXT) -> str:
    """The text, cut where it is too long for a status line."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _error(text: str, kind: str, traceback: object = None) -> bytes:
    found = {"$schema": ERROR_SCHEMA, "error": text, "type": kind}
    if isinstance(traceback, str):
        found["traceback"] = traceback
    return json.dumps(found).encode()
