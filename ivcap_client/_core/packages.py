"""Packages: container images a deployment holds (rest-api 5.5)."""

from __future__ import annotations

from ivcap_client._core.call import call, get_fields
from ivcap_client._core.messages import Request
from ivcap_client._core.pages import Page, next_cursor
from ivcap_client._core.port import Port
from ivcap_client._core.wire import carried_out
from ivcap_client.exception import InvalidInput


async def list_page(port: Port, tag: str | None, size: int, cursor: str | None) -> Page[str]:
    query = [("limit", str(size))] + ([("tag", tag)] if tag else []) + ([("page", cursor)] if cursor else [])
    reply = await get_fields(port, "/1/packages/list", "list packages", query)
    return Page(reply.texts("items"), next_cursor(reply))


async def remove(port: Port, tag: str) -> None:
    what = "remove package"
    if not tag:
        raise InvalidInput(f"could not {what}: its tag is empty")
    carried_out(await call(port, Request("DELETE", "/1/packages/remove", (("tag", tag),), what=what, safe=True)), what)
