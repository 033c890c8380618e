"""Aspects: typed, time-bounded statements about any URN. Requests, and what the replies mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ivcap_client._core.call import call, get_fields
from ivcap_client._core.messages import Listed, Request
from ivcap_client._core.pages import Page, next_cursor
from ivcap_client._core.port import Port
from ivcap_client._core.reading import loaded
from ivcap_client._core.wire import Fields, carried_out, encoded, fields, instant, moment
from ivcap_client.exception import InvalidInput, NotAuthorizedException, ResourceNotFound
from ivcap_client.urns import identifier, quoted


class AspectRecord(NamedTuple):  # a tuple, because lists of local aspects spend their time on making these
    """What the platform said about one aspect; `content` is `None` where it was not included."""

    id: str
    entity: str
    schema: str
    content: Any = None
    content_type: str | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    asserter: str | None = None
    retracter: str | None = None
    replaces: str | None = None
    policy: str | None = None
    account: str | None = None
    raw: Mapping[str, Any] = {}  # not a mapping proxy, which cannot be pickled

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields[:-1], self, strict=False))
        return f"AspectRecord({told})"


@dataclass(frozen=True, slots=True)
class AspectQuery:
    """Which aspects are asked for. `schema` may hold `%` wildcards; `content_path` is a PostgreSQL JSONPath."""

    entity: str | None = None
    schema: str | None = None
    content_path: str | None = None
    at_time: datetime | None = None
    filter: str | None = None
    order_by: str | None = "valid_from"
    order_direction: str | None = "DESC"
    include_content: bool = True


_LISTED = frozenset({"id", "entity", "schema", "content-type", "valid-from", "content"})


def listed_record(item: object, what: str, at: int) -> AspectRecord:
    """One aspect of a list. Local lists have thousands of the same plain form, which is taken without detours."""
    if type(item) is dict and item.keys() <= _LISTED:
        told = item.get
        id, entity, schema, kind = told("id"), told("entity"), told("schema"), told("content-type")
        if id and type(id) is type(entity) is type(schema) is type(kind) is type(told("valid-from")) is str:
            since = moment(item["valid-from"])
            return AspectRecord(id, entity, schema, told("content"), kind, since, raw=item)
    return aspect_record(Fields(item, what, f"items[{at}]"))


def aspect_record(item: Fields) -> AspectRecord:
    return AspectRecord(
        id=item.need("id"),
        entity=item.text("entity") or "",
        schema=item.text("schema") or "",
        content=item.any("content"),
        content_type=item.text("content-type"),
        valid_from=item.when("valid-from"),
        valid_to=item.when("valid-to"),
        asserter=item.text("asserter"),
        retracter=item.text("retracter"),
        replaces=item.text("replaces"),
        policy=item.text("policy"),
        account=item.text("account"),
        raw=item.raw,
    )


class Unread(str):
    """What an embedded platform said about an aspect, as text: most of a list is never looked at."""

    __slots__ = ()

    def read(self) -> AspectRecord:
        """The record. The text is our own platform's, which writes every field it promises."""
        return listed_record(loaded(self), "list aspects", 0)


async def list_page(port: Port, asked: AspectQuery, size: int, cursor: str | None) -> Page[AspectRecord]:
    """One page, read."""
    found = await list_unread(port, asked, size, cursor)
    return Page(tuple(item.read() if isinstance(item, Unread) else item for item in found.items), found.next)


async def list_unread(port: Port, asked: AspectQuery, size: int, cursor: str | None) -> Page[AspectRecord | Unread]:
    """One page, of which an embedded platform's items are not decoded before somebody looks at them."""
    direction = (asked.order_direction or "").upper()
    if direction not in ("", "ASC", "DESC"):
        raise InvalidInput(f"list aspects: order_direction is ASC or DESC, {asked.order_direction!r} was given")
    query = [
        (name, value)
        for name, value in (
            ("entity", asked.entity),
            ("schema", asked.schema),
            ("content-path", asked.content_path),
            ("at-time", instant(asked.at_time) if asked.at_time else None),
            ("filter", asked.filter),
            ("order-by", asked.order_by),
            ("order-direction", direction),
        )
        if value
    ]
    query += [("include-content", "true" if asked.include_content else "false"), ("limit", str(size))]
    query += [("page", cursor)] if cursor else []
    what = "list aspects"
    reply = await call(port, Request("GET", "/1/aspects", tuple(query), what=what, safe=True))
    if isinstance(reply, Listed):
        return Page(tuple(map(Unread, reply.items)), next_cursor(Fields(reply.rest, what)))
    found = fields(reply, what)
    items = [listed_record(item, what, at) for at, item in enumerate(found.items("items"))]
    return Page(tuple(items), next_cursor(found))


