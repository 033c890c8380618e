"""One directory of JSON records and its rows in the index, kept in step whoever writes and whenever somebody dies."""

from __future__ import annotations

import json
import logging
import os
import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

from .._io.files import read_own, sync_directory, write_temp
from .index import BUSY, Connection, Index
from .table_rows import UNFIT, TableRow

T = TypeVar("T")
Record = dict[str, Any]

log = logging.getLogger(__name__)

FILE = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.json\Z")

TICK = 50_000_000
"""Nanoseconds within which two changes of a directory may carry the same time stamp (kernels count in ticks)."""

WRITING = 1_000_000_000
"""Nanoseconds that a write takes at most when nobody died; before that an intent is nobody else's business."""

ABANDONED = int(2 * BUSY * 1e9)
"""Nanoseconds after which the owner of an intent, who waits at most `BUSY` for its turn, must be dead."""

MOST_NAMES = 10_000
"""Up to this many records, those of a directory that was written a moment ago are counted once more."""

UNSURE = 600_000_000_000
"""Nanoseconds before the newest known record in which a power cut may have taken transactions from the index."""


class Rows(Protocol):
    """What a kind of record puts into the index."""

    def apply(self, connection: Connection, id: str, record: Record) -> None:
        """Replace the rows of one record.

        Raises:
            ValueError, TypeError, KeyError: The record cannot be one; no row was touched.
        """

    def drop(self, connection: Connection, id: str) -> None:
        """Remove the rows of a record whose file is gone."""

    def rows(self, id: str, record: Record) -> list[TableRow]:
        """The rows of one record, for an index that is being made; what it says of another one is left out.

        Called by several threads at once.

        Raises:
            ValueError, TypeError, KeyError: The record cannot be one.
        """

    def loaded(self, connection: Connection) -> None:
        """All rows are there: do what `rows` left out."""


class Mirror:
    """Writes records so that a crash at any moment leaves file and index agreeing, and notices files changed by hand.

    An intent is noted before a file is renamed into place and removed with the transaction that writes its rows;
    whoever finds an intent whose file exists finishes the job.
    """

    def __init__(self, kind: str, directory: Path, temp: Path, index: Callable[[], Index], rows: Rows) -> None:
        self.kind, self.directory, self._temp, self._index, self.rows = kind, directory, temp, index, rows
        self._folder = str(directory)  # as text, since every list looks at it

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
                # Where even this cannot be written, the intent stays, and whoever comes next finishes it.
                with suppress(OSError, sqlite3.Error):
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
        self.rows.apply(connection, id, record)
        before = changed_at(self.directory)
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
            (changed_at(self.directory), time.time_ns(), self.kind, before),
        )

    def look(self, id: str) -> None:
        """Read one record again if its file was changed in place, which its directory's time does not tell."""
        index = self._index()
        if index.read(lambda c: self._changed(c, id)):
            index.refresh(lambda c: self._finish(c, id))

    def recover(self) -> None:
        """Finish what another process left half done when it was killed, if there is such a thing."""
        index = self._index()
        if index.read(self._left):
            index.refresh(self._finish_intents)

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

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run a query over rows that are as the directory is now: `catch_up` and a read in one look at the index."""
        index = self._index()
        found: list[T] = []

        def look(connection: Connection) -> None:
            if not self._stale(connection):
                found.append(work(connection))

        index.read(look)
        if found:
            return found[0]
        index.refresh(self._refresh)
        return index.read(work)

    def catch_up(self) -> None:
        """Look at the directory's time stamp and read what changed by other hands, if anything did."""
        index = self._index()
        if index.read(self._stale):
            index.refresh(self._refresh)

    def settle(self, connection: Connection, *, rebooted: bool) -> None:
        """Finish what a crash left half done, and read what changed since the index was last open."""
        self._finish_intents(connection)
        if rebooted and self.count():
            ((newest,),) = connection.execute("SELECT max(mtime) FROM files WHERE kind = ?", (self.kind,)).fetchall()
            # A power cut can only have taken the last transactions from the index, so older files need no look.
            self.compare(connection, since=(newest or 0) - UNSURE)
        self._refresh(connection)

    def count(self) -> int:
        """How many records there seem to be."""
        try:
            return sum(name.endswith(".json") for name in os.listdir(self.directory))
        except FileNotFoundError:
            return 0

    def _stale(self, connection: Connection) -> bool:
        row = connection.execute("SELECT mtime, noted FROM folders WHERE kind = ?", (self.kind,)).fetchone()
        mtime = changed_at(self._folder)
        return row is None or row[0] != mtime or _doubtful(row[0], row[1])

    def _refresh(self, connection: Connection) -> None:
        row = connection.execute("SELECT mtime, noted FROM folders WHERE kind = ?", (self.kind,)).fetchone()
        if row is not None and row[0] == changed_at(self.directory):
            if not _doubtful(row[0], row[1]):
                return
            # Records are replaced by ourselves; what others add or remove within the tick changes their number.
            ((known,),) = connection.execute(
                "SELECT (SELECT count(*) FROM files WHERE kind = ?1)"
                " + (SELECT count(*) FROM problems WHERE kind = ?1 AND id LIKE '%.json')",
                (self.kind,),
            ).fetchall()
            if known > MOST_NAMES or known == self.count():
                connection.execute("UPDATE folders SET noted = ? WHERE kind = ?", (time.time_ns(), self.kind))
                return
        self.compare(connection)

    def compare(self, connection: Connection, since: int | None = None) -> None:
        """Compare the directory with the index and read what differs. Runs within a transaction.

        Args:
            connection: Where to write.
            since: Of records known to be older than this, in nanoseconds, only the names are compared.
        """
        mtime = changed_at(self.directory)
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
            match = FILE.match(entry.name)
            if match is None:
                if entry.name.endswith(".json"):
                    self.problem(connection, entry.name, self.directory / entry.name, "its name is no UUID")
                continue
            before = known.pop(match[1], None)
            if since is not None and before is not None and before[0] < since:
                continue
            try:
                found = entry.stat()
            except FileNotFoundError:
                continue
            if before != (found.st_mtime_ns, found.st_size):
                self._load(connection, match[1])
        for id in known:
            self.rows.drop(connection, id)
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
            record = json.loads(read_own(path))
            if not isinstance(record, dict):
                raise ValueError("it holds no JSON object")
            self.rows.apply(connection, id, record)
            connection.execute("DELETE FROM problems WHERE kind = ? AND id = ?", (self.kind, id))
        except FileNotFoundError:
            return
        except (ValueError, TypeError, KeyError, OSError, RecursionError, *UNFIT) as problem:
            self.rows.drop(connection, id)
            self.problem(connection, id, path, str(problem) or type(problem).__name__)
        connection.execute(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", (self.kind, id, found.st_mtime_ns, found.st_size)
        )

    def problem(self, connection: Connection, id: str, path: Path, message: str) -> None:
        """Note a file that is skipped, and why."""
        # A name may be bytes that are no text; those are spelled out.
        id, where, told = (one.encode("utf-8", "backslashreplace").decode() for one in (id, str(path), message))
        log.warning("%s is skipped: %s", where, told)
        connection.execute("INSERT OR REPLACE INTO problems VALUES (?, ?, ?, ?)", (self.kind, id, where, told))


def changed_at(directory: Path | str) -> int:
    try:
        return os.stat(directory).st_mtime_ns
    except FileNotFoundError:
        return 0


def _doubtful(mtime: int, noted: int) -> bool:
    """Whether something may have changed in the same tick in which we last looked, and that tick is over."""
    return noted - mtime < TICK and time.time_ns() - mtime > TICK
