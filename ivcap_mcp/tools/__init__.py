"""The built-in tools, one file a subject."""

from __future__ import annotations

from ivcap_mcp.tools import artifacts, aspects, explain, job_list, jobs, lineage, reading, services, uploading
from ivcap_mcp.tools.builtin import Builtin

BUILTINS: tuple[Builtin, ...] = (
    *services.TOOLS,
    *jobs.TOOLS,
    *job_list.TOOLS,
    *explain.TOOLS,
    *artifacts.TOOLS,
    *reading.TOOLS,
    *uploading.TOOLS,
    *aspects.TOOLS,
    *lineage.TOOLS,
)

__all__ = ["BUILTINS", "Builtin"]
