"""The arguments of a service tool → the request its service wants, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import anyio

from ivcap_client.schemas.reading import read
from ivcap_mcp import arguments
from ivcap_mcp.entries import Entry
from ivcap_mcp.errors import ToolError
from ivcap_mcp.schema import present


@dataclass(frozen=True, slots=True)
class Input:
    """What a service is asked.

    Attributes:
        body: The request it wants.
        note: What the caller is to be told about it; empty where all is as usual.
    """

    body: Any
    note: str = ""


async def request_for(entry: Entry, given: dict[str, Any], *, by: str = "") -> Input:
    """What was given to a service's tool, as the request the service wants.

    Args:
        entry: The service.
        given: The arguments of its tool.
        by: What `run_service` was told to run, if the call came that way: complaints show the same way.

    Raises:
        ToolError: It does not fit; the message names each field, what was given and what is wanted.
    """

    def work() -> Input:
        doc = read(entry.original)
        body = arguments.understand(given, entry.published, doc)
        complaints = arguments.check(body, doc, published=entry.published)
        if complaints:
            fits = arguments.example(doc)
            shown = None if fits is None else present(fits, entry.published, doc)
            if by and shown is not None:
                shown = {"service": by, "input": shown}
            again = "run_service" if by else entry.name
            told = arguments.complaint_text(entry.name, complaints, example=shown, again=again)
            raise ToolError("invalid_input", told)
        return Input(body, arguments.undeclared_text(body, doc, entry.published))

    # A hostile schema may keep a validator busy; the event loop must not wait for it.
    return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
