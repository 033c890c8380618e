"""The services of an embedded platform, from what can be run here and from what aspects say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..later import later
from . import times
from .aspect_rows import COLUMNS, AspectRow, derived, insert
from .aspect_store import AspectStore
from .identity import POLICY_SERVICE, SCHEMA_SERVICE, SCHEMA_TOOL, derived_uuid, urn, uuid_of
from .index import Connection

if TYPE_CHECKING:
    from . import filters
    from .platform import Spec
else:
    filters = later("ivcap_client._local.filters")

PREPARING = "being prepared"
"""Description of a service whose environment is still being built, or which has not been asked yet."""

MOST_TROUBLE = 500
"""Characters of the description of a service that does not start."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service.

    Attributes:
        urn: `urn:ivcap:service:<uuid>`.
        name, description: For people.
        content: What its `service.2` aspect says; empty if there is none.
        policy: URN.
        valid_from, valid_to: Microseconds since 1970.
        spec: How to run it here; `None`: only aspects speak of it, and those are never run.
        described: Whether its program has said what it is.
        trouble: Why it has not, if that is known.
    """

    urn: str
    name: str
    description: str
    content: Mapping[str, Any]
    policy: str
    valid_from: int | None
    valid_to: int | None
    spec: Spec | None
    described: bool
    trouble: str = ""


def stated_by_services(entity: str | None, schema: str | None) -> bool:
    """Whether aspects of this entity and schema, which may be a pattern, can be such as services' programs state."""
    if entity is not None and uuid_of(entity, "service") is None:
        return False
    stated = (SCHEMA_SERVICE, SCHEMA_TOOL)
    return schema is None or schema in stated or any(filters.like(known, schema) for known in stated)


