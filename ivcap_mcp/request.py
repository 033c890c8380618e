"""One tool call as its handler sees it: who asks, until when, and a way to say how far it is."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from mcp.server.context import ServerRequestContext

from ivcap_mcp.progress import Progress, Step


@dataclass(slots=True)
class Request:
    """A call in progress.

    Attributes:
        ctx: The SDK's request context.
        deadline: When the answer must be there, on the monotonic clock.
        progress: What was told so far.
    """

    ctx: ServerRequestContext[Any, Any]
    deadline: float
    progress: Progress = field(default_factory=Progress)
    _sent: float = -1e9

    @property
    def left(self) -> float:
        """Seconds until the deadline; never negative."""
        return max(0.0, self.deadline - time.monotonic())

    @property
    def silent_for(self) -> float:
        """Seconds since the last progress message."""
        return time.monotonic() - self._sent

    async def report(self, step: Step) -> None:
        """Send a progress message, if the client asked for them."""
        self._sent = time.monotonic()
        await self.ctx.session.report_progress(step.progress, step.total, step.message)
