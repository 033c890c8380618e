"""Aspects: JSON objects that state something about an entity under a schema, kept for ever, valid for a while."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from . import times
from .identity import ACCOUNT, POLICY_ASPECT, new_uuid, urn, uuid_of
from .index import Connection
from .mirror import Mirror, Record

T = TypeVar("T")

if TYPE_CHECKING:
    from .store import Store

COLUMNS = (
    "id, entity, schema, content, content_type, policy, account, asserter, retracter, replaces,"
    " valid_from, valid_to, origin"
)

MOST_TRIES = 100
"""Replacing an aspect starts over when somebody else replaced it meanwhile; each time, somebody else was done."""


@dataclass(frozen=True, slots=True)
class AspectRow:
    """One aspect as the index knows it.

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


class NotUnique(Exception):
    """Several aspects are valid for one entity and schema, so "the" aspect cannot be replaced."""


class PlatformOwned(Exception):
    """The platform computes this aspect from its own records; nobody else can change it."""


def derived(
    id: str, entity: str, schema: str, content: Any, *, valid_from: int, valid_to: int | None, origin: str, policy: str
) -> AspectRow:
    """Build an aspect that the platform itself states."""
    text = json.dumps(content, allow_nan=False)
    return AspectRow(
        id, entity, schema, text, "application/json", policy, ACCOUNT, ACCOUNT, None, None, valid_from, valid_to, origin
    )


def insert(connection: Connection, rows: Sequence[AspectRow]) -> None:
    """Write rows, replacing those with the same id."""
    connection.executemany(
        f"INSERT OR REPLACE INTO aspects({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        [
            (
                row.id,
                row.entity,
                row.schema,
                row.content,
                row.content_type,
                row.policy,
                row.account,
                row.asserter,
                row.retracter,
                row.replaces,
                row.valid_from,
                row.valid_to,
                row.origin,
            )
            for row in rows
        ],
    )


