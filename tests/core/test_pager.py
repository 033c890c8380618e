"""Listings that ask for a page when it is needed, and never for more."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivcap_client._core.pages import Page
from ivcap_client._core.port import Port
from ivcap_client.exception import InvalidInput
from ivcap_client.paging import Pager
from tests.core.scripted import Scripted


class Listing:
    """Pages from a script; the cursor is the number of the next one."""

    def __init__(self, pages: Sequence[Sequence[int]], last: str | None = None) -> None:
        self.pages, self.last = pages, last
        self.asked: list[tuple[int, str | None]] = []

    async def fetch(self, port: Port, size: int, cursor: str | None) -> Page[int]:
        self.asked.append((size, cursor))
        number = int(cursor or 0)
        following = str(number + 1) if number + 1 < len(self.pages) else self.last
        return Page(tuple(self.pages[number]), following)

    def pager(self, limit: int | None, cursor: str | None = None) -> Pager[str]:
        port = Scripted()
        return Pager((port, port), self.fetch, str, limit, cursor)


@given(
    pages=st.lists(st.lists(st.integers(), max_size=5), min_size=1, max_size=6), limit=st.none() | st.integers(0, 20)
)
def test_a_listing_gives_all_items_in_order_up_to_its_limit(pages: list[list[int]], limit: int | None) -> None:
    listing = Listing(pages)
    everything = [str(item) for page in pages for item in page]
    assert list(listing.pager(limit)) == (everything if limit is None else everything[:limit])
    assert all(limit is None or size <= limit for size, _ in listing.asked)


def test_nothing_is_asked_before_it_is_used_and_nothing_for_no_items() -> None:
    listing = Listing([[1]])
    listing.pager(10)
    assert list(listing.pager(0)) == []
    assert not listing.pager(0).has_next()
    assert listing.asked == []


def test_an_empty_page_with_a_next_one_is_passed_over() -> None:
    pager = Listing([[], [], [1]]).pager(None)
    assert pager.has_next()
    assert list(pager) == ["1"]
    assert not pager.has_next()


def test_no_page_is_asked_for_when_the_limit_is_reached() -> None:
    listing = Listing([[1, 2], [3]])
    assert list(listing.pager(2)) == ["1", "2"]
    assert listing.asked == [(2, None)]


def test_has_next_takes_nothing() -> None:
    pager = Listing([[1], [2]]).pager(None)
    assert [pager.has_next(), next(pager), pager.has_next(), next(pager), pager.has_next()] == [
        True,
        "1",
        True,
        "2",
        False,
    ]


@pytest.mark.parametrize("last", ["0", "1", "2"])
def test_a_cursor_that_comes_back_ends_the_listing(last: str) -> None:
    listing = Listing([[1], [2], [3]], last)
    assert list(listing.pager(None, "0")) == ["1", "2", "3"]


def test_a_listing_goes_on_from_a_cursor_and_tells_where_it_stands() -> None:
    listing = Listing([[1], [2], [3]])
    pager = listing.pager(1, "1")
    assert (list(pager), pager.cursor) == (["2"], "2")


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(InvalidInput):
        Listing([]).pager(-1)
