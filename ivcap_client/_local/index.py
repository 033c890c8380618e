"""The SQLite index over the files of a store: a cache that may be deleted at any moment, and is then made again."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from .._io.files import locked

T = TypeVar("T")
Connection = sqlite3.Connection

log = logging.getLogger(__name__)

VERSION = 1
"""Raised when the tables change; an index of another version is made again."""

BUSY = 60.0
"""Seconds to wait for another process that writes; making an index of 100,000 records takes some of that."""

_TABLES = """
CREATE TABLE files(kind TEXT, id TEXT, mtime INTEGER, size INTEGER, PRIMARY KEY(kind, id)) WITHOUT ROWID;
CREATE TABLE folders(kind TEXT PRIMARY KEY, mtime INTEGER, noted INTEGER);
CREATE TABLE intents(kind TEXT, id TEXT, at INTEGER, PRIMARY KEY(kind, id)) WITHOUT ROWID;
CREATE TABLE problems(kind TEXT, id TEXT, path TEXT, message TEXT, PRIMARY KEY(kind, id)) WITHOUT ROWID;
CREATE TABLE boots(id TEXT PRIMARY KEY);
CREATE TABLE aspects(
  id TEXT NOT NULL UNIQUE, entity TEXT NOT NULL, schema TEXT NOT NULL, content TEXT NOT NULL,
  content_type TEXT NOT NULL,
  policy TEXT NOT NULL, account TEXT NOT NULL, asserter TEXT NOT NULL, retracter TEXT, replaces TEXT,
  valid_from INTEGER NOT NULL, valid_to INTEGER, origin TEXT NOT NULL);
