"""Services are found by words in their names, parameters and descriptions."""

from __future__ import annotations

import mcp_types as t
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client

from ivcap_mcp.finding import fused
from ivcap_mcp.search_lexicon import Lexicon
from ivcap_mcp.search_terms import Document, rank
from ivcap_mcp.search_words import words
from ivcap_mcp.server import IvcapServer
from ivcap_mcp.tools.services import UNSURE
from tests.mcp.clients import listed, text

DOCUMENTS = [
    Document("co2", "co2_trend", "series harmonics", "Analyse an atmospheric CO2 record: growth rate, seasonal cycle."),
    Document("rain", "rainfall_map", "region resolution", "Interpolate rain gauges to a map."),
    Document("soil", "soil_moisture", "region depth", "Estimate moisture from radar; uses a map of soils."),
]


def names(query: str) -> list[str]:
    return [key for key, _ in rank(query, DOCUMENTS)]


def test_a_name_counts_more_than_a_description() -> None:
    assert names("map")[0] == "rain"
    assert names("map")[:2] == ["rain", "soil"]


def test_plurals_and_beginnings_of_words_are_found() -> None:
    assert names("trends")[0] == "co2"
    assert names("season")[0] == "co2"


def test_parameters_are_searched_and_nothing_is_found_for_other_words() -> None:
    assert names("depth")[0] == "soil"
    assert names("genome") == []


def test_an_empty_query_lists_all_by_name() -> None:
    assert names("") == ["co2", "rain", "soil"]


@given(st.text(max_size=50))
def test_any_query_is_answered_best_first(query: str) -> None:
    scores = [score for _, score in rank(query, DOCUMENTS)]
    assert scores == sorted(scores, reverse=True)


def test_other_words_for_the_same_thing_are_found() -> None:
    assert names("carbon dioxide")[0] == "co2"
    assert names("wetness of the ground")[0] == "soil"
    assert names("precipitation")[0] == "rain"


def test_british_and_american_spellings_are_the_same_word() -> None:
    assert words("analyse colour haematology behaviour modelling optimisation") == words(
        "analyze color hematology behavior modeling optimization"
    )


def test_an_unknown_word_finds_what_looks_like_it() -> None:
    assert names("interpolatoin")[0] == "rain"


def test_a_lexicon_has_synonyms_kinds_and_words_that_only_ask() -> None:
    known = Lexicon("! to, of\n? data\np q, c > d\ne => c\n")
    assert known.silent == {"of", "to"}
    assert [(found.start, found.length) for found in known.asked(["x", "p", "q"])] == [(1, 2)]
    assert known.asked(["e"])
    assert not known.told(["e"])


def test_two_rankings_are_joined_by_places_and_nothing_is_lost() -> None:
    ours = [("a", 2.0), ("b", 1.0)]
    assert fused(ours, []) == ours
    assert fused(ours, ["b"]) == [("b", 1.0), ("a", 2.0)]
    assert {name for name, _ in fused(ours, ["z"])} == {"a", "b", "z"}
    assert dict(fused(ours, ["z"]))["z"] == 0.0


async def search(server: IvcapServer, mode: str, query: str) -> t.CallToolResult:
    async with Client(server, mode=mode) as client:
        await listed(client, "rehearsal")
        return await client.call_tool("search_services", {"query": query})


@pytest.mark.anyio
async def test_the_tool_says_when_probably_nothing_fits(server: IvcapServer, mode: str) -> None:
    found = await search(server, mode, "rehearse a long job with progress")
    assert found.structured_content is not None
    assert found.structured_content["confident"] is True
    assert found.structured_content["services"][0]["tool"] == "rehearsal"
    missed = await search(server, mode, "book a table for two at the harbour")
    assert missed.structured_content is not None
    assert missed.structured_content["confident"] is False
    assert not missed.structured_content["services"] or text(missed).startswith(UNSURE)
