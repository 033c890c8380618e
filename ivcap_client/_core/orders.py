"""Orders: what jobs were before there were jobs (rest-api 5.6). Old deployments still have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ivcap_client._core.call import get_fields
from ivcap_client._core.pages import Listing, Page, page
from ivcap_client._core.port import Port
from ivcap_client._core.wire import Fields
from ivcap_client.urns import identifier, quoted


@dataclass(frozen=True, slots=True)
class OrderParameter:
    """A value that an order was given."""

    name: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """What the platform says about an order; a list item has neither parameters nor products."""

    id: str
    status: str = "unknown"
    name: str | None = None
    service: str | None = None
    account: str | None = None
    policy: str | None = None
    tags: tuple[str, ...] = ()
    ordered_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    parameters: tuple[OrderParameter, ...] | None = None
    products: tuple[Mapping[str, Any], ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


def order_record(item: Fields) -> OrderRecord:
    listed = item.any("parameters")
    made = item.any("products")
    products = made.get("items") if isinstance(made, Mapping) else None
    return OrderRecord(
        id=item.need("id"),
        status=(item.text("status") or "unknown").lower(),
        name=item.text("name"),
        service=item.text("service"),
        account=item.text("account"),
        policy=item.text("policy"),
        tags=item.texts("tags"),
        ordered_at=item.when("ordered-at"),
        started_at=item.when("started-at"),
        finished_at=item.when("finished-at"),
        parameters=tuple(
            OrderParameter(str(one["name"]), one.get("value"))
            for one in listed
            if isinstance(one, Mapping) and "name" in one
        )
        if isinstance(listed, list)
        else None,
        products=tuple(one for one in products if isinstance(one, Mapping)) if isinstance(products, list) else (),
        raw=item.raw,
    )


async def list_page(port: Port, asked: Listing, size: int, cursor: str | None) -> Page[OrderRecord]:
    return page(await get_fields(port, "/1/orders", "list orders", asked.query(size, cursor)), order_record)


async def read(port: Port, order: str) -> OrderRecord:
    what = "read order"
    path = f"/1/orders/{quoted(identifier(order, what))}"
    return order_record(await get_fields(port, path, what))
