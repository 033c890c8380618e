"""Names of service tools."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivcap_mcp.naming import Nameable, assign_names, tool_name

LEGAL = re.compile(r"[a-z0-9_]{1,40}")
T0 = datetime(2025, 1, 1, tzinfo=UTC)

texts = st.text(max_size=60) | st.sampled_from(["", "a", "A b", "!!!", "日本", "x" * 41, "get_job", "service"])
services = st.lists(
    st.builds(
        Nameable,
        urn=st.uuids().map(lambda each: f"urn:ivcap:service:{each}"),
        name=st.none() | texts,
        service_name=st.none() | texts,
        valid_from=st.none() | st.integers(0, 3).map(lambda days: T0 + timedelta(days=days)),
    ),
    max_size=12,
    unique_by=lambda each: each.urn,
)


def test_a_good_name_is_kept() -> None:
    assert tool_name("double_it", "urn:1", ()) == "double_it"


def test_capitals_blanks_and_accents_become_plain_letters() -> None:
    assert tool_name("Größe  der Fläche!", "urn:1", ()) == "grosse_der_flache"


def test_a_name_that_is_taken_gets_a_mark_of_the_urn() -> None:
    first, second = tool_name("a", "urn:1", {"a"}), tool_name("a", "urn:2", {"a"})
    assert first != second
    assert re.fullmatch(r"a_[0-9a-f]{8}", first)


def test_a_name_that_is_cut_gets_a_mark_of_the_urn() -> None:
    name = tool_name("word_" * 20, "urn:1", ())
    assert len(name) <= 40
    assert re.fullmatch(r"[a-z0-9_]+[a-z0-9]_[0-9a-f]{8}", name)


@pytest.mark.parametrize("name", [None, "", "  ", "!?", "日本"])
def test_a_useless_name_is_replaced_by_the_name_of_the_service(name: str | None) -> None:
    assert tool_name(name, "urn:1", (), service_name="Double It") == "double_it"


def test_without_any_name_the_urn_makes_one() -> None:
    assert re.fullmatch(r"service_[0-9a-f]{8}", tool_name(None, "urn:1", (), service_name="…"))


def test_no_room_for_a_mark_is_refused() -> None:
    with pytest.raises(ValueError, match="16"):
        tool_name("a", "urn:1", (), most=10)


@given(name=st.none() | texts, urn=st.text(), most=st.integers(16, 40), turns=st.integers(0, 4))
def test_every_name_is_legal_and_free_even_when_its_marks_are_taken(
    name: str | None, urn: str, most: int, turns: int
) -> None:
    taken: set[str] = set()
    for _ in range(turns + 1):
        made = tool_name(name, urn, taken, most=most)
        assert LEGAL.fullmatch(made)
        assert len(made) <= most
        assert made not in taken
        taken.add(made)


@given(services, st.randoms())
def test_each_service_gets_one_legal_name_whatever_the_order(given_services: list[Nameable], random: object) -> None:
    names = assign_names(given_services, {"get_job"})
    assert names.keys() == {each.urn for each in given_services}
    assert len({*names.values(), "get_job"}) == len(names) + 1
    assert all(LEGAL.fullmatch(name) for name in names.values())
    assert assign_names(list(reversed(given_services)), {"get_job"}) == names


@given(services, services)
def test_a_published_name_stays_when_other_services_come(before: list[Nameable], more: list[Nameable]) -> None:
    published = assign_names(before, {"get_job"})
    after = assign_names([*before, *more], {"get_job"}, published)
    assert {urn: after[urn] for urn in published} == published


def test_of_two_with_one_name_the_oldest_aspect_keeps_it() -> None:
    older = Nameable("urn:z", "a", valid_from=T0)
    newer = Nameable("urn:a", "a", valid_from=T0 + timedelta(days=1))
    names = assign_names([newer, older], ())
    assert names["urn:z"] == "a"
    assert names["urn:a"].startswith("a_")


def test_moments_without_a_zone_are_compared_as_utc() -> None:
    names = assign_names([Nameable("1", "a", valid_from=T0), Nameable("2", "a", valid_from=datetime(2024, 1, 1))], ())
    assert names["2"] == "a"


def test_a_name_of_a_service_that_is_gone_is_given_to_no_other() -> None:
    names = assign_names([Nameable("urn:new", "a")], (), {"urn:gone": "a"})
    assert names["urn:new"] != "a"


def test_a_service_that_was_renamed_gets_its_new_name() -> None:
    assert assign_names([Nameable("urn:1", "new")], (), {"urn:1": "old"}) == {"urn:1": "new"}


def test_a_service_cannot_shadow_a_built_in_tool() -> None:
    assert assign_names([Nameable("urn:1", "get_job")], {"get_job"}, {"urn:1": "get_job"})["urn:1"] != "get_job"
