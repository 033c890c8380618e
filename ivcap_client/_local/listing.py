"""A page of rows: what to sort by, from where, how many. One way for every list that comes from the index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .cursors import Key
from .index import Connection

MOST = 50


class BadOrder(ValueError):
    """`order-by` names something that cannot be sorted by; `name` is what was given."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"{name!r} cannot be sorted by; there are {', '.join(sorted(known))}")
        self.name = name


@dataclass(frozen=True, slots=True)
class Order:
    """Sort keys, as SQL expressions that are never NULL and end with one that is unique; all in one direction."""

    keys: tuple[str, ...]
    descending: bool


@dataclass(frozen=True, slots=True)
class Where:
    """Conditions that all must hold, as SQL, with their parameters in order."""

    parts: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()

    def plus(self, part: str, *values: Any) -> Where:
        return Where((*self.parts, part), (*self.values, *values))


def rows(
    connection: Connection,
    sources: Sequence[tuple[str, Where]],
    columns: Sequence[str],
    order: Order,
    after: tuple[Key, ...] = (),
    *,
    most: int | None,
) -> Iterator[tuple[tuple[Any, ...], tuple[Key, ...]]]:
    """Yield rows in order, each with its sort keys, starting after a given place.

    Several sources are merged by SQLite as sorted streams, so that a page costs what it shows and not what there is.

    Args:
        connection: Where to ask.
        sources: Tables with the same columns, each with its conditions; no row is in two of them.
        columns: What is wanted of each row.
        order: Sort keys.
        after: Keys of the last row already seen; empty: from the start.
        most: At most so many rows; `None`: until the caller stops.
    """
    if not sources:
        return
    text, values = statement(sources, columns, order, after, most=most)
    width = len(columns)
    for row in connection.execute(text, values):
        yield row[:width], row[width:]


def statement(
    sources: Sequence[tuple[str, Where]],
    columns: Sequence[str],
    order: Order,
    after: tuple[Key, ...] = (),
    *,
    most: int | None,
) -> tuple[str, tuple[Any, ...]]:
    """The SQL of `rows` and its parameters."""
    names = [f"k{number}" for number in range(len(order.keys))]
    keys = ", ".join(f"{key} AS {name}" for key, name in zip(order.keys, names, strict=True))
    selects: list[str] = []
    values: list[Any] = []
    for table, where in sources:
        if after:
            sign = "<" if order.descending else ">"
            place = f"({', '.join(order.keys)}) {sign} ({', '.join('?' * len(after))})"
            where = where.plus(place, *after)
        condition = " AND ".join(f"({part})" for part in where.parts) or "1"
        selects.append(f"SELECT {', '.join(columns)}, {keys} FROM {table} WHERE {condition}")  # noqa: S608
        values += where.values
    direction = " DESC" if order.descending else ""
    text = " UNION ALL ".join(selects) + " ORDER BY " + ", ".join(name + direction for name in names)
    if most is not None:
        text += f" LIMIT {int(most)}"
    return text, tuple(values)


def order_of(
    text: str | None,
    columns: Mapping[str, str],
    default: str,
    unique: str,
    *,
    descending: bool,
    other: Callable[[str], str | None],
) -> Order:
    """Read an `order-by` list.

    Args:
        text: Comma list of names, `-` and `_` alike; `None` or empty: the default.
        columns: SQL expression of each known name, written with `_`.
        default: Name to sort by when none is given or known.
        unique: SQL expression that is different in every row.
        descending: Direction of all keys.
        other: Makes an expression of a name that is not known, or `None`.

    Raises:
        BadOrder: A name is not known to either: an order that is not kept would be taken for one that is.
    """
    keys: list[str] = []
    for name in (text or "").split(","):
        if not name.strip():
            continue
        plain = name.strip().replace("-", "_")
        key = columns.get(plain) or other(name.strip())
        if not key:
            raise BadOrder(name.strip()[:100], (known.replace("_", "-") for known in columns))
        if key not in keys:
            keys.append(key)
    return Order((*(keys or [columns[default]]), unique), descending)
