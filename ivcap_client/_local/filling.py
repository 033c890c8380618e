"""Reading a whole directory of records into an index that is being made: many at a time, in an order disks like."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .._io.files import NO_LINK
from .building import transaction
from .index import Connection
from .mirror import FILE, Mirror, changed_at
from .table_rows import UNFIT, TableRow, put_rows

BATCH = 2000
"""Records in one transaction: what an interruption costs at most."""

READERS = 4
"""Threads that read files. A disk that has to be waited for serves several at a time; more of them would mostly wait
for each other, since only one at a time can make rows of what it read."""

_READ = os.O_RDONLY | NO_LINK | getattr(os, "O_BINARY", 0)

_Read = tuple[str, int, int, "list[TableRow] | Exception"]
"""A record's UUID, its file's time and size, and what of it goes into the index."""


def fill(mirror: Mirror, connection: Connection, done: Callable[[int], None]) -> None:
    """Read the records that the index does not know yet.

    Args:
        mirror: The directory.
        connection: To an index that nobody else uses yet.
        done: Told how many records are there.
    """
    before = changed_at(mirror.directory)
    rows = connection.execute(
        "SELECT id FROM filled WHERE kind = ?1 UNION ALL SELECT id FROM files WHERE kind = ?1", (mirror.kind,)
    )
    known = {id for (id,) in rows}
    resumed = bool(known)
    wanted, strange = _names(mirror, known)
    batches = [wanted[at : at + BATCH] for at in range(0, len(wanted), BATCH)]
    count = len(known)
    with ThreadPoolExecutor(READERS, thread_name_prefix="index") as pool:

        def begin(batch: list[str]) -> list[Any]:
            share = -(-len(batch) // READERS)
            parts = [batch[at : at + share] for at in range(0, len(batch), share)]
            return [pool.submit(_read, mirror, part) for part in parts]

        ahead = begin(batches[0]) if batches else []
        try:
            for number, batch in enumerate(batches):
                found = [one for part in ahead for one in part.result()]
                ahead = begin(batches[number + 1]) if number + 1 < len(batches) else []
                transaction(connection, lambda c, found=found: _take(mirror, c, found))  # type: ignore[misc]
                count += len(batch)
                done(count)
        except BaseException:
            for part in ahead:
                part.cancel()
            raise

    def end(connection: Connection) -> None:
        connection.execute(
            "INSERT OR REPLACE INTO files SELECT * FROM filled WHERE kind = ? ORDER BY id", (mirror.kind,)
        )
        connection.execute("DELETE FROM filled WHERE kind = ?", (mirror.kind,))
        mirror.rows.loaded(connection)
        for name in strange:
            mirror.problem(connection, name, mirror.directory / name, "its name is no UUID")
        if resumed:
            mirror.compare(connection)  # what was read before the interruption may have changed since
        else:
            connection.execute("INSERT OR REPLACE INTO folders VALUES (?, ?, ?)", (mirror.kind, before, time.time_ns()))

    transaction(connection, end)


def _names(mirror: Mirror, known: set[str]) -> tuple[list[str], list[str]]:
    """UUIDs of the records that are not known yet, in the order in which they lie on the disk; and other names."""
    found, strange = [], []
    try:
        with os.scandir(mirror.directory) as entries:
            for entry in entries:
                match = FILE.match(entry.name)
                if match is None:
                    if entry.name.endswith(".json"):
                        strange.append(entry.name)
                elif match[1] not in known:
                    found.append((entry.inode(), match[1]))
    except FileNotFoundError:
        return [], []
    found.sort()
    return [id for _, id in found], strange


def _read(mirror: Mirror, ids: list[str]) -> list[_Read]:
    found: list[_Read] = []
    base = f"{mirror.directory}{os.sep}"
    for id in ids:
        try:
            handle = os.open(f"{base}{id}.json", _READ)
        except FileNotFoundError:
            continue
        except OSError as problem:
            found.append((id, 0, 0, problem))
            continue
        try:
            status = os.fstat(handle)
            data = os.read(handle, status.st_size + 1)
            while len(data) < status.st_size and (more := os.read(handle, status.st_size)):
                data += more
            # Text, because for bytes the encoding would be guessed first.
            record = json.loads(data.decode() if data[:1] == b"{" else data)
            if not isinstance(record, dict):
                raise ValueError("it holds no JSON object")
            rows = mirror.rows.rows(id, record)
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as problem:
            found.append((id, status.st_mtime_ns, status.st_size, problem))
        else:
            found.append((id, status.st_mtime_ns, status.st_size, rows))
        finally:
            os.close(handle)
    return found


def _take(mirror: Mirror, connection: Connection, found: list[_Read]) -> None:
    rows: list[TableRow] = []
    for id, at, size, told in found:
        # Only appended to: UUIDs come in no order, and among sorted ones each batch would touch, and write, most pages.
        rows.append(("filled", (mirror.kind, id, at, size)))
        if isinstance(told, Exception):
            mirror.problem(connection, id, mirror.path(id), str(told) or type(told).__name__)
        else:
            rows += told
    try:
        put_rows(connection, rows)
    except UNFIT:
        _take_each(mirror, connection, found)


def _take_each(mirror: Mirror, connection: Connection, found: list[_Read]) -> None:
    """Take what can be taken where one record holds a value that no column takes."""
    for id, at, size, told in found:
        put_rows(connection, [("filled", (mirror.kind, id, at, size))])
        if isinstance(told, Exception):
            continue
        connection.execute("SAVEPOINT one")
        try:
            put_rows(connection, told)
        except UNFIT as problem:
            connection.execute("ROLLBACK TO one")
            mirror.problem(connection, id, mirror.path(id), str(problem))
        connection.execute("RELEASE one")
