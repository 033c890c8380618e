"""Aspects: JSON objects that state something about an entity under a schema, kept for ever, valid for a while."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from .._io.files import read_own
from . import times
from .aspect_rows import COLUMNS, AspectRow, derived, insert, record_of, row_of, with_head
from .identity import ACCOUNT, POLICY_ASPECT, new_uuid, urn, uuid_of
from .index import Connection
from .mirror import Mirror, Record
from .table_rows import TableRow
from .tables import BY_ID

__all__ = ["COLUMNS", "AspectRow", "AspectStore", "NotUnique", "PlatformOwned", "derived", "insert", "row_of"]

T = TypeVar("T")

if TYPE_CHECKING:
    from .store import Store

MOST_TRIES = 100
"""Replacing an aspect starts over when somebody else replaced it meanwhile; each time, somebody else was done."""


class NotUnique(Exception):
    """Several aspects are valid for one entity and schema, so "the" aspect cannot be replaced."""


class PlatformOwned(Exception):
    """The platform computes this aspect from its own records; nobody else can change it."""


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
        self.mirror.put(row.id, record_of(row), guard=lambda c: _refuse_owned(c, entity, schema))
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
                row = row._replace(replaces=old.id, valid_from=max(row.valid_from, old.valid_from + 1))
            try:
                self.mirror.put(row.id, record_of(row), guard=lambda c, b=before: self._still(c, entity, schema, b))  # type: ignore[misc]
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
        self.mirror.look(id)

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
        return self.mirror.read(work)

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
            row = row._replace(valid_to=ended, retracter=row.retracter or by)
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
                record = json.loads(read_own(self.mirror.path(row[0])))
                self.apply(connection, row[0], record)
            except (OSError, ValueError, KeyError, TypeError):
                return  # not readable: the comparison of the directory reports it under its own name

    def rows(self, id: str, record: Record) -> list[TableRow]:
        """The row of one record; what it replaces is not closed yet."""
        return [("aspects", with_head(row_of(id, record)))]

    def loaded(self, connection: Connection) -> None:
        """Close what another record replaces, whatever its own file says."""
        try:
            connection.execute(BY_ID)
        except sqlite3.IntegrityError:
            # Somebody wrote a file under the UUID of a statement of the platform's own; the last one counts.
            connection.execute("DELETE FROM aspects WHERE rowid NOT IN (SELECT max(rowid) FROM aspects GROUP BY id)")
            connection.execute(BY_ID)
        connection.execute(
            "UPDATE aspects SET valid_to = min(coalesce(valid_to, later.at), later.at),"
            " retracter = coalesce(retracter, later.asserter) FROM"
            " (SELECT replaces, min(valid_from) AS at, asserter FROM aspects WHERE replaces IS NOT NULL"
            " GROUP BY replaces) AS later WHERE aspects.id = later.replaces AND aspects.origin = ''"
        )

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
            record = json.loads(read_own(self.mirror.path(id)))
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
