"""Whether what was given can name a thing of a kind at all; if not, what would, and which tool knows."""

from __future__ import annotations

import uuid
from typing import Final

from ivcap_client.urns import is_urn, kind_of
from ivcap_mcp.errors import ToolError
from ivcap_mcp.text import one_line

LISTS: Final = {
    "artifact": "list_artifacts finds them by name",
    "aspect": "query_aspects finds them",
    "job": "list_jobs lists the recent ones",
}
"""Where URNs of a kind come from."""
READERS: Final = {
    "artifact": "get_artifact",
    "aspect": "get_aspect",
    "job": "get_job",
    "service": "describe_service",
}
"""Which tool reads what its URN says it is."""


def checked(kind: str, named: str) -> str:
    """The URN or UUID, if it can name an artifact, an aspect or a job.

    Raises:
        ToolError: It cannot; the text shows the form, and says what to call.
    """
    found = kind_of(named)
    is_file = kind == "artifact" and named.startswith("urn:file:")
    if is_urn(named) and (is_file or (found == kind and not named.endswith(":"))):
        return named
    try:
        return str(uuid.UUID(named))
    except ValueError:
        raise wrong(kind, named) from None


def wrong(kind: str, named: str) -> ToolError:
    """The error for what names no thing of a kind."""
    article = "an" if kind[0] == "a" else "a"
    form = f"urn:ivcap:{kind}:01234567-89ab-cdef-0123-456789abcdef"
    found = kind_of(named) or ""
    reader = READERS.get(found) if found != kind else None
    return ToolError(
        "invalid_input",
        f"{one_line(named, 120)!r} names no {kind}: {article} {kind}'s URN looks like {form}.",
        f"This is the URN of another thing: {reader} reads it." if reader else f"{LISTS[kind]}.",
    )
