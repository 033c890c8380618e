"""What to do about a job that ended badly, by what is said of its end. The one place for these words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ivcap_client import Job

INPUT: Final = frozenset({"ValueError", "ValidationError", "RequestValidationError"})
"""Types of errors by which a service says that it is the input's fault."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ended.

    Attributes:
        advice: What to do now.
        compare: Whether the input may be to blame, so that it is worth comparing with one that worked.
        again: Whether the same call may be repeated as it is.
    """

    advice: str
    compare: bool = True
    again: bool = False


# What the embedded platform says of the ends that it makes itself.
_MADE: Final[tuple[tuple[re.Pattern[str], Ending], ...]] = (
    (
        re.compile(r"cancelled\b", re.IGNORECASE),
        Ending(
            "It was ended on request: neither the input nor the service is at fault. Run it again only if the user "
            "wants its result after all.",
            compare=False,
            again=True,
        ),
    ),
    (
        re.compile(r"the job did not end within"),
        Ending(
            "It took longer than the service may: the same input will most likely do so again. Ask for less in one "
            "job, or tell the user, who can raise the service's `deadline`.",
        ),
    ),
    (
        re.compile(r"the local platform was killed"),
        Ending(
            "The platform was killed while it ran, and a job is never run twice unasked. The input is not to blame: "
            "run it again if its result is still wanted.",
            compare=False,
            again=True,
        ),
    ),
    (
        re.compile(r"the process of .{1,200} ended \(exit code"),
        Ending(
            "The service's own process ended in the middle of it; what it printed last may say why. Too little memory "
            "and faults in native code look like this: ask for less in one job, or tell the user.",
        ),
    ),
    (
        re.compile(r"the service could not be started|the local platform does not know which command"),
        Ending(
            "The service itself has to be repaired: tell the user what the error says. The input is not to blame.",
            compare=False,
            again=True,
        ),
    ),
    (
        re.compile(r"the result could not be stored"),
        Ending(
            "Tell the user what kept the platform from storing it; when that is mended, run it again.",
            compare=False,
            again=True,
        ),
    ),
)


def how_it_ended(job: Job) -> Ending:
    """How a job ended that did not succeed."""
    told = job.record.result if isinstance(job.record.result, dict) else {}
    kind = told.get("type")
    status = job.status(refresh=False).value
    return ending(status, job.error or "", kind if isinstance(kind, str) else "")


def ending(status: str, error: str, kind: str = "") -> Ending:
    """How a job that did not succeed ended.

    Args:
        status: `failed` (by its service) or `error` (by its platform).
        error: What is said about the failure.
        kind: Type of the service's error, where it told one.
    """
    if status == "error":
        made = next((ending for pattern, ending in _MADE if pattern.match(error)), None)
        return made or Ending(
            "The platform could not run it to its end; the input need not be wrong. Try once more, or tell the user.",
            again=True,
        )
    if kind in INPUT:
        return Ending("The service did not accept the input: correct it and call again.")
    return Ending("The service failed on this input: change the input, or tell the user.")
