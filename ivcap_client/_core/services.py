"""Services: what they are called, what they take. Requests, and what the replies mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ivcap_client._core.call import call
from ivcap_client._core.messages import Request
from ivcap_client._core.pages import Listing, Page, page
from ivcap_client._core.port import Port
from ivcap_client._core.wire import Fields, fields
from ivcap_client.exception import AmbiguousRequest, InvalidInput, ResourceNotFound
from ivcap_client.urns import identifier, quoted

TOOL_SCHEMA = "urn:sd-core:schema.ai-tool.1"
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
        raw=item.raw,
    )


async def list_page(
    port: Port, asked: Listing, search: str | None, size: int, cursor: str | None
) -> Page[ServiceRecord]:
    what = "search services" if search else "list services"
    query = asked.query(size, cursor) + ([("search", search)] if search else [])
    reply = await call(port, Request("GET", "/1/services2", tuple(query), what=what, safe=True))
    return page(fields(reply, what), service_record)


async def read(port: Port, service: str) -> ServiceRecord:
    what = "read service"
    path = f"/1/services2/{quoted(identifier(service, what))}"
    return service_record(fields(await call(port, Request("GET", path, what=what, safe=True)), what))


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
    while True:
        listed = await list_page(port, Listing(filter=f"name~='{name}'", order_desc=False), None, 50, cursor)
        found += [record for record in listed.items if record.name == name]
        cursor = listed.next
        if cursor is None or len(found) > 1:
            break
    if not found:
        raise ResourceNotFound("read service by name", detail=f"no service is called {name!r}")
    if len(found) > 1:
        ids = ", ".join(record.id for record in found)
        raise AmbiguousRequest(
            f"more than one service is called {name!r}: {ids}. Use get_service with one of these ids"
        )
    return found[0]
