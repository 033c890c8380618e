"""Services are found by words in their names, parameters and descriptions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ivcap_mcp.search import Document, rank

DOCUMENTS = [
    Document("co2", "co2_trend", "series harmonics", "Analyse an atmospheric CO2 record: growth rate, seasonal cycle."),
    Document("rain", "rainfall_map", "region resolution", "Interpolate rain gauges to a map."),
    Document("soil", "soil_moisture", "region depth", "Estimate moisture from radar; uses a map of soils."),
]


def names(query: str) -> list[str]:
    return [key for key, _ in rank(query, DOCUMENTS)]


def test_a_name_counts_more_than_a_description() -> None:
    assert names("map")[0] == "rain"
    assert names("map") == ["rain", "soil"]


def test_plurals_and_beginnings_of_words_are_found() -> None:
    assert names("trends")[0] == "co2"
    assert names("season") == ["co2"]


def test_parameters_are_searched_and_nothing_is_found_for_other_words() -> None:
    assert names("depth") == ["soil"]
    assert names("genome") == []


def test_an_empty_query_lists_all_by_name() -> None:
    assert names("") == ["co2", "rain", "soil"]


@given(st.text(max_size=50))
def test_any_query_is_answered_best_first(query: str) -> None:
    scores = [score for _, score in rank(query, DOCUMENTS)]
    assert scores == sorted(scores, reverse=True)
