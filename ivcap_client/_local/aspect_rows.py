"""One aspect: as a row of the index, as the file that is the truth, and as the text that lists show."""

from __future__ import annotations

import json
from collections.abc import Iterable
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, NamedTuple

from . import times
from .identity import ACCOUNT, POLICY_ASPECT, urn, uuid_of
from .index import Connection
from .mirror import Record

COLUMNS = (
    "id, entity, schema, content, content_type, policy, account, asserter, retracter, replaces,"
    " valid_from, valid_to, origin"
)


_written = json.JSONEncoder(allow_nan=False).encode


class AspectRow(NamedTuple):  # a tuple, because an index is made of a great many of these
    """One aspect as the index knows it, in the order of `COLUMNS`.

    Attributes:
        id: UUID.
        entity, schema: What it is about and how to read it.
        content: JSON text, ASCII only.
        content_type: Media type of the content.
        policy, account, asserter: URNs.
        retracter: URN of who ended it.
        replaces: UUID of the aspect it took the place of.
        valid_from, valid_to: Microseconds since 1970; no `valid_to`: valid still.
        origin: Empty for asserted aspects; otherwise what it was computed from, `job:<uuid>` or `artifact:<uuid>`,
            or `service` for those that are in no file.
    """

    id: str
    entity: str
    schema: str
    content: str
    content_type: str
    policy: str
    account: str
    asserter: str
    retracter: str | None
    replaces: str | None
    valid_from: int
    valid_to: int | None
    origin: str = ""


def derived(
    id: str, entity: str, schema: str, content: Any, *, valid_from: int, valid_to: int | None, origin: str, policy: str
) -> AspectRow:
    """Build an aspect that the platform itself states."""
    text = _written(content)
    return AspectRow(
        id, entity, schema, text, "application/json", policy, ACCOUNT, ACCOUNT, None, None, valid_from, valid_to, origin
    )


def insert(connection: Connection, rows: Iterable[AspectRow], table: str = "aspects") -> None:
    """Write rows, replacing those with the same id."""
    connection.executemany(
        f"INSERT OR REPLACE INTO {table}({COLUMNS}, head) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        map(with_head, rows),
    )


def with_head(row: AspectRow) -> tuple[Any, ...]:
    """The row as it stands in its table."""
    return *row, head(row)


def head(row: AspectRow) -> str:
    """What every list says of an aspect and never changes, as JSON text that is still open at its end.

    Kept beside the row, because a page has fifty of them and writing them anew costs more than finding them.
    """
    return (
        f'{{"id": "urn:ivcap:aspect:{row.id}", "entity": {quoted(row.entity)}, "schema": {quoted(row.schema)}, '
        f'"content-type": {quoted(row.content_type)}, "valid-from": "{times.rfc3339(row.valid_from)}"'
    )


def record_of(row: AspectRow) -> Record:
    """What goes into the file. The first six keys are those of the public client's local mode."""
    record: Record = {
        "id": urn("aspect", row.id),
        "entity": row.entity,
        "schema": row.schema,
        "content": json.loads(row.content),
        "valid_from": times.rfc3339(row.valid_from),
        "valid_to": None if row.valid_to is None else times.rfc3339(row.valid_to),
        "content_type": row.content_type,
        "policy": row.policy,
        "account": row.account,
        "asserter": row.asserter,
    }
    if row.replaces:
        record["replaces"] = urn("aspect", row.replaces)
    return record


def row_of(id: str, record: Record) -> AspectRow:
    """Read a file's record, ours or one of the public client's local mode.

    Raises:
        ValueError: A needed key is missing or cannot be what it should be; the message names it.
    """
    for key in ("entity", "schema"):
        if not isinstance(record.get(key), str) or not record[key]:
            raise ValueError(f"its {key!r} is no text")
    if "content" not in record:
        raise ValueError("it has no 'content'")
    told = record.get("id")
    if told is not None and told != f"urn:ivcap:aspect:{id}" and uuid_of(str(told), "aspect") != id:
        raise ValueError(f"its 'id' is {told!r}, which is not the name of the file")
    replaced = record.get("replaces")
    return AspectRow(
        id=id,
        entity=record["entity"],
        schema=record["schema"],
        content=_written(record["content"]),
        content_type=_text(record, "content_type", "application/json"),
        policy=_text(record, "policy", POLICY_ASPECT),
        account=_text(record, "account", ACCOUNT),
        asserter=_text(record, "asserter", ACCOUNT),
        retracter=record.get("retracter") if isinstance(record.get("retracter"), str) else None,
        replaces=uuid_of(replaced, "aspect") if isinstance(replaced, str) else None,
        valid_from=_moment(record, "valid_from") or 0,
        valid_to=_moment(record, "valid_to"),
    )


def _text(record: Record, key: str, default: str) -> str:
    value = record.get(key)
    return value if isinstance(value, str) and value else default


def _moment(record: Record, key: str) -> int | None:
    value = record.get(key)
    if value is None:
        return None
    try:
        return times.parse(str(value))
    except ValueError as problem:
        raise ValueError(f"its {key!r} is no time: {value!r}") from problem