class Catalogue:
    """The services at one moment, and the aspects of those that can be run here, which are in no file."""

    def __init__(
        self,
        aspects: AspectStore,
        specs: Mapping[str, Spec],
        described: Mapping[str, Mapping[str, Any]],
        troubles: Mapping[str, str],
    ) -> None:
        self._aspects, self._specs, self._described, self._troubles = aspects, specs, described, troubles
        self.facts = [
            row for spec in specs.values() if spec.urn in described for row in _facts(spec, described[spec.urn])
        ]
        self._mark = hashlib.sha256(repr([(row.id, row.valid_from) for row in self.facts]).encode()).hexdigest()

    def tables(self, connection: Connection) -> tuple[str, ...]:
        """Return the tables that hold all aspects, as this connection sees them.

        Aspects of services are in a temporary table of each connection, so that they are searched, sorted and paged
        like all others without being written anywhere.
        """
        if not self.facts:
            return ("aspects",)
        connection.execute("CREATE TEMP TABLE IF NOT EXISTS facts_mark(mark TEXT)")
        if connection.execute("SELECT mark FROM temp.facts_mark").fetchone() != (self._mark,):
            connection.execute("DROP TABLE IF EXISTS temp.service_facts")
            connection.execute("CREATE TEMP TABLE service_facts AS SELECT * FROM main.aspects LIMIT 0")
            connection.execute("CREATE INDEX temp.service_facts_by_time ON service_facts(valid_from, id)")
            connection.execute("CREATE INDEX temp.service_facts_by_schema ON service_facts(schema, valid_from, id)")
            insert(connection, self.facts, "temp.service_facts")
            connection.execute("DELETE FROM temp.facts_mark")
            connection.execute("INSERT INTO temp.facts_mark VALUES (?)", (self._mark,))
        return ("main.aspects", "temp.service_facts")

    def fact(self, aspect: str) -> AspectRow | None:
        """Return one of the aspects of services that can be run here."""
        id = uuid_of(aspect, "aspect")
        return next((row for row in self.facts if row.id == id), None)

    def owns(self, entity: str, schema: str) -> bool:
        """Whether an aspect is for a service's own program to state."""
        return entity in self._specs and schema in (SCHEMA_SERVICE, SCHEMA_TOOL)

    def find(self, service: str) -> Service | None:
        """Return a service by URN or UUID."""
        id = uuid_of(service, "service")
        if id is None:
            return None
        wanted = urn("service", id)
        if wanted in self._specs:
            return self._runnable(self._specs[wanted])
        rows = self._stated("AND entity = ?", wanted)
        return _stated(wanted, rows) if rows else None

    def all(self, at: int | None = None) -> list[Service]:
        """Return every service, those of now or those of a moment.

        A program is a service from when it said what it is; an edited one says it anew.
        """
        services = [self._runnable(spec) for spec in self._specs.values()]
        if at is not None:
            services = [one for one in services if one.valid_from is not None and one.valid_from <= at]
        by_entity: dict[str, list[AspectRow]] = {}
        for row in self._stated("", at=at):
            if uuid_of(row.entity, "service") is not None and row.entity not in self._specs:
                by_entity.setdefault(row.entity, []).append(row)
        services += [_stated(entity, rows) for entity, rows in by_entity.items()]
        return services

    def _stated(self, more: str, *values: str, at: int | None = None) -> list[AspectRow]:
        valid = "valid_to IS NULL" if at is None else "valid_from <= ? AND (valid_to IS NULL OR valid_to > ?)"
        moments = () if at is None else (at, at)

        def work(connection: Connection) -> list[AspectRow]:
            rows = []
            for schema in (SCHEMA_SERVICE, SCHEMA_TOOL):
                rows += connection.execute(
                    f"SELECT {COLUMNS} FROM aspects WHERE schema = ? AND {valid} {more} ORDER BY valid_from DESC, id",  # noqa: S608
                    (schema, *moments, *values),
                ).fetchall()
            return [AspectRow(*row) for row in rows]

        return self._aspects.read(work)

    def _runnable(self, spec: Spec) -> Service:
        described = self._described.get(spec.urn)
        if described is None:
            trouble = self._troubles.get(spec.urn, "")
            told = f"does not start: {trouble}"[:MOST_TROUBLE] if trouble else PREPARING
            return Service(spec.urn, spec.name, told, {}, POLICY_SERVICE, None, None, spec, False, trouble)
        content = described.get("service") or {}
        tool = described.get("tool") or {}
        return Service(
            urn=spec.urn,
            name=_text(content.get("name")) or spec.name,
            description=_text(content.get("description")) or _text(tool.get("description")),
            content=content,
            policy=POLICY_SERVICE,
            valid_from=_described_at(described),
            valid_to=None,
            spec=spec,
            described=True,
        )


def _stated(entity: str, rows: list[AspectRow]) -> Service:
    """Build a service from its aspects: the newest `service.2`, or where there is none the newest tool aspect."""
    row = next((row for row in rows if row.schema == SCHEMA_SERVICE), rows[0])
    told = json.loads(row.content)
    told = told if isinstance(told, dict) else {}
    return Service(
        urn=entity,
        name=_text(told.get("name")),
        description=_text(told.get("description")),
        content=told if row.schema == SCHEMA_SERVICE else {},
        policy=row.policy,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        spec=None,
        described=True,
    )


def _facts(spec: Spec, described: Mapping[str, Any]) -> list[AspectRow]:
    at = _described_at(described) or 0
    return [
        derived(
            # Another version of the program is another statement.
            derived_uuid(spec.urn, f"{key}/{described.get('digest', spec.digest)}"),
            spec.urn,
            schema,
            described[key],
            valid_from=at,
            valid_to=None,
            origin="service",
            policy=POLICY_SERVICE,
        )
        for key, schema in (("service", SCHEMA_SERVICE), ("tool", SCHEMA_TOOL))
        if isinstance(described.get(key), Mapping)
    ]


def _described_at(described: Mapping[str, Any]) -> int | None:
    try:
        return times.parse(str(described["described_at"]))
    except (KeyError, ValueError):
        try:
            return int(float(described["described_at"]) * 1_000_000)
        except (KeyError, ValueError, TypeError):
            return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
