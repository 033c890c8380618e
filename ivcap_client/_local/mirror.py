"""One directory of JSON records and its rows in the index, kept in step whoever writes and whenever somebody dies."""

from __future__ import annotations

import json
import logging
import os
import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from .._io.files import sync_directory, write_temp
from .index import BUSY, Connection, Index, is_full

T = TypeVar("T")
Record = dict[str, Any]

log = logging.getLogger(__name__)

_FILE = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.json\Z")

TICK = 50_000_000
"""Nanoseconds within which two changes of a directory may carry the same time stamp (kernels count in ticks)."""

WRITING = 1_000_000_000
"""Nanoseconds that a write takes at most when nobody died; before that an intent is nobody else's business."""

ABANDONED = int(2 * BUSY * 1e9)
"""Nanoseconds after which the owner of an intent, who waits at most `BUSY` for its turn, must be dead."""

MOST_NAMES = 10_000
"""Up to this many records, a directory that was written a moment ago is compared by names once more."""


class Rows(Protocol):
    """What a kind of record puts into the index."""

    def apply(self, connection: Connection, id: str, record: Record) -> None:
        """Replace the rows of one record.

        Raises:
            ValueError, TypeError, KeyError: The record cannot be one; no row was touched.
        """

    def drop(self, connection: Connection, id: str) -> None:
        """Remove the rows of a record whose file is gone."""


