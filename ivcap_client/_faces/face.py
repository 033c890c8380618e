"""What every subject of `IVCAP` builds on: its two ports, and how records become handles."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ivcap_client._core.pages import Page
from ivcap_client._core.port import Port
from ivcap_client.paging import Pager

if TYPE_CHECKING:
    from ivcap_client.ivcap import IVCAP

R = TypeVar("R")
T = TypeVar("T")


class Face:
    """Part of `IVCAP`; never used alone."""

    _port: Port
    _async_port: Port

    @property
    def _whole(self) -> IVCAP:
        return cast("IVCAP", self)

    def _pager(
        self,
        fetch: Callable[[Port, int, str | None], Coroutine[Any, Any, Page[R]]],
        wrap: Callable[[R], T],
        limit: int | None,
        cursor: str | None = None,
    ) -> Pager[T]:
        return Pager((self._port, self._async_port), fetch, wrap, limit, cursor)
