"""Finding aspects: the parameters of a list request as SQL, and the JSONPath that SQL cannot do."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..later import later
from .cursors import Key
from .index import Connection
from .listing import Where, order_of, rows, statement

if TYPE_CHECKING:
    from . import filters, jsonpath
else:
    filters = later("ivcap_client._local.filters")
    jsonpath = later("ivcap_client._local.jsonpath")

FIELDS = {
    "id": "id",
    "entity": "entity",
    "schema": "schema",
    "content-type": "content_type",
    "policy": "policy",
    "account": "account",
    "asserter": "asserter",
    "created-by": "asserter",
    "retracted-by": "coalesce(retracter, '')",
    "replaces": "coalesce(replaces, '')",
}
"""Fields that a filter may name."""

# Of a large content only the start takes part in sorting: a cursor must carry it.
_ORDER = {
    "id": "id",
    "entity": "entity",
    "schema": "schema",
    "content": "substr(content, 1, 200)",
    "policy": "policy",
    "account": "account",
    "created_by": "asserter",
    "content_type": "content_type",
    "asserter": "asserter",
    "retracted_by": "coalesce(retracter, '')",
    "replaces": "coalesce(replaces, '')",
    "valid_from": "valid_from",
    "valid_to": "coalesce(valid_to, 9223372036854775807)",
}
_ITEM = "head || CASE WHEN valid_to IS NULL THEN '' ELSE ', \"valid-to\": \"' || rfc3339(valid_to) || '\"' END"
"""An item of a list without its content, still open; `rfc3339` is a function of the index's connections."""

MOST_MERGED = 12
"""Of up to this many schemas that fit a pattern the aspects are merged in order; of more, all aspects are walked."""

_CONTENT_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}\Z")


@dataclass(frozen=True, slots=True)
class AspectQuery:
    """What to find.

    Attributes:
        entity: Exact.
        schema: Exact, or with `%` for any text.
        path: JSONPath that must match something in the content.
        condition: Filter over `FIELDS`.
        at: Moment in microseconds at which the aspects were valid; `None`: valid now.
        order_by: Comma list of names; an unknown one is a key of the content.
        descending: Direction.
        content: Whether the content is wanted.
        only: A further condition, for who may not see everything.
    """

    entity: str | None = None
    schema: str | None = None
    path: jsonpath.Path | None = None
    condition: filters.Condition | None = None
    at: int | None = None
    order_by: str | None = None
    descending: bool = True
    content: bool = True
    only: Where | None = None


def find(
    connection: Connection, query: AspectQuery, tables: Sequence[str], after: tuple[Key, ...], limit: int
) -> list[tuple[str, tuple[Key, ...]]]:
    """Return up to `limit` aspects after a place, each as JSON text with its sort keys."""
    order = order_of(query.order_by, _ORDER, "valid_from", "id", descending=query.descending, other=_content_key)
    if after and len(after) != len(order.keys):
        return []
    path = query.path
    columns = [_ITEM + (" || ', \"content\": ' || content || '}'" if query.content else " || '}'")]
    if path is not None:
        columns.append("content")
    where = _where(query)
    ways = [where] if query.schema is None else _by_schema(connection, where, query.schema, tables)
    found: list[tuple[str, tuple[Key, ...]]] = []
    sources = [(table, way) for way in ways for table in tables]
    if path is None:
        text, values = statement(sources, columns, order, after, most=limit)
        return [(row[0], row[1:]) for row in connection.execute(text, values)] if sources else []
    for row, keys in rows(connection, sources, columns, order, after, most=None):
        if not path.matches(json.loads(row[1])):
            continue
        found.append((row[0], keys))
        if len(found) == limit:
            break
    return found


def _where(query: AspectQuery) -> Where:
    where = Where()
    if query.at is None:
        where = where.plus("valid_to IS NULL")
    else:
        where = where.plus("valid_from <= ?", query.at).plus("valid_to IS NULL OR valid_to > ?", query.at)
    if query.entity is not None:
        where = where.plus("entity = ?", query.entity)
    if query.only is not None:
        where = Where(where.parts + query.only.parts, where.values + query.only.values)
    if query.condition is not None:
        text, values = filters.sql(query.condition, FIELDS)
        where = where.plus(text, *values)
    if query.path is not None:
        for piece in query.path.needs:
            where = where.plus("instr(content, ?) > 0", piece)
    return where


def _by_schema(connection: Connection, where: Where, pattern: str, tables: Sequence[str]) -> list[Where]:
    """The conditions with a schema, or with the schemas that fit a pattern: together they are all that is wanted."""
    schemas = _schemas(connection, pattern, tables) if "%" in pattern else [pattern]
    if len(schemas) <= MOST_MERGED:
        return [where.plus("schema = ?", schema) for schema in schemas]
    # The plus sign keeps SQLite from collecting and sorting all of them instead of walking in order.
    return [where.plus(f"+schema IN ({', '.join('?' * len(schemas))})", *schemas)]


def _schemas(connection: Connection, pattern: str, tables: Sequence[str]) -> list[str]:
    """Return the schemas that fit a pattern, stepping from one distinct value to the next in the index."""
    found: dict[str, None] = {}
    for table in tables:
        text: str | None = ""
        while text is not None:
            row = connection.execute(f"SELECT min(schema) FROM {table} WHERE schema > ?", (text,)).fetchone()  # noqa: S608
            text = row[0]
            if text is not None and filters.like(text, pattern):
                found[text] = None
    return list(found)


def _content_key(name: str) -> str | None:
    if not _CONTENT_KEY.match(name):
        return None
    return f"coalesce(json_extract(content, '$.\"{name}\"'), '')"
