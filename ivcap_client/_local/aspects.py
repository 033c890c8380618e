"""Handlers of `/1/aspects` (rest-api §4)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._core.messages import Request, Response
from ..later import later
from . import reach_rules, times
from .asked import flag, header, json_body, listing, page, parameters, present, reply
from .aspect_query import FIELDS, AspectQuery, find
from .aspect_rows import AspectRow
from .aspect_store import NotUnique, PlatformOwned
from .catalogue import stated_by_services
from .identity import ACCOUNT, urn
from .index import Connection
from .refusals import forbidden, invalid, missing, not_unique
from .routes import route

if TYPE_CHECKING:
    from . import jsonpath
    from .platform import LocalPlatform
else:
    jsonpath = later("ivcap_client._local.jsonpath")

MOST_NAME = 2048


@route("GET", "/1/aspects")
def list_aspects(platform: LocalPlatform, request: Request) -> Response:
    """List aspects: valid now, or at `at-time`, newest first unless told otherwise."""
    asked = listing("aspects", "/1/aspects", request, platform.store.now())
    query = asked.query
    entity, schema = query.get("entity"), query.get("schema")
    path = query.get("content-path") or query.get("aspect-path")
    wanted = AspectQuery(
        entity=entity,
        schema=schema,
        path=_path(path),
        condition=asked.condition(frozenset(FIELDS)),
        at=asked.at if asked.past else None,
        order_by=query.get("order-by"),
        descending=asked.descending(),
        content=flag(query, "include-content", False),
        only=None if platform.reach is None else reach_rules.visible_aspects(platform.reach),
    )
    # Most lists cannot hold what a service's program states, and then nobody need know which services there are.
    catalogue = platform.catalogue() if stated_by_services(entity, schema) else None

    def work(connection: Connection) -> list[tuple[str, tuple[Any, ...]]]:
        tables = ("aspects",) if catalogue is None else catalogue.tables(connection)
        return find(connection, wanted, tables, asked.after, asked.limit + 1)

    try:
        found = platform.store.aspects.read(work, always=catalogue is not None and bool(catalogue.facts))
    except jsonpath.BadPath as problem:
        raise invalid("content-path", str(problem), path) from problem
    more = found[asked.limit - 1][1] if len(found) > asked.limit else None
    items = [item for item, _ in found[: asked.limit]]
    if platform.reach is not None:
        reach_rules.shown_aspects(platform, entity, [str(json.loads(item)["id"]) for item in items], wanted.content)
    extra = {"entity": entity, "schema": schema, "aspect-path": path}
    return page(
        asked,
        platform.base(request),
        items,
        more,
        {key: text for key, text in extra.items() if text and (key == "aspect-path" or text.startswith("urn:"))},
    )


@route("POST", "/1/aspects")
def assert_aspect(platform: LocalPlatform, request: Request) -> Response:
    """Assert an aspect; answers 200, not 201, because the public client reads only that."""
    return _write(platform, request, platform.store.aspects.add, reach_rules.check_statement)


@route("PUT", "/1/aspects")
def replace_aspect(platform: LocalPlatform, request: Request) -> Response:
    """Replace the aspect of an entity and schema, or assert the first."""
    return _write(platform, request, platform.store.aspects.update, reach_rules.check_replacement)


def _write(
    platform: LocalPlatform, request: Request, write: Any, check: Callable[[LocalPlatform, str, str], None]
) -> Response:
    query = parameters(request)
    entity, schema = _name(query, "entity"), _name(query, "schema")
    for name, text, start in (("entity", entity, r"[A-Za-z][A-Za-z0-9+.-]*"), ("schema", schema, "urn")):
        if not re.fullmatch(f"{start}:[!-~]+", text):
            raise invalid(name, f"a URN is expected, such as urn:example:{name}:rain.1", text)
    policy = query.get("policy") or None
    if policy is not None and not policy.startswith("urn:"):
        raise invalid("policy", "a URN is expected", policy)
    content = json_body(request)
    if not isinstance(content, dict):
        raise invalid("body", "an aspect is a JSON object")
    if stated_by_services(entity, schema) and platform.catalogue().owns(entity, schema):
        raise forbidden(f"{schema} of {entity} is stated by the service's own program; change that instead")
    kind = (header(request, "content-type") or "application/json").partition(";")[0].strip().lower()
    if kind in ("application/octet-stream", "text/plain", "application/x-www-form-urlencoded", ""):
        kind = "application/json"  # what tools send when nobody told them; the body was JSON all the same
    check(platform, entity, schema)
    asserter = ACCOUNT if platform.reach is None else platform.reach.service
    try:
        row = write(entity, schema, content, content_type=kind, policy=policy, asserter=asserter)
    except NotUnique as problem:
        raise not_unique(str(problem)) from problem
    except PlatformOwned as problem:
        raise forbidden(str(problem)) from problem
    return reply(200, {"id": urn("aspect", row.id)})


@route("GET", "/1/aspects/{id}")
def read_aspect(platform: LocalPlatform, request: Request, id: str) -> Response:
    """Read one aspect, retracted or not."""
    row = platform.store.aspects.find(id) or platform.catalogue().fact(id)
    if row is None or not reach_rules.sees_aspect(platform.reach, row):
        raise missing(id, kind="aspect")
    reach_rules.learn_aspect(platform.reach, row)
    return Response(200, {"content-type": "application/json"}, _whole(row, platform.base(request)).encode())


@route("DELETE", "/1/aspects/{id}")
def retract_aspect(platform: LocalPlatform, request: Request, id: str) -> Response:
    """Retract an aspect; it stays readable."""
    reach_rules.check_retraction(platform, id)
    try:
        row = platform.store.aspects.retract(id)
    except PlatformOwned as problem:
        raise forbidden(str(problem)) from problem
    if row is None:
        if platform.catalogue().fact(id):
            raise forbidden(f"{id} is stated by the service's own program; change that instead")
        raise missing(id, kind="aspect")
    return Response(204)


def _path(text: str | None) -> jsonpath.Path | None:
    if not text:
        return None
    try:
        return jsonpath.compile(text)
    except jsonpath.BadPath as problem:
        raise invalid("content-path", str(problem), text) from problem


def _name(query: dict[str, str], name: str) -> str:
    text = query.get(name, "")
    if not text:
        raise invalid(name, f"the parameter {name!r} is needed")
    if len(text) > MOST_NAME or not text.isprintable():
        raise invalid(name, f"at most {MOST_NAME} printable characters are expected", text)
    return text


def _head(row: AspectRow) -> dict[str, object]:
    return present(
        id=urn("aspect", row.id),
        entity=row.entity,
        schema=row.schema,
        content_type=row.content_type,
        valid_from=times.rfc3339(row.valid_from),
        valid_to=None if row.valid_to is None else times.rfc3339(row.valid_to),
    )


def _whole(row: AspectRow, base: str) -> str:
    link = {"rel": "self", "type": "application/json", "href": f"{base}/1/aspects/{urn('aspect', row.id)}"}
    rest = present(
        account=row.account,
        asserter=row.asserter,
        policy=row.policy,
        retracter=row.retracter,
        replaces=urn("aspect", row.replaces) if row.replaces else None,
        links=[link],
    )
    return _joined({**_head(row), **rest}, row)


def _joined(head: dict[str, object], row: AspectRow) -> str:
    # The content is JSON text already; reading it only to write it again would cost more than finding it.
    return f'{json.dumps(head)[:-1]}, "content": {row.content}}}'
