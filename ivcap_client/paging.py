"""Listings that fetch a page when it is needed, for `for` and for `async for`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine
from operator import index
from typing import Any, Generic, TypeVar

from ivcap_client._core.pages import MOST_ON_A_PAGE, Page
from ivcap_client._core.port import Port, run
from ivcap_client.exception import InvalidInput

__all__ = ["Pager"]

R = TypeVar("R")
T = TypeVar("T")


class Pager(Generic[T]):
    """An iterator over a listing. It asks for nothing until it is used, and never for more than `limit` needs.

    Use it with `for` or with `async for`, not with both at once.
    """

    def __init__(
        self,
        ports: tuple[Port, Port],
        fetch: Callable[[Port, int, str | None], Coroutine[Any, Any, Page[R]]],
        wrap: Callable[[R], T],
        limit: int | None,
        cursor: str | None = None,
    ) -> None:
        if limit is not None and (not hasattr(limit, "__index__") or index(limit) < 0):
            raise InvalidInput(f"limit: a whole number from 0 on, or None for all, is wanted; {limit!r} was given")
        self._port, self._async_port = ports
        self._fetch, self._wrap, self._left = fetch, wrap, limit
        self._waiting: deque[Any] = deque()
        self._cursor = cursor
        self._seen = {cursor}
        self._more = True

    def __iter__(self) -> Pager[T]:
        return self

    def __next__(self) -> T:
        # What comes next is there already, for most of a listing.
        if (not self._waiting or self._left == 0) and not self.has_next():
            raise StopIteration
        if self._left is not None:
            self._left -= 1
        return self._wrap(self._waiting.popleft())

    def __aiter__(self) -> Pager[T]:
        return self

    async def __anext__(self) -> T:
        if not await self.has_next_async():
            raise StopAsyncIteration
        return self._taken()

    def has_next(self) -> bool:
        """Whether another item follows; asks the platform where that is not known yet."""
        return self._waits() or run(self._filled(self._port))

    async def has_next_async(self) -> bool:
        """`has_next` for async code."""
        return self._waits() or await self._filled(self._async_port)

    @property
    def cursor(self) -> str | None:
        """Where the listing goes on after the items fetched so far."""
        return self._cursor

    async def _filled(self, port: Port) -> bool:
        # A page may be empty and still have a next one.
        while not self._waiting and self._more and self._left != 0:
            size = MOST_ON_A_PAGE if self._left is None else min(self._left, MOST_ON_A_PAGE)
            page = await self._fetch(port, size, self._cursor)
            self._waiting.extend(page.items)
            # A cursor that comes back would lead round in a circle.
            self._more = page.next not in self._seen | {None}
            self._cursor = page.next
            self._seen.add(page.next)
        return self._waits()

    def _waits(self) -> bool:
        return bool(self._waiting) and self._left != 0

    def _taken(self) -> T:
        if self._left is not None:
            self._left -= 1
        return self._wrap(self._waiting.popleft())
