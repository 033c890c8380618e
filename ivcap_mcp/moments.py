"""Times as a model writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from ivcap_mcp.errors import ToolError
from ivcap_mcp.text import clip

AS_OF = {"type": "string", "description": "What held at this time (RFC 3339)"}


def moment_of(given: str | None, name: str = "as_of") -> datetime | None:
    """The time; one without a zone is UTC.

    Raises:
        ToolError: It is none.
    """
    if given is None:
        return None
    try:
        value = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", given.strip()))
    except ValueError:
        raise ToolError(
            "invalid_input", f"{name}: {clip(given, 60)!r} is no time.", "Write it like 2026-01-31T12:00:00Z."
        ) from None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def written(moment: datetime | None) -> str | None:
    """A time as all answers write it: RFC 3339, in UTC."""
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat().replace("+00:00", "Z")
