"""Services: what they are called, what they take. Requests, and what the replies mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ivcap_client._core import aspects
from ivcap_client._core.call import call, get_fields
from ivcap_client._core.messages import Request
from ivcap_client._core.pages import Listing, Page, page
from ivcap_client._core.port import Port
from ivcap_client._core.wire import Fields, carried_out, encoded, fields
from ivcap_client.exception import AmbiguousRequest, InvalidInput, ResourceNotFound
from ivcap_client.urns import identifier, quoted, urn_of

TOOL_SCHEMAS = "urn:sd-core:schema%ai-tool.1"
"""The same in every spelling that is in use."""
SERVICE_SCHEMA = "urn:ivcap:schema.service.2"


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """What the platform said about one service; a list item lacks what only a read returns."""

    id: str
    name: str | None = None
    description: str | None = None
    status: str | None = None
    controller_schema: str | None = None
    controller: Any = None
    policy: str | None = None
    account: str | None = None
    tags: tuple[str, ...] = ()
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    score: float | None = None
    parameters: tuple[Mapping[str, Any], ...] | None = None
    banner: str | None = None
    published_at: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


def service_record(item: Fields) -> ServiceRecord:
    return ServiceRecord(
        id=item.need("id"),
        name=item.text("name"),
        description=item.text("description"),
        status=item.text("status"),
        controller_schema=item.text("controller-schema"),
        controller=item.any("controller"),
        policy=item.text("policy"),
        account=item.text("account"),
        tags=item.texts("tags"),
        valid_from=item.when("valid-from"),
        valid_to=item.when("valid-to"),
        score=item.number("score"),
        parameters=tuple(p.raw for p in item.each("parameters")) if item.any("parameters") is not None else None,
        banner=item.text("banner"),
        published_at=item.when("published-at"),
        raw=item.raw,
    )


async def list_page(
    port: Port, asked: Listing, search: str | None, size: int, cursor: str | None
) -> Page[ServiceRecord]:
    what = "search services" if search else "list services"
    query = asked.query(size, cursor) + ([("search", search)] if search else [])
    return page(await get_fields(port, "/1/services2", what, query), service_record)


async def read(port: Port, service: str) -> ServiceRecord:
    what = "read service"
    path = f"/1/services2/{quoted(identifier(service, what))}"
    return service_record(await get_fields(port, path, what))


async def by_name(port: Port, name: str) -> ServiceRecord:
    """The one service with exactly this name.

    The platform's `~=` takes wildcards, so what it finds is compared again.
    """
    if not name:
        raise InvalidInput("read service by name: the name is empty")
    if "'" in name or "\\" in name:
        raise InvalidInput(f"read service by name: {name!r} holds a quote or a backslash, which no filter can carry")
    found: list[ServiceRecord] = []
    cursor: str | None = None
    seen: set[str | None] = {None}
    while True:
        listed = await list_page(port, Listing(filter=f"name~='{name}'", order_desc=False), None, 50, cursor)
        found += [record for record in listed.items if record.name == name]
        cursor = listed.next
        if cursor in seen or len(found) > 1:  # a cursor that comes back would lead round in a circle
            break
        seen.add(cursor)
    if not found:
        raise ResourceNotFound("read service by name", detail=f"no service is called {name!r}")
    if len(found) > 1:
        ids = ", ".join(record.id for record in found)
        raise AmbiguousRequest(
            f"more than one service is called {name!r}: {ids}. Use get_service with one of these ids"
        )
    return found[0]


@dataclass(frozen=True, slots=True)
class ServiceDefinition:
    """A service as it is to be (rest-api 2.4); all of it is sent each time."""

    id: str
    description: str
    controller_schema: str
    controller: Mapping[str, Any]
    policy: str
    parameters: Iterable[Mapping[str, Any]] = ()
    name: str | None = None
    tags: Iterable[str] = ()

    def body(self, what: str) -> bytes:
        told: dict[str, Any] = {
            "id": identifier(self.id, what),
            "description": self.description,
            "parameters": [{"description": "", "options": [], **one} for one in self.parameters],
            "controller-schema": self.controller_schema,
            "controller": dict(self.controller),
            "policy": self.policy,
        }
        told |= {"name": self.name} if self.name else {}
        told |= {"tags": list(self.tags)} if self.tags else {}
        return encoded(told, what)


async def create(port: Port, made: ServiceDefinition) -> ServiceRecord:
    return await _define(port, "POST", "/1/services2", (), made, "create service")


async def update(port: Port, made: ServiceDefinition, force_create: bool) -> ServiceRecord:
    path = f"/1/services2/{quoted(identifier(made.id, 'update service'))}"
    query = (("force-create", "true"),) if force_create else ()
    return await _define(port, "PUT", path, query, made, "update service")


async def _define(
    port: Port, method: str, path: str, query: tuple[tuple[str, str], ...], made: ServiceDefinition, what: str
) -> ServiceRecord:
    headers = {"content-type": "application/json"}
    safe = method == "PUT"
    request = Request(method, path, query, headers=headers, body=made.body(what), what=what, safe=safe)
    return service_record(fields(await call(port, request), what))


async def delete(port: Port, service: str) -> None:
    what = "delete service"
    path = f"/1/services2/{quoted(identifier(service, what))}"
    carried_out(await call(port, Request("DELETE", path, what=what, safe=True)), what)


async def tool(port: Port, service: str) -> Mapping[str, Any] | None:
    """How a service describes itself as a tool: the newest of its tool aspects that speaks of itself, if any."""
    urn = urn_of("service", identifier(service, "read the service's request"))
    listed = await aspects.list_page(port, aspects.AspectQuery(entity=urn, schema=TOOL_SCHEMAS), 50, None)
    for record in listed.items:
        content = record.content
        own = isinstance(content, Mapping) and content.get("service-id") in (None, "", "#SERVICE_ID#", urn)
        if own and isinstance(request_schema(content), Mapping):
            return content  # type: ignore[no-any-return]
    return None


def request_schema(tool: Mapping[str, Any]) -> Any:
    """The JSON Schema of a tool's request, under either spelling."""
    return tool.get("fn_schema", tool.get("fn-schema"))
