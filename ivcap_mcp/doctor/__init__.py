"""What keeps people in the first hour: looked for, explained, and where that is safe, repaired."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

State = Literal["ok", "note", "warn", "bad", "fixed"]

FAILED, USAGE, NO_CONNECTION = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found.

    Attributes:
        check: What was looked at, in a word.
        state: `ok`; `note`, which is no fault; `warn`, which may become one; `bad`; `fixed`.
        message: What was found.
        advice: What to do.
        code: Exit code that this means if it is bad.
        repair: Does it; gives what it did.
    """

    check: str
    state: State
    message: str
    advice: str = ""
    code: int = FAILED
    repair: Callable[[], str] | None = field(default=None, compare=False, repr=False)


def exit_code(findings: Iterable[Finding]) -> int:
    """The code for all of them: wrong settings first, since they make the rest; then the connection; then others."""
    codes = {finding.code for finding in findings if finding.state == "bad"}
    return next((code for code in (USAGE, NO_CONNECTION, FAILED) if code in codes), 0)
