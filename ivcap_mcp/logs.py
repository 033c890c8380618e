"""Logs on stderr, for people or for machines: these find caller, tool, job and trace in fields of their own."""

from __future__ import annotations

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
NOISY = ("httpx", "httpcore", "httpx2", "httpcore2", "uvicorn", "mcp", "asyncio", "urllib3")
"""Libraries that tell too much below warning: their lines name URLs and headers."""
TOOL: ContextVar[str | None] = ContextVar("ivcap_mcp_tool", default=None)
"""The tool being called; what it starts in the background inherits it."""
CALLER: ContextVar[str | None] = ContextVar("ivcap_mcp_caller_mark", default=None)
"""The hash of whose request it is."""
_JOB = re.compile(r"urn:ivcap:job:[0-9a-f-]{36}")


def configure(level: str, form: str, *, told: str = "") -> None:
    """Send logs to stderr.

    Args:
        level: The least that is shown.
        form: `text` for people, `json` for machines, one object a line.
        told: A logger whose warnings the command tells itself; who asks for more than warnings sees them all the same.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Structured() if form == "json" else logging.Formatter(TEXT))
    if told and level == "warning":
        handler.addFilter(lambda record: record.name != told or record.levelno > logging.WARNING)
    logging.basicConfig(handlers=[handler], level=getattr(logging, level.upper()))
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)


class Structured(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON; fields that are not known are left out."""
        from opentelemetry import trace  # commands that serve nothing need not wait for it

        message = record.getMessage()
        job = getattr(record, "job", None) or ((found := _JOB.search(message)) and found[0])
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message,
            "caller": CALLER.get(),
            "tool": TOOL.get(),
            "job": job,
            "outcome": getattr(record, "outcome", None),
            "seconds": getattr(record, "seconds", None),
        }
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            told |= {"trace_id": format(span.trace_id, "032x"), "span_id": format(span.span_id, "016x")}
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps({name: value for name, value in told.items() if value is not None}, ensure_ascii=False)