CREATE INDEX aspects_replacing ON aspects(replaces) WHERE replaces IS NOT NULL;
CREATE INDEX aspects_by_origin ON aspects(origin) WHERE origin <> '';
CREATE TABLE artifacts(
  id TEXT PRIMARY KEY, name TEXT, status TEXT, size INTEGER, mime_type TEXT, policy TEXT, collection TEXT, path TEXT,
  created_at INTEGER NOT NULL, record TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX artifacts_by_time ON artifacts(created_at, id);
CREATE INDEX artifacts_by_path ON artifacts(path) WHERE path IS NOT NULL;
CREATE TABLE jobs(
  id TEXT PRIMARY KEY, service TEXT NOT NULL, name TEXT, status TEXT NOT NULL, "order" TEXT, key TEXT,
  requested_at INTEGER NOT NULL, started_at INTEGER, finished_at INTEGER, record TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX jobs_by_service ON jobs(service, requested_at, id);
CREATE INDEX jobs_by_time ON jobs(requested_at, id);
CREATE INDEX jobs_unfinished ON jobs(requested_at) WHERE finished_at IS NULL;
CREATE UNIQUE INDEX jobs_by_key ON jobs(key) WHERE key IS NOT NULL;
"""

_SEARCHED = """
CREATE INDEX aspects_by_time ON aspects(valid_from, id, schema, entity);
CREATE INDEX aspects_by_schema ON aspects(schema, valid_from, id);
CREATE INDEX aspects_by_entity ON aspects(entity, schema, valid_from, id);
CREATE INDEX live_by_time ON aspects(valid_from, id, schema, entity) WHERE valid_to IS NULL;
CREATE INDEX live_by_schema ON aspects(schema, valid_from, id) WHERE valid_to IS NULL;
CREATE INDEX live_by_entity ON aspects(entity, valid_from, id, schema) WHERE valid_to IS NULL;
CREATE INDEX live_by_both ON aspects(entity, schema, valid_from, id) WHERE valid_to IS NULL;
"""
"""Created last, because an index over all rows is made faster than it grows row by row."""

# "cannot be read as a database" in the several ways SQLite says it.
_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}


class Index:
    """Connections to one index file, shared by threads, renewed after a fork and when the file is replaced."""

    def __init__(self, path: Path, fill: Callable[[Connection], None], settle: Callable[[Connection], None]) -> None:
        """Open nothing yet.

        Args:
            path: The index file; its directory must exist when the index is first used.
            fill: Reads all records into empty tables; called within a transaction.
            settle: Brings an index made earlier up to date; called within a transaction, once per opening.
        """
        self.path = path
        self._fill, self._settle = fill, settle
        self._lock = threading.RLock()
        self._idle: list[Connection] = []
        weakref.finalize(self, _close, self._idle, os.getpid())
        self._turns: tuple[int, AbstractContextManager[bool]] | None = None
        self._owner = 0
        self._identity: tuple[int, int] | None = None
        self._abandoned: list[list[Connection]] = []

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a connection. A broken index is made again and `work` repeated."""
        try:
            with self._connection() as connection:
                return work(connection)
        except sqlite3.DatabaseError as problem:
            if not _broken(problem):
                raise
            self._remake(problem)
        with self._connection() as connection:
            return work(connection)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` as the only writer of all processes; what it did to the index is kept only if it returns."""
        with self._turn():
            return self.read(lambda connection: transaction(connection, work))

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

    @contextlib.contextmanager
    def _connection(self) -> Iterator[Connection]:
        with self._lock:
            identity = self._current()
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = self._connect()
        healthy = False
        try:
            yield connection
            healthy = True
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
        identity = _identity(self.path)
        if identity is None or identity != self._identity:
            _close(self._idle)
            self._open()
            identity = self._identity = _identity(self.path)
        if identity is None:
            raise FileNotFoundError(f"the index {self.path} vanished while it was being opened")
        return identity

    def _open(self) -> None:
        guard = os.open(self.path.with_name(self.path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            with locked(guard):
                if not self.path.exists():
                    # Journals of a deleted index would be replayed into the new one.
                    self._delete()
                try:
                    connection = self._connect()
                    try:
                        self._prepare(connection)
                    finally:
                        connection.close()
                except sqlite3.DatabaseError as problem:
                    if not _broken(problem):
                        raise
                    log.warning("the index %s cannot be read (%s); making it again", self.path, problem)
                    self._delete()
                    connection = self._connect()
                    try:
                        self._prepare(connection)
                    finally:
                        connection.close()
        finally:
            os.close(guard)

    def _prepare(self, connection: Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == VERSION:
            try:
                transaction(connection, self._settle)
            except sqlite3.OperationalError as problem:
                if not is_full(problem):
                    raise
                log.warning("the index %s cannot take up what changed: %s", self.path, problem)
            return
        if version:
            log.info("the index %s has version %s, this program wants %s; making it again", self.path, version, VERSION)

        def make(connection: Connection) -> None:
            if connection.execute("PRAGMA user_version").fetchone() == (VERSION,):
                return
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            ).fetchall():
                connection.execute(f'DROP TABLE "{name}"')
            _run(connection, _TABLES)
            self._fill(connection)
            _run(connection, _SEARCHED)
            connection.execute(f"PRAGMA user_version = {VERSION}")

        transaction(connection, make)

    def _connect(self) -> Connection:
        connection = sqlite3.connect(
            self.path, timeout=BUSY, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
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
        guard = os.open(self.path.with_name(self.path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            with locked(guard):
                self._delete()
        finally:
            os.close(guard)

    def _delete(self) -> None:
        for end in ("", "-wal", "-shm", "-journal"):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)


def _run(connection: Connection, script: str) -> None:
    for statement in script.split(";"):
        if statement.strip():
            connection.execute(statement)


def _close(connections: list[Connection], owner: int | None = None) -> None:
    if owner is None or owner == os.getpid():
        while connections:
            connections.pop().close()


def transaction(connection: Connection, work: Callable[[Connection], T]) -> T:
    """Run `work` between BEGIN IMMEDIATE and COMMIT; any exception rolls back."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def is_full(problem: sqlite3.DatabaseError) -> bool:
    """Whether the index could not be written because the disk is full."""
    code = getattr(problem, "sqlite_errorcode", None)
    return code is not None and code & 0xFF == sqlite3.SQLITE_FULL


def _broken(problem: sqlite3.DatabaseError) -> bool:
    code = getattr(problem, "sqlite_errorcode", None)
    # A table that is missing although the version was right is a broken index too.
    return (code is not None and code & 0xFF in _BROKEN) or "no such table" in str(problem)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
