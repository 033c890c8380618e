"""A built-in tool: its definition beside its handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import mcp_types as t

if TYPE_CHECKING:
    from ivcap_mcp.backend import Backend
    from ivcap_mcp.request import Request

Handler = Callable[["Backend", "Request", dict[str, Any]], Awaitable[t.CallToolResult]]

READS = t.ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
ADDS = t.ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False)
RUNS = t.ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True)

MAX_BYTES = {
    "type": "integer",
    "minimum": 1000,
    "maximum": 1_000_000,
    "default": 20_000,
    "description": "Longest answer in bytes",
}
LIMIT = {"type": "integer", "minimum": 1, "maximum": 50, "default": 10, "description": "How many"}
DEFAULT_WAIT: Final = 25
MOST_WAIT: Final = 45
"""Seconds that may be asked to be waited, where the server's calls may take as long."""
CURSOR = {"type": "string", "description": "`cursor` of the answer before"}


@dataclass(frozen=True, slots=True)
class Builtin:
    """What is listed, and what it does."""

    definition: t.Tool
    run: Handler


def waiting(tool: t.Tool, most: float, usual: float) -> t.Tool:
    """A built-in tool of a server whose calls take `most` seconds at most and, unless they say otherwise, `usual`."""
    wait = tool.input_schema["properties"].get("wait")
    if wait is None or (most, usual) == (MOST_WAIT, DEFAULT_WAIT):
        return tool
    limits = {"maximum": _whole(most), "default": _whole(usual) if wait["default"] else 0}
    properties = tool.input_schema["properties"] | {"wait": wait | limits}
    return tool.model_copy(update={"input_schema": tool.input_schema | {"properties": properties}})


def _whole(seconds: float) -> float:
    return int(seconds) if seconds == int(seconds) else seconds


def waited(default: int) -> dict[str, Any]:
    """How long a call waits for a job, for a server with the usual limits."""
    return {"type": "number", "minimum": 0, "maximum": MOST_WAIT, "default": default, "description": "Seconds to wait"}


def schema(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    """An object schema that takes no other properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": description, **more}


def output(**properties: Any) -> dict[str, Any]:
    """An output schema: small, fixed, open for more."""
    return {"type": "object", "properties": properties}
