"""The built-in tools, one file a subject."""

from __future__ import annotations

from ivcap_mcp.tools import artifacts, aspects, job_list, jobs, services
from ivcap_mcp.tools.builtin import Builtin

BUILTINS: tuple[Builtin, ...] = (*services.TOOLS, *jobs.TOOLS, *job_list.TOOLS, *artifacts.TOOLS, *aspects.TOOLS)

__all__ = ["BUILTINS", "Builtin"]
