"""A built-in tool: its definition beside its handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
CURSOR = {"type": "string", "description": "`cursor` of the answer before"}


@dataclass(frozen=True, slots=True)
class Builtin:
    """What is listed, and what it does."""

    definition: t.Tool
    run: Handler


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
