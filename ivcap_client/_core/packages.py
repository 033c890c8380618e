"""Packages: container images a deployment holds (rest-api 5.5)."""

from __future__ import annotations

from ivcap_client._core.call import call
from ivcap_client._core.messages import Request
from ivcap_client._core.pages import Page, next_cursor
from ivcap_client._core.port import Port
from ivcap_client._core.wire import fields
from ivcap_client.exception import InvalidInput


async def list_page(port: Port, tag: str | None, size: int, cursor: str | None) -> Page[str]:
    what = "list packages"
    query = [("limit", str(size))] + ([("tag", tag)] if tag else []) + ([("page", cursor)] if cursor else [])
    reply = fields(await call(port, Request("GET", "/1/packages/list", tuple(query), what=what, safe=True)), what)
    return Page(reply.texts("items"), next_cursor(reply))


async def remove(port: Port, tag: str) -> None:
    what = "remove package"
    if not tag:
        raise InvalidInput(f"could not {what}: its tag is empty")
    await call(port, Request("DELETE", "/1/packages/remove", (("tag", tag),), what=what, safe=True))
