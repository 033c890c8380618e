"""Tells those who follow a job that it changed, so that the event stream pushes at once and asks the disk only then."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Changes:
    """Bells by job, rung on the event loop. A bell says that something changed; what changed is read from the store."""

    def __init__(self) -> None:
        self._bells: dict[str, set[asyncio.Event]] = {}
        self.closing = False

    @contextmanager
    def watch(self, job: str) -> Iterator[asyncio.Event]:
        """A bell for one job (bare UUID); clear it before looking, wait for it after."""
        bell = asyncio.Event()
        self._bells.setdefault(job, set()).add(bell)
        try:
            yield bell
        finally:
            others = self._bells[job]
            others.discard(bell)
            if not others:
                del self._bells[job]

    def ring(self, job: str) -> None:
        """Say that a job changed."""
        for bell in self._bells.get(job, ()):
            bell.set()

    def close(self) -> None:
        """Wake everybody for the last time; they see `closing`."""
        self.closing = True
        for bells in self._bells.values():
            for bell in bells:
                bell.set()
