"""A file of JSON lines that several processes append to and read on: whole lines, synced together, kept short."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ivcap_mcp.drafts import in_place_of, on_disk

log = logging.getLogger("ivcap_mcp.submissions")

if sys.platform == "win32":
    SHARED = ALONE = IF_FREE = 0

    def _flock(file: int, how: int) -> None:
        """Nothing: a file that others hold open cannot be replaced there, so it is never made shorter either."""

else:
    import fcntl

    SHARED, ALONE, IF_FREE = fcntl.LOCK_SH, fcntl.LOCK_EX, fcntl.LOCK_NB

    def _flock(file: int, how: int) -> None:
        fcntl.flock(file, how)


HEAD = 120
"""Bytes that tell one file from the one that took its place; inode numbers are given anew."""


class JournalFile:
    """Appends lines and reads those not read yet. Safe in threads and among processes. Blocking."""

    def __init__(self, path: Path, compact_at: int = 1_000_000) -> None:
        self.path = path
        self._compact_at = compact_at
        self._writing, self._syncing, self._deciding = threading.Lock(), threading.Lock(), threading.Lock()
        self._written = self._synced = 0
        self._head, self._read_to = b"", 0

    def append(self, line: Mapping[str, Any], *, durable: bool = True) -> None:
        """Write a line; when this returns it is on disk if it is to be durable.

        Raises:
            OSError: It was not written.
        """
        # The line break in front ends a line that a power cut left half-written; blank lines mean nothing.
        data = f"\n{json.dumps(line, ensure_ascii=False)}\n".encode()
        file = self._opened()
        try:
            with self._writing:
                # One write of a short line to a file opened for appending is not torn by other processes.
                if os.write(file, data) != len(data):
                    raise OSError(28, "no space left for a whole line")
                self._written += 1
                mine = self._written
            if durable:
                with self._syncing:
                    # One sync carries the lines of all who wrote before it, so many calls at once need few.
                    if self._synced < mine:
                        carried = self._written
                        os.fsync(file)
                        self._synced = carried
        finally:
            os.close(file)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Whatever is decided in here is decided by one thread of one process at a time."""
        with self._deciding:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
            try:
                _flock(file, ALONE)
                yield
            finally:
                os.close(file)

    def news(self) -> tuple[bool, list[dict[str, Any]]]:
        """Lines appended since the last look, by us or by another server of this user.

        Returns:
            Whether the file is another one than before, so that everything known of it must go; and its lines.
        """
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return False, []
        with file:
            size = os.fstat(file.fileno()).st_size
            head = file.read(HEAD)
            anew = size < self._read_to or not head.startswith(self._head)
            self._head, self._read_to = head, 0 if anew else self._read_to
            if size == self._read_to:
                return anew, []
            file.seek(self._read_to)
            whole, end, _ = file.read().rpartition(b"\n")  # a line that is being written is read the next time
        self._read_to += len(whole) + len(end)
        return anew, list(_values(whole.split(b"\n"), self.path))

    def compact(self, kept: Callable[[list[dict[str, Any]]], Iterable[Mapping[str, Any]]]) -> bool:
        """Write the file anew with what `kept` makes of its lines, if it is long and nobody writes just now.

        It may grow to twice what was kept before it is looked at again, so that a long one is not written all the time.
        """
        if sys.platform == "win32":
            return False
        try:
            if self.path.stat().st_size < self._compact_at:
                return False
            file = os.open(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            try:
                _flock(file, ALONE | IF_FREE)
            except BlockingIOError:
                return False
            if os.fstat(file).st_ino != self.path.stat().st_ino:
                return False
            lines = list(_values(self.path.read_bytes().split(b"\n"), self.path))
            head = {"journal": uuid.uuid4().hex}
            text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in (head, *kept(lines)))
            with in_place_of(self.path) as out:
                out.write(text.encode())
                on_disk(out)
            self._compact_at = max(self._compact_at, 2 * len(text.encode()))
        finally:
            os.close(file)
        return True

    def _opened(self) -> int:
        """The file, under a lock that keeps it from being replaced until it is closed."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        while True:
            try:
                file = os.open(self.path, flags, 0o600)
            except FileNotFoundError:
                self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                file = os.open(self.path, flags, 0o600)
            try:
                _flock(file, SHARED)
                if os.fstat(file).st_ino == os.stat(self.path).st_ino:
                    return file
            except FileNotFoundError:
                log.info("%s was removed while it was opened", self.path)
            except BaseException:
                os.close(file)
                raise
            os.close(file)  # replaced between the opening and the lock


def _values(lines: Iterable[bytes], path: Path) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            value = json.loads(line) if line else None
        except ValueError:
            log.warning("a line of %s is not readable and is skipped", path)
            continue
        if isinstance(value, dict):
            yield value
