"""One tool call as its handler sees it: who asks, until when, and a way to say how far it is."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio
from mcp.server.context import ServerRequestContext

from ivcap_client import Event
from ivcap_mcp.progress import Progress, Step, Telling

T = TypeVar("T")

LAST_WORDS = 1.0
"""Seconds for which an answer waits for the last progress message to be sent before it."""


@dataclass(slots=True)
class Request:
    """A call in progress.

    Attributes:
        ctx: The SDK's request context.
        deadline: When the answer must be there, on the monotonic clock.
        telling: What is told, and when.
        doing: What is being done, for signs of life.
    """

    ctx: ServerRequestContext[Any, Any]
    deadline: float
    telling: Telling = field(default_factory=lambda: Telling(time.monotonic()))
    doing: str = "still running"
    _bell: anyio.Event = field(default_factory=anyio.Event)

    @property
    def left(self) -> float:
        """Seconds until the deadline; never negative."""
        return max(0.0, self.deadline - time.monotonic())

    @property
    def progress(self) -> Progress:
        """What was told so far."""
        return self.telling.progress

    def hear(self, event: Event) -> None:
        """Tell what a job told, as soon as that is not too often."""
        self.telling.hear(event)
        self._bell.set()

    def say(self, text: str) -> None:
        """Tell the client something, as soon as that is not too often."""
        self.telling.say(text)
        self._bell.set()

    async def told(self, work: Awaitable[T]) -> T:
        """Do the work of the call and tell its progress meanwhile.

        One task sends all messages, so that they leave in the order of their values, and none after the answer.
        """
        if not self._listened_to:
            return await work
        failure: Exception | None = None
        result: list[T] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._speak)
            try:
                result.append(await work)
            except Exception as error:
                failure = error  # raised below: a task group would wrap it
            tasks.cancel_scope.cancel()
        with anyio.move_on_after(min(LAST_WORDS, self.left)):
            while (due := self.telling.due(time.monotonic(), last=True)) < math.inf:
                await anyio.sleep(due)
                await self._send(self.telling.take(time.monotonic(), self.doing, last=True))
        self.telling.end()
        if failure is not None:
            raise failure
        return result[0]

    @property
    def _listened_to(self) -> bool:
        """Whether the client may have asked for progress: if not, no task is needed that would tell it.

        Over HTTP it asks by a token; a client in this process can listen without one.
        """
        return self.ctx.request is None or "progress_token" in (self.ctx.meta or {})

    async def _speak(self) -> None:
        while True:
            self._bell = anyio.Event()
            await self._send(self.telling.take(time.monotonic(), self.doing))
            with anyio.move_on_after(self.telling.due(time.monotonic())):
                await self._bell.wait()
                # More may have come than may be sent: wait for the turn of the newest.
                await anyio.sleep(self.telling.due(time.monotonic()))

    async def _send(self, step: Step | None) -> None:
        if step is not None:
            # Who has gone needs no progress; that the call is over is told in another way.
            with contextlib.suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
                await self.ctx.session.report_progress(step.progress, step.total, step.message)
