"""A page of a listing, and how the next one is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from urllib.parse import parse_qs, urlsplit

from ivcap_client._core.wire import Fields, instant

R = TypeVar("R")

MOST_ON_A_PAGE = 50

# A link of which the parameter is all that follows the question mark, and needs no decoding: nearly every one.
_PLAIN = re.compile(r"^[^?#\[\]]*\?page=([A-Za-z0-9_-]+)\Z")


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """Some records, and the cursor of the next page if there is one."""

    items: tuple[R, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """What every list call takes, beside what is its own.

    Attributes:
        filter: Expression in the platform's filter grammar.
        order_by: Name of a field.
        order_desc: Largest first.
        at_time: The list as it was then.
    """

    filter: str | None = None
    order_by: str | None = None
    order_desc: bool | None = None
    at_time: datetime | None = None

    def query(self, size: int, cursor: str | None) -> list[tuple[str, str]]:
        query = [("limit", str(size))]
        if self.filter:
            query.append(("filter", self.filter))
        if self.order_by:
            query.append(("order-by", self.order_by))
        if self.order_desc is not None:
            query.append(("order-desc", "true" if self.order_desc else "false"))
        if self.at_time:
            query.append(("at-time", instant(self.at_time)))
        if cursor:
            query.append(("page", cursor))
        return query


def page(reply: Fields, read: Callable[[Fields], R]) -> Page[R]:
    return Page(tuple(read(item) for item in reply.each("items")), next_cursor(reply))


def next_cursor(reply: Fields) -> str | None:
    """The `page` parameter of the link called next, decoded once."""
    links = reply.any("links")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("rel") == "next" and isinstance(link.get("href"), str):
            if plain := _PLAIN.search(link["href"]):
                return plain[1]
            try:
                values = parse_qs(urlsplit(link["href"]).query).get("page")
            except ValueError:
                return None  # not an address; the items that came are still good
            return values[0] if values else None
    return None
