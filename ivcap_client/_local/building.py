"""Making an index anew from the files: by one process at a time, told how far it is, and going on after a break."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from ivcap_client._io.files import NO_LINK, try_lock

from . import tables

T = TypeVar("T")
Connection = sqlite3.Connection
Progress = Callable[[int, int], None]
"""Told how many records are in the index by now, and of how many."""

Fill = Callable[[Connection, Progress], None]

log = logging.getLogger(__name__)

QUIET = 1.0
"""Seconds before anything is said: a small index is made in less."""

MEMORY = 64 * 1024 * 1024
"""Bytes of pages kept while an index is made: UUIDs come in no order, so each page is needed many times."""

AGAIN = 3.0
"""Seconds between two lines about progress."""


@contextlib.contextmanager
def only_one(index: Path) -> Iterator[None]:
    """Be the only process that opens or makes an index; who has to wait for another one says for what."""
    handle = os.open(index.with_name(index.name + ".lock"), os.O_RDWR | os.O_CREAT | NO_LINK, 0o600)
    try:
        next_line = time.monotonic() + QUIET
        while not try_lock(handle):
            if time.monotonic() > next_line:
                next_line += AGAIN
                os.lseek(handle, 0, os.SEEK_SET)
                told = os.read(handle, 200).decode("ascii", "replace").strip()
                log.warning("waiting for another process to make the index %s%s", index, told and f" ({told})")
            time.sleep(0.01)
        yield
    finally:
        os.close(handle)


def build(connection: Connection, index: Path, fill: Fill) -> None:
    """Make the tables and fill them. What was filled before an interruption is kept, and gone on with.

    Args:
        connection: To an index of another version, of none, or one that was not finished.
        index: Its file; the lock beside it tells others how far this is.
        fill: Reads the records that are not there yet.
    """
    told = Told(index)
    # Not synced until it is whole. After a power cut the machine has started anew, and so does this.
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute(f"PRAGMA cache_size = -{MEMORY // 1024}")
    try:
        make(connection, fill, told)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute(f"PRAGMA user_version = {tables.VERSION}")
    finally:
        told.done()


def make(connection: Connection, fill: Fill, progress: Progress) -> None:
    """Make the tables, fill them, and add what is made faster over all rows than row by row."""
    if not _begun(connection):
        transaction(connection, _begin)
    fill(connection, progress)
    transaction(connection, lambda c: _run(c, tables.SEARCHED))


def boot() -> str:
    """What tells one run of this machine from the next."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        # Elsewhere the moment of the boot is not cheaply known, and file times are fine enough.
        return "unknown"


def _begun(connection: Connection) -> bool:
    try:
        found = connection.execute("SELECT version, boot FROM begun").fetchone()
    except sqlite3.OperationalError:
        return False  # no such table: never begun, or by an older program
    return bool(found == (tables.VERSION, boot()))


def _begin(connection: Connection) -> None:
    for (name,) in connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall():
        connection.execute(f'DROP TABLE "{name}"')
    connection.execute("PRAGMA user_version = 0")
    _run(connection, tables.TABLES)
    connection.execute("INSERT INTO begun VALUES (?, ?)", (tables.VERSION, boot()))


def _run(connection: Connection, script: str) -> None:
    for statement in script.split(";"):
        if statement.strip():
            connection.execute(statement)


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


class Told:
    """Says in the log and in the lock file how far the making is, once it takes a while."""

    def __init__(self, index: Path, *, shared: bool = True) -> None:
        self._index, self._lock = index, index.with_name(index.name + ".lock") if shared else None
        self._next = time.monotonic() + QUIET

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + AGAIN
        told = f"{done} of {total} records, {100 * done // max(1, total)} %"
        log.warning("making the index %s: %s; it can be interrupted and goes on from there", self._index, told)
        self._write(f"pid {os.getpid()}: {told}")

    def done(self) -> None:
        self._write("")

    def _write(self, text: str) -> None:
        if self._lock is None:
            return
        with contextlib.suppress(OSError):  # a full disk; it is only for those who wait
            handle = os.open(self._lock, os.O_WRONLY | os.O_TRUNC | NO_LINK)
            try:
                os.write(handle, text.encode("ascii", "replace"))
            finally:
                os.close(handle)