class AspectStore:
    """The aspects of one store: `aspects/<uuid>.json`, one file each, and their rows."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.mirror = Mirror("aspect", store.base_dir / "aspects", store.temp, lambda: store.index, self)

    def add(
        self,
        entity: str,
        schema: str,
        content: Any,
        *,
        content_type: str = "application/json",
        policy: str | None = None,
        asserter: str = ACCOUNT,
    ) -> AspectRow:
        """Assert a new aspect; durable when this returns.

        Raises:
            ValueError: The content is not JSON.
            PlatformOwned: The platform states this (entity, schema) itself.
            OSError: It could not be written; nothing was changed.
        """
        row = self._new(entity, schema, content, content_type, policy, asserter)
        self._store.prepare()
        self.mirror.put(row.id, _record(row), guard=lambda c: _refuse_owned(c, entity, schema))
        return row

    def update(
        self,
        entity: str,
        schema: str,
        content: Any,
        *,
        content_type: str = "application/json",
        policy: str | None = None,
        asserter: str = ACCOUNT,
    ) -> AspectRow:
        """Replace the one valid aspect of an entity and schema, or assert the first one.

        The new record, which names the old, is durable before the old is closed; so whatever happens in between
        one of them is valid, never both and never none.

        Raises:
            NotUnique: More than one is valid.
            ValueError, PlatformOwned, OSError: As for `add`.
        """
        self._store.prepare()
        self.mirror.catch_up()
        for _ in range(MOST_TRIES):
            before = self._store.index.read(lambda c: self._live(c, entity, schema))
            row = self._new(entity, schema, content, content_type, policy, asserter)
            if before:
                old = before[0]
                # A clock that was set back must not make the new one older than what it replaces.
                row = replace(row, replaces=old.id, valid_from=max(row.valid_from, old.valid_from + 1))
            try:
                self.mirror.put(row.id, _record(row), guard=lambda c, b=before: self._still(c, entity, schema, b))  # type: ignore[misc]
            except _Overtaken:
                continue
            if before:
                self._close(old.id, row.valid_from, durable=False)
            return row
        raise NotUnique(f"the aspect {schema} of {entity} is being replaced by too many others at once")

    def retract(self, aspect: str) -> AspectRow | None:
        """End the validity of an aspect; nothing is erased. Retracting twice changes nothing.

        Args:
            aspect: URN or UUID.

        Returns:
            The aspect as it is now, or `None` if there is none.

        Raises:
            PlatformOwned: It is computed.
        """
        found = self.find(aspect)
        if found is None or (found.valid_to is not None and not found.origin):
            return found
        if found.origin:
            raise PlatformOwned(f"{urn('aspect', found.id)} is stated by the platform itself")
        self._close(found.id, max(self._store.now(), found.valid_from + 1))
        return self.find(found.id)

    def find(self, aspect: str) -> AspectRow | None:
        """Return one aspect, retracted or not, or `None`."""
        id = uuid_of(aspect, "aspect")
        if id is None or not self._store.present():
            return None
        self.mirror.catch_up()

        def work(connection: Connection) -> AspectRow | None:
            row = connection.execute(f"SELECT {COLUMNS} FROM aspects WHERE id = ?", (id,)).fetchone()  # noqa: S608
            return AspectRow(*row) if row else None

        return self._store.index.read(work)

    def live(self, entity: str, schema: str) -> list[AspectRow]:
        """Return what is valid now for one entity and schema."""
        if not self._store.present():
            return []
        self.mirror.catch_up()
        return self._store.index.read(lambda c: self._live(c, entity, schema))

    def live_count(self, entity: str) -> int:
        """Return how many aspects of an entity are valid now."""
        rows = self.read(
            lambda c: c.execute("SELECT id FROM aspects WHERE entity = ? AND valid_to IS NULL", (entity,)).fetchall()
        )
        return len(rows)

    def read(self, work: Callable[[Connection], list[T]], *, always: bool = False) -> list[T]:
        """Run a query over the rows after noticing files changed by hand.

        Args:
            work: The query.
            always: Run it even if there is no directory yet, because it knows rows that are in no file.
        """
        if not always and not self._store.present():
            return []
        self.mirror.catch_up()
        return self._store.index.read(work)

    # Rows, called by the mirror

    def apply(self, connection: Connection, id: str, record: Record) -> None:
        """Replace the row of one record; a record that another one replaces is closed whatever it says itself."""
        row = row_of(id, record)
        successor = connection.execute(
            "SELECT valid_from, asserter FROM aspects WHERE replaces = ? ORDER BY valid_from LIMIT 1", (id,)
        ).fetchone()
        if successor is not None:
            at, by = successor
            ended = at if row.valid_to is None else min(row.valid_to, at)
            row = replace(row, valid_to=ended, retracter=row.retracter or by)
        insert(connection, [row])
        if row.replaces:
            connection.execute(
                "UPDATE aspects SET valid_to = min(coalesce(valid_to, ?1), ?1), retracter = coalesce(retracter, ?2)"
                " WHERE id = ?3 AND origin = ''",
                (row.valid_from, row.asserter, row.replaces),
            )

    def drop(self, connection: Connection, id: str) -> None:
        """Remove the row of a file that is gone; what it replaced is valid again if its own file says so."""
        row = connection.execute("SELECT replaces FROM aspects WHERE id = ?", (id,)).fetchone()
        connection.execute("DELETE FROM aspects WHERE id = ?", (id,))
        if row and row[0]:
            try:
                record = json.loads(self.mirror.path(row[0]).read_bytes())
                self.apply(connection, row[0], record)
            except (OSError, ValueError, KeyError, TypeError):
                return  # not readable: the comparison of the directory reports it under its own name

    def _new(
        self, entity: str, schema: str, content: Any, content_type: str, policy: str | None, asserter: str
    ) -> AspectRow:
        return AspectRow(
            id=new_uuid(),
            entity=entity,
            schema=schema,
            content=json.dumps(content, allow_nan=False),
            content_type=content_type,
            policy=policy or POLICY_ASPECT,
            account=ACCOUNT,
            asserter=asserter,
            retracter=None,
            replaces=None,
            valid_from=self._store.now(),
            valid_to=None,
        )

    def _live(self, connection: Connection, entity: str, schema: str) -> list[AspectRow]:
        rows = connection.execute(
            f"SELECT {COLUMNS} FROM aspects WHERE entity = ? AND schema = ? AND valid_to IS NULL LIMIT 2",  # noqa: S608
            (entity, schema),
        )
        found = [AspectRow(*row) for row in rows]
        if any(row.origin for row in found):
            raise PlatformOwned(f"{schema} of {entity} is stated by the platform itself")
        if len(found) > 1:
            raise NotUnique(f"more than one aspect {schema} of {entity} is valid")
        return found

    def _still(self, connection: Connection, entity: str, schema: str, before: list[AspectRow]) -> None:
        if [row.id for row in self._live(connection, entity, schema)] != [row.id for row in before]:
            raise _Overtaken

    def _close(self, id: str, at: int, *, durable: bool = True) -> None:
        try:
            record = json.loads(self.mirror.path(id).read_bytes())
        except FileNotFoundError:
            return  # removed by hand meanwhile
        record["valid_to"] = times.rfc3339(at)
        record["retracter"] = ACCOUNT
        self.mirror.put(id, record, durable=durable)


class _Overtaken(Exception):
    """Somebody else replaced the aspect between our look and our write."""


def _refuse_owned(connection: Connection, entity: str, schema: str) -> None:
    if connection.execute(
        "SELECT 1 FROM aspects WHERE entity = ? AND schema = ? AND valid_to IS NULL AND origin <> '' LIMIT 1",
        (entity, schema),
    ).fetchone():
        raise PlatformOwned(f"{schema} of {entity} is stated by the platform itself")


def _record(row: AspectRow) -> Record:
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
    if told is not None and uuid_of(str(told), "aspect") != id:
        raise ValueError(f"its 'id' is {told!r}, which is not the name of the file")
    replaced = record.get("replaces")
    return AspectRow(
        id=id,
        entity=record["entity"],
        schema=record["schema"],
        content=json.dumps(record["content"], allow_nan=False),
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
