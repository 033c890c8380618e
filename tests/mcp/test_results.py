"""Results fit into a model's context: shortened with their true size, read on by pointer and window."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivcap_mcp.errors import ToolError
from ivcap_mcp.fitting import fitted
from ivcap_mcp.results import artifacts_in, pointed, window

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=300)),
    lambda inner: st.one_of(st.lists(inner, max_size=30), st.dictionaries(st.text(max_size=20), inner, max_size=30)),
    max_leaves=300,
)


@given(values, st.integers(500, 5_000))
def test_a_value_is_whole_or_shortened_to_the_limit(value: Any, most: int) -> None:
    size = len(json.dumps(value, ensure_ascii=False).encode())
    shown, told = fitted(value, most)
    assert len(json.dumps(shown, ensure_ascii=False).encode()) <= most or told is None
    assert (shown == value and told is None) if size <= most else told == size


def test_fifty_megabytes_are_shortened() -> None:
    value = {"rows": [{"number": number, "text": "x" * 50} for number in range(700_000)]}
    shown, size = fitted(value, 60_000)
    assert size is not None
    assert size > 50_000_000
    assert "700000 entries in all" in shown["rows"][-1]


URN = "urn:ivcap:artifact:00000000-0000-4000-8000-00000000000"


def test_artifacts_are_found_in_order_each_once_and_bounded() -> None:
    value = {"a": f"see {URN}1", "b": [f"{URN}2", {"c": f"{URN}1"}], "d": "urn:ivcap:artifact:none"}
    assert artifacts_in(value) == [f"{URN}1", f"{URN}2"]
    assert (
        artifacts_in([f"urn:ivcap:artifact:00000000-0000-4000-8000-{n:012}" for n in range(50)], most=5)[-1][-1] == "4"
    )


def test_a_pointer_leads_into_a_value_or_says_how_far_it_led() -> None:
    value = {"rows": [{"a/b": 1, "m~n": 2}]}
    assert pointed(value, "") == value
    assert pointed(value, "/rows/0/a~1b") == 1
    assert pointed(value, "/rows/0/m~0n") == 2
    for lost, words in (
        ("/rows/7", "a list of 1"),
        ("/none", "rows"),
        ("/rows/0/a~1b/x", "a plain value"),
        ("rows", "/"),
    ):
        with pytest.raises(ToolError, match=words):
            pointed(value, lost)


@given(st.lists(st.integers(), max_size=50), st.integers(0, 60), st.integers(1, 20))
def test_windows_cover_a_list_without_gap_or_overlap(items: list[int], offset: int, limit: int) -> None:
    found: list[int] = []
    onward: int | None = min(offset, len(items))
    while onward is not None:
        part, total, onward = window(items, onward, limit)
        assert total == len(items)
        found += part
    assert found == items[offset:]
