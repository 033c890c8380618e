"""Whether the server that opened a call still runs: each holds a lock on a file of its own for as long as it lives."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import uuid
from pathlib import Path

FORGOTTEN = 3600.0
"""Seconds after which the file of a server that is gone is removed."""


class Presence:
    """This server's mark, and a look at others'. Blocking, but never for long.

    A lock ends with its process however that ends, also one killed; ids of processes are given anew and tell nothing
    across containers. Where files cannot be locked every server counts as alive, and calls end by their deadline only.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._id, self._file = uuid.uuid4().hex, -1
        self._marking = threading.Lock()

    def marked(self) -> str:
        """This server's id, under a lock from now on.

        Raises:
            OSError: The mark cannot be made.
        """
        with self._marking:
            if self._file < 0:
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                file = os.open(self._folder / self._id, os.O_RDWR | os.O_CREAT, 0o600)
                _lock(file)
                self._file = file
        return self._id

    def alive(self, server: str) -> bool:
        """Whether the server of this id runs."""
        return server == self._id or _held(self._folder / server)

    def sweep(self) -> None:
        """Remove the marks of servers that are long gone."""
        with contextlib.suppress(OSError):
            for mark in self._folder.iterdir():
                if mark.name != self._id and mark.stat().st_mtime < time.time() - FORGOTTEN and not _held(mark):
                    mark.unlink(missing_ok=True)

    def close(self) -> None:
        """Give the mark up: what this server left open counts as cut off."""
        with self._marking:
            file, self._file = self._file, -1
        if file >= 0:
            os.close(file)
            (self._folder / self._id).unlink(missing_ok=True)


if sys.platform == "win32":

    def _lock(file: int) -> None:
        """Nothing: whether a lock is held could not be seen without taking it."""

    def _held(path: Path) -> bool:
        return path.exists()

else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)

    def _held(path: Path) -> bool:
        try:
            file = os.open(path, os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return True  # a file system without locks: nothing is known, so nothing is taken over
        finally:
            os.close(file)
        return False