async def read(port: Port, aspect: str) -> AspectRecord:
    what = "read aspect"
    path = f"/1/aspects/{quoted(identifier(aspect, what))}"
    return aspect_record(await get_fields(port, path, what))


async def history(port: Port, aspect: str, most: int) -> list[AspectRecord]:
    """An aspect and those in whose place it came, one after the other, the newest first."""
    record = await read(port, aspect)
    found, seen = [record], {record.id}
    while len(found) < most:
        before = await _before(port, record)
        if before is None or before.id in seen:
            break
        record = before
        seen.add(record.id)
        found.append(record)
    return found


async def _before(port: Port, record: AspectRecord) -> AspectRecord | None:
    if record.replaces:
        return await read(port, record.replaces)
    if record.valid_from is None:
        return None
    # Platforms that do not say what an aspect replaces still know what held until it came.
    then = record.valid_from - timedelta(microseconds=1)
    listed = await list_page(port, AspectQuery(record.entity, record.schema, at_time=then), 50, None)
    return next((one for one in listed.items if one.valid_to == record.valid_from), None)


async def retract(port: Port, aspect: str) -> None:
    """Close an aspect: it is no longer valid, and stays readable."""
    what = "retract aspect"
    path = f"/1/aspects/{quoted(identifier(aspect, what))}"
    carried_out(await call(port, Request("DELETE", path, what=what, safe=True)), what)


async def add(port: Port, entity: str, content: Any, *, schema: str | None, policy: str | None) -> AspectRecord:
    """Assert a statement about `entity`; those already there stay."""
    return await _assert(port, "POST", "add aspect", entity, content, schema, policy)


async def update(port: Port, entity: str, content: Any, *, schema: str | None, policy: str | None) -> AspectRecord:
    """Replace the one statement of this entity and schema, or assert the first.

    Some deployments refuse a PUT with nothing to replace (403 or 404); then, and only if nothing is there, it is added.
    """
    try:
        return await _assert(port, "PUT", "update aspect", entity, content, schema, policy)
    except (ResourceNotFound, NotAuthorizedException) as refused:
        if refused.status_code == 401:
            raise
        _, of = _said(entity, content, schema, "update aspect")
        there = await list_page(port, AspectQuery(entity=entity, schema=of, include_content=False), 1, None)
        if there.items:
            raise
        return await add(port, entity, content, schema=schema, policy=policy)


async def _assert(
    port: Port, method: str, what: str, entity: str, content: Any, schema: str | None, policy: str | None
) -> AspectRecord:
    content, of = _said(entity, content, schema, what)
    query = [("entity", entity), ("schema", of)] + ([("policy", policy)] if policy else [])
    request = Request(
        method,
        "/1/aspects",
        tuple(query),
        headers={"content-type": "application/json"},
        body=encoded(content, what),
        what=what,
        safe=False,
    )
    reply = fields(await call(port, request), what)
    return AspectRecord(
        id=reply.need("id"), entity=entity, schema=of, content=content, content_type="application/json", policy=policy
    )


def _said(entity: str, content: Any, schema: str | None, what: str) -> tuple[dict[str, Any], str]:
    """The content with its `$schema` and `$entity`, which must not contradict the arguments."""
    identifier(entity, f"{what}: entity")
    if not isinstance(content, Mapping):
        raise InvalidInput(f"could not {what}: the content must be a JSON object, {type(content).__name__} was given")
    of = schema or content.get("$schema")
    if not isinstance(of, str) or not of:
        raise InvalidInput(f"could not {what}: no schema was given, and the content has no `$schema`")
    for name, value in (("$schema", of), ("$entity", entity)):
        if content.get(name, value) != value:
            raise InvalidInput(
                f"could not {what}: the content's `{name}` is {content[name]!r}, the argument says {value!r}"
            )
    return {"$schema": of, "$entity": entity, **content}, of
