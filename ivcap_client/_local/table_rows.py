"""Rows on their way into the index, many in one statement."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from itertools import chain
from typing import Any

TableRow = tuple[str, tuple[Any, ...]]
"""A table's name, and a whole row for it."""

UNFIT = (sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError, OverflowError, UnicodeEncodeError)
"""What SQLite says of a value that no column takes, in a record that somebody wrote by hand: half a character too."""

MOST_AT_ONCE = 200
"""Rows in one statement. While it runs other threads do, which a statement for each row would make it wait for."""


def put_rows(connection: sqlite3.Connection, rows: Iterable[TableRow]) -> None:
    """Write rows, replacing those with the same key."""
    tables: dict[str, list[tuple[Any, ...]]] = {}
    for table, row in rows:
        tables.setdefault(table, []).append(row)
    for table, found in tables.items():
        marks = f"({', '.join('?' * len(found[0]))})"
        for at in range(0, len(found), MOST_AT_ONCE):
            some = found[at : at + MOST_AT_ONCE]
            connection.execute(
                f"INSERT OR REPLACE INTO {table} VALUES {', '.join([marks] * len(some))}",  # noqa: S608
                list(chain.from_iterable(some)),
            )
