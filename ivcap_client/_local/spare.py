"""An index in memory, for reading while the one on disk cannot be opened: the disk is full, or may not be written.

SQLite needs room beside a file even to read it. What this knows is lost with the process, which costs nothing, since
the files are the truth.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from . import building, tables, times
from .building import Connection, transaction

T = TypeVar("T")

log = logging.getLogger(__name__)


class SpareIndex:
    """One connection, used by one thread at a time.

    Args:
        path: The index that cannot be used; what can be read of it spares reading the records again.
        fill, settle: As for `Index`.
    """

    def __init__(self, path: Path, fill: building.Fill, settle: Callable[[Connection], None]) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._connection.create_function("rfc3339", 1, times.rfc3339, deterministic=True)
        if not self._copied(path):
            building.make(self._connection, fill, building.Told(path, shared=False))
        transaction(self._connection, settle)

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work`."""
        with self._lock:
            return work(self._connection)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction."""
        with self._lock:
            return transaction(self._connection, work)

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._connection.close()

    def _copied(self, path: Path) -> bool:
        # What the write-ahead log holds is not seen this way; the directories' times tell that it is missing.
        try:
            source = sqlite3.connect(f"file:{quote(str(path))}?immutable=1", uri=True)
            try:
                if source.execute("PRAGMA user_version").fetchone() != (tables.VERSION,):
                    return False
                source.backup(self._connection)
            finally:
                source.close()
        except sqlite3.DatabaseError as problem:
            log.info("nothing can be read of the index %s: %s", path, problem)
            return False
        return True
