"""Progress for people: a bar that redraws itself on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType
from typing import TextIO

from ivcap_mcp.cli.terminal import lively
from ivcap_mcp.text import clip

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
REDRAW = 0.05


class Bar:
    """Shows how far something is. Without a known total it shows that it moves, and for how long."""

    def __init__(self, label: str, out: TextIO | None = None) -> None:
        self._label, self._out = label, out or sys.stderr
        self._live = lively(self._out)
        self._began, self._drawn, self._turn = time.monotonic(), 0.0, 0
        self._shown = ""

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._out.write("\r\x1b[K")
            self._out.flush()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._out.write(("\r\x1b[K" if self._live else "") + f"{text}\n")
        self._out.flush()

    async def on_progress(self, progress: float, total: float | None, message: str | None) -> None:
        """A progress callback for an MCP client."""
        self.show(progress, total, message or "")

    def show(self, progress: float, total: float | None, message: str) -> None:
        """Draw it; a plain line only where the text is new."""
        seconds = time.monotonic() - self._began
        if not self._live:
            if message != self._shown:
                share = f"{100 * progress / total:3.0f} %" if total else f"{seconds:4.1f} s"
                self._out.write(f"  {share}  {message}\n")
                self._out.flush()
            self._shown = message
            return
        if time.monotonic() - self._drawn < REDRAW:
            return
        self._drawn, self._turn = time.monotonic(), self._turn + 1
        width = shutil.get_terminal_size().columns
        if total:
            done = round(24 * min(progress / total, 1))
            head = f"  {self._label} [{'█' * done}{'·' * (24 - done)}] {100 * progress / total:3.0f} %  "
        else:
            head = f"  {self._label} {SPINNER[self._turn % len(SPINNER)]} {seconds:4.1f} s  "
        # One column stays free: a full line makes some terminals go to the next.
        self._out.write(f"\r\x1b[K{clip(head + ' '.join(message.split()), width - 1)}")
        self._out.flush()
