"""The gate each tool passes alone before it may be listed.

The SDK validates a whole listing against the wire model of the negotiated version, and one tool that does not fit makes
the listing fail for everyone. So each is tried by itself, and one that fails is put aside and reported.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from mcp_types import Tool
from mcp_types.methods import validate_server_result

_MOST_REASON = 500
_LEGAL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
# Version → what a tools/list result of that version must carry besides the tools.
_FRAMES: Final[Mapping[str, Mapping[str, Any]]] = {
    "2025-11-25": {},
    "2026-07-28": {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"},
}


def admissible(tool: Tool) -> str | None:
    """Return why a tool cannot be listed, or `None` if clients of both protocol eras can be shown it."""
    if not _LEGAL_NAME.fullmatch(tool.name):
        return f"its name {tool.name[:80]!r} is not 1 to 128 letters, digits, '_', '-' or '.'"
    try:
        wire = tool.model_dump(by_alias=True, mode="json", exclude_none=True)
        json.dumps(wire, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:  # NaN, a lone surrogate, a value that contains itself
        return f"it cannot be written as JSON: {error}"[:_MOST_REASON]
    for version, frame in _FRAMES.items():
        try:
            validate_server_result("tools/list", version, {"tools": [wire], **frame})
        except ValueError as error:
            return f"{version}: {error}"[:_MOST_REASON]
    return None
