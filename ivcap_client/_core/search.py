"""Search of the datafabric: a Datalog program in, its answers out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ivcap_client._core.call import call
from ivcap_client._core.messages import Request
from ivcap_client._core.pages import next_cursor
from ivcap_client._core.port import Port
from ivcap_client._core.wire import Fields, fields, instant
from ivcap_client.exception import InvalidInput

DATALOG = "application/datalog+mangle"


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One page of answers; `cursor` leads to the next, if there is one."""

    items: tuple[Any, ...]
    at_time: datetime | None = None
    cursor: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


async def search(
    port: Port, query: str, *, limit: int, at_time: datetime | None = None, cursor: str | None = None
) -> SearchResult:
    """Ask a Datalog query (rest-api 5.3).

    Args:
        port: Way to the platform.
        query: The program, in the dialect Mangle.
        limit: Answers on the page.
        at_time: What held then.
        cursor: Where the page before stopped.
    """
    what = "search the datafabric"
    if not query.strip():
        raise InvalidInput(f"could not {what}: the query is empty")
    asked = [("limit", str(limit))]
    asked += [("at-time", instant(at_time))] if at_time else []
    asked += [("page", cursor)] if cursor else []
    headers = {"content-type": DATALOG}
    request = Request("POST", "/1/search", tuple(asked), headers=headers, body=query.encode(), what=what, safe=True)
    return _result(fields(await call(port, request), what))


def _result(reply: Fields) -> SearchResult:
    items = reply.any("items")
    return SearchResult(
        tuple(items) if isinstance(items, list) else (), reply.when("at-time"), next_cursor(reply), reply.raw
    )