class Mirror:
    """Writes records so that a crash at any moment leaves file and index agreeing, and notices files changed by hand.

    An intent is noted before a file is renamed into place and removed with the transaction that writes its rows;
    whoever finds an intent whose file exists finishes the job.
    """

    def __init__(self, kind: str, directory: Path, temp: Path, index: Callable[[], Index], rows: Rows) -> None:
        self.kind, self.directory, self._temp, self._index, self._rows = kind, directory, temp, index, rows

    def path(self, id: str) -> Path:
        """Return where the record lives."""
        return self.directory / f"{id}.json"

    def put(
        self,
        id: str,
        record: Record,
        *,
        guard: Callable[[Connection], T] | None = None,
        also: Callable[[Connection], None] | None = None,
        durable: bool = True,
    ) -> T | None:
        """Write a record: file first, rows in the same step as its rename.

        Args:
            id: UUID of the record.
            record: What it says.
            guard: Runs as the only writer before anything is visible; raises to refuse.
            also: Runs right after the rename, in the same transaction.
            durable: Sync the directory before returning.

        Returns:
            What `guard` returned.
        """
        data = json.dumps(record, indent=1, allow_nan=False).encode()
        temp = write_temp(self._temp, data)
        index = self._index()
        try:
            index.write(lambda c: self._intend(c, id))
            try:
                outcome = index.write(lambda c: self._commit(c, id, record, temp, guard, also))
            except BaseException:
                index.write(lambda c: self._finish(c, id))
                raise
        finally:
            temp.unlink(missing_ok=True)
        if durable:
            sync_directory(self.directory)
        return outcome

    def _commit(
        self,
        connection: Connection,
        id: str,
        record: Record,
        temp: Path,
        guard: Callable[[Connection], T] | None,
        also: Callable[[Connection], None] | None,
    ) -> T | None:
        outcome = guard(connection) if guard else None
        self._rows.apply(connection, id, record)
        before = _mtime(self.directory)
        final = self.path(id)
        if temp.exists():  # else this is the repetition after a broken index, and the file is in place
            os.replace(temp, final)
        if also:
            also(connection)
        self._note(connection, id, final, before)
        connection.execute("DELETE FROM intents WHERE kind = ? AND id = ?", (self.kind, id))
        return outcome

    def _intend(self, connection: Connection, id: str) -> None:
        self._finish_intents(connection)
        connection.execute("INSERT OR REPLACE INTO intents VALUES (?, ?, ?)", (self.kind, id, time.time_ns()))

    def _note(self, connection: Connection, id: str, path: Path, before: int) -> None:
        """Remember the file, and the directory's new time stamp if nobody else changed it since we last looked."""
        found = path.stat()
        connection.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", (self.kind, id, found.st_mtime_ns, found.st_size)
        )
        connection.execute(
            "UPDATE folders SET mtime = ?, noted = ? WHERE kind = ? AND mtime = ?",
            (_mtime(self.directory), time.time_ns(), self.kind, before),
        )

    def recover(self) -> None:
        """Finish what another process left half done when it was killed, if there is such a thing."""
        index = self._index()
        if index.read(self._left):
            self._when_there_is_room(self._finish_intents)

    def _left(self, connection: Connection) -> bool:
        found = connection.execute(
            "SELECT 1 FROM intents WHERE kind = ? AND at < ? LIMIT 1", (self.kind, time.time_ns() - WRITING)
        )
        return found.fetchone() is not None

    def _finish_intents(self, connection: Connection) -> None:
        rows = connection.execute("SELECT id, at FROM intents WHERE kind = ?", (self.kind,)).fetchall()
        for id, at in rows:
            # A living owner renames and commits in one transaction, so a changed file seen here has lost its owner.
            if self._changed(connection, id) or at < time.time_ns() - ABANDONED:
                self._finish(connection, id)

    def _finish(self, connection: Connection, id: str) -> None:
        if self._changed(connection, id):
            self._load(connection, id)
        connection.execute("DELETE FROM intents WHERE kind = ? AND id = ?", (self.kind, id))

    def _changed(self, connection: Connection, id: str) -> bool:
        try:
            found = self.path(id).stat()
        except FileNotFoundError:
            return False
        known = connection.execute(
            "SELECT mtime, size FROM files WHERE kind = ? AND id = ?", (self.kind, id)
        ).fetchone()
        return bool(known != (found.st_mtime_ns, found.st_size))

    def catch_up(self) -> None:
        """Look at the directory's time stamp and read what changed by other hands, if anything did."""
        index = self._index()
        if index.read(self._stale):
            self._when_there_is_room(self._refresh)

    def _when_there_is_room(self, work: Callable[[Connection], None]) -> None:
        """Bring the index up to date; on a full disk what it knows has to do, so that reading goes on."""
        try:
            self._index().write(work)
        except sqlite3.OperationalError as problem:
            if not is_full(problem):
                raise
            log.warning("%s: the index cannot take up what changed: %s", self.directory, problem)

    def settle(self, connection: Connection, *, everything: bool) -> None:
        """Finish what a crash left half done, and read what changed since the index was last open."""
        self._finish_intents(connection)
        if everything:
            self.compare(connection)
        else:
            self._refresh(connection)

    def _stale(self, connection: Connection) -> bool:
        row = connection.execute("SELECT mtime, noted FROM folders WHERE kind = ?", (self.kind,)).fetchone()
        mtime = _mtime(self.directory)
        return row is None or row[0] != mtime or _doubtful(row[0], row[1])

    def _refresh(self, connection: Connection) -> None:
        row = connection.execute("SELECT mtime, noted FROM folders WHERE kind = ?", (self.kind,)).fetchone()
        if row is not None and row[0] == _mtime(self.directory):
            if not _doubtful(row[0], row[1]):
                return
            ((count,),) = connection.execute("SELECT count(*) FROM files WHERE kind = ?", (self.kind,)).fetchall()
            if count > MOST_NAMES:
                connection.execute("UPDATE folders SET noted = ? WHERE kind = ?", (time.time_ns(), self.kind))
                return
        self.compare(connection)

    def compare(self, connection: Connection) -> None:
        """Compare the whole directory with the index and read what differs. Runs within a transaction."""
        mtime = _mtime(self.directory)
        known = {
            id: (mtime, size)
            for id, mtime, size in connection.execute("SELECT id, mtime, size FROM files WHERE kind = ?", (self.kind,))
        }
        connection.execute("DELETE FROM problems WHERE kind = ? AND id LIKE '%.json'", (self.kind,))
        try:
            entries = list(os.scandir(self.directory))
        except FileNotFoundError:
            entries = []
        for entry in entries:
            match = _FILE.match(entry.name)
            if match is None:
                if entry.name.endswith(".json"):
                    self._problem(connection, entry.name, self.directory / entry.name, "its name is no UUID")
                continue
            try:
                found = entry.stat()
            except FileNotFoundError:
                continue
            if known.pop(match[1], None) != (found.st_mtime_ns, found.st_size):
                self._load(connection, match[1])
        for id in known:
            self._rows.drop(connection, id)
            connection.execute("DELETE FROM files WHERE kind = ? AND id = ?", (self.kind, id))
            connection.execute("DELETE FROM problems WHERE kind = ? AND id = ?", (self.kind, id))
        connection.execute(
            "INSERT OR REPLACE INTO folders VALUES (?, ?, ?)",
            (self.kind, mtime, time.time_ns()),
        )
        connection.execute("DELETE FROM intents WHERE kind = ? AND at < ?", (self.kind, time.time_ns() - 3600 * 10**9))

    def _load(self, connection: Connection, id: str) -> None:
        path = self.path(id)
        try:
            found = path.stat()
            record = json.loads(path.read_bytes())
            if not isinstance(record, dict):
                raise ValueError("it holds no JSON object")
            self._rows.apply(connection, id, record)
            connection.execute("DELETE FROM problems WHERE kind = ? AND id = ?", (self.kind, id))
        except FileNotFoundError:
            return
        except (ValueError, TypeError, KeyError, OSError, RecursionError) as problem:
            self._rows.drop(connection, id)
            self._problem(connection, id, path, str(problem) or type(problem).__name__)
        connection.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", (self.kind, id, found.st_mtime_ns, found.st_size)
        )

    def _problem(self, connection: Connection, id: str, path: Path, message: str) -> None:
        log.warning("%s is skipped: %s", path, message)
        connection.execute("INSERT OR REPLACE INTO problems VALUES (?, ?, ?, ?)", (self.kind, id, str(path), message))


def _mtime(directory: Path) -> int:
    try:
        return directory.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _doubtful(mtime: int, noted: int) -> bool:
    """Whether something may have changed in the same tick in which we last looked, and that tick is over."""
    return noted - mtime < TICK and time.time_ns() - mtime > TICK
