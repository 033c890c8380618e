"""The SQLite index over the files of a store: a cache that may be deleted at any moment, and is then made again."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from . import building, tables, times
from .building import Connection, transaction
from .spare import SpareIndex

__all__ = ["BUSY", "Connection", "Index", "transaction", "unwritable"]

T = TypeVar("T")

log = logging.getLogger(__name__)

BUSY = 60.0
"""Seconds to wait for another process that writes; making an index of 100,000 records takes some of that."""

RETRY = 5.0
"""Seconds for which an index that cannot be opened is not tried again."""

# "cannot be read as a database" in the several ways SQLite says it.
_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
_UNWRITABLE = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}


class Index:
    """Connections to one index file, shared by threads, renewed after a fork and when the file is replaced."""

    def __init__(self, path: Path, fill: building.Fill, settle: Callable[[Connection], None]) -> None:
        """Open nothing yet.

        Args:
            path: The index file; its directory must exist when the index is first used.
            fill: Reads all records into empty tables, or those that an interrupted one did not; called outside of any
                transaction, and told after how many records to show progress.
            settle: Brings an index made earlier up to date; called within a transaction, once per opening.
        """
        self.path = path
        self._file = str(path)
        self._fill, self._settle = fill, settle
        self._lock = threading.RLock()
        self._idle: list[Connection] = []
        weakref.finalize(self, _close, self._idle, os.getpid())
        self._turns: tuple[int, AbstractContextManager[bool]] | None = None
        self._owner = 0
        self._identity: tuple[int, int] | None = None
        self._abandoned: list[list[Connection]] = []
        self._spare: SpareIndex | None = None
        self._retry = 0.0

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work`, which only reads, on a connection. A broken index is made again and `work` repeated.

        Where the index cannot be opened for want of room or rights, one in memory takes its place for a while.
        """
        if self._spare is None or time.monotonic() >= self._retry:
            try:
                return self._attempt(work)
            except (OSError, sqlite3.Error) as problem:
                if not unwritable(problem):
                    raise
                self._open_spare(problem)
        assert self._spare is not None
        return self._spare.read(work)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` as the only writer of all processes; what it did to the index is kept only if it returns."""
        with self._turn():
            return self._attempt(lambda connection: transaction(connection, work))

    def refresh(self, work: Callable[[Connection], None]) -> None:
        """`write` for what only brings the index up to date: where there is no room for that, reading goes on."""
        if self._spare is not None and time.monotonic() < self._retry:
            self._spare.write(work)
            return
        try:
            self.write(work)
        except (OSError, sqlite3.Error) as problem:
            if not unwritable(problem):
                raise
            self._open_spare(problem)
            assert self._spare is not None
            self._spare.write(work)

    def _attempt(self, work: Callable[[Connection], T]) -> T:
        try:
            return self._on_connection(work)
        except sqlite3.DatabaseError as problem:
            if not _broken(problem):
                raise
            self._remake(problem)
        return self._on_connection(work)

    def _open_spare(self, problem: Exception) -> None:
        with self._lock:
            if self._spare is None:
                log.warning("the index %s cannot be used now (%s); the files are read without it", self.path, problem)
                self._spare = SpareIndex(self.path, self._fill, self._settle)
            self._retry = time.monotonic() + RETRY

    def _turn(self) -> AbstractContextManager[bool]:
        """Writers of one process take turns here: SQLite would let them sleep, up to 100 ms at a time, and poll."""
        pid = os.getpid()
        if self._turns is None or self._turns[0] != pid:  # in a forked child the parent's may be held for ever
            self._turns = pid, threading.RLock()
        return self._turns[1]

    def close(self) -> None:
        """Close every connection that is not in use."""
        with self._lock:
            self._identity = None
            if self._owner == os.getpid():
                _close(self._idle)
            if self._spare is not None:
                self._spare.close()
                self._spare = None

    def _on_connection(self, work: Callable[[Connection], T]) -> T:
        with self._lock:
            identity = self._current()
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = self._connect()
        healthy = False
        try:
            done = work(connection)
            healthy = True
            return done
        except sqlite3.DatabaseError as problem:
            healthy = not _broken(problem)
            raise
        except BaseException:
            healthy = True
            raise
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            with self._lock:
                keep = healthy and self._owner == os.getpid() and identity == self._identity
                if keep:
                    self._idle.append(connection)
            if not keep:
                connection.close()

    def _current(self) -> tuple[int, int]:
        """Make sure that the file we are connected to is the one in the directory."""
        if self._owner != os.getpid():
            # Closing a parent's connection in a child would release the parent's locks, so they are only put aside.
            self._abandoned.append(self._idle[:])
            self._idle.clear()
            self._identity, self._owner = None, os.getpid()
        identity = _identity(self._file)
        if identity is None or identity != self._identity:
            _close(self._idle)
            self._open()
            identity = self._identity = _identity(self._file)
        if identity is None:
            raise FileNotFoundError(f"the index {self.path} vanished while it was being opened")
        return identity

    def _open(self) -> None:
        with building.only_one(self.path):
            if not self.path.exists():
                # Journals of a deleted index would be replayed into the new one.
                self._delete()
            try:
                self._prepare()
            except sqlite3.DatabaseError as problem:
                if not _broken(problem):
                    raise
                log.warning("the index %s cannot be read (%s); making it again", self.path, problem)
                self._delete()
                self._prepare()

    def _prepare(self) -> None:
        connection = self._connect()
        try:
            if connection.execute("PRAGMA user_version").fetchone() != (tables.VERSION,):
                building.build(connection, self.path, self._fill)
                return
            try:
                transaction(connection, self._settle)
            except sqlite3.OperationalError as problem:
                if not unwritable(problem):
                    raise
                log.warning("the index %s cannot be brought up to date (%s); it is read as it is", self.path, problem)
        finally:
            connection.close()

    def _connect(self) -> Connection:
        connection = sqlite3.connect(
            self.path, timeout=BUSY, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            connection.create_function("rfc3339", 1, times.rfc3339, deterministic=True)
            connection.execute("PRAGMA journal_mode = WAL")
            # The files are the truth; after a power cut the index is compared with them, so it need not be synced.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA temp_store = MEMORY")
        except BaseException:
            connection.close()
            raise
        return connection

    def _remake(self, problem: sqlite3.DatabaseError) -> None:
        log.warning("the index %s cannot be read (%s); making it again", self.path, problem)
        self.close()
        with building.only_one(self.path):
            self._delete()

    def _delete(self) -> None:
        for end in ("", "-wal", "-shm", "-journal"):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)


def _close(connections: list[Connection], owner: int | None = None) -> None:
    if owner is None or owner == os.getpid():
        while connections:
            connections.pop().close()


def unwritable(problem: Exception) -> bool:
    """Whether the index could be read, but not written: a full disk, a directory that may only be read."""
    if isinstance(problem, OSError):
        return problem.errno in _NO_ROOM
    code = getattr(problem, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _UNWRITABLE


def _broken(problem: sqlite3.DatabaseError) -> bool:
    code = getattr(problem, "sqlite_errorcode", None)
    # A table that is missing although the version was right is a broken index too.
    return (code is not None and code & 0xFF in _BROKEN) or "no such table" in str(problem)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
