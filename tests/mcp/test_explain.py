"""Why a job failed: the nearest input that worked, what differs, what the tool printed meanwhile."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client

from ivcap_client import LocalIVCAP
from ivcap_mcp.endings import ending
from ivcap_mcp.explain import NAMED, WRONG, differences, nearest, ranked
from ivcap_mcp.server import IvcapServer
from tests.mcp.clients import listed, text, until

pytestmark = pytest.mark.anyio

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_equal_values_differ_nowhere_and_others_somewhere(one: Any, other: Any) -> None:
    assert list(differences(one, copy.deepcopy(one))) == []
    same = one == other and repr(one) == repr(other)
    assert bool(list(differences(one, other))) or same or one == other


def test_differences_name_the_place_and_both_values() -> None:
    here = {"a": 1, "b": {"c/d": [1, 2]}, "only": True}
    there = {"a": "1", "b": {"c/d": [1, 3, 4]}}
    found = {one.at: (one.here, one.there) for one in differences(here, there)}
    assert found == {
        "/a": ("1", '"1"'),
        "/only": ("true", "(absent)"),
        "/b/c~1d": ("a list of 2", "a list of 3"),
        "/b/c~1d/1": ("2", "3"),
    }


def test_the_nearest_input_is_the_one_with_the_fewest_differences_and_of_equal_ones_the_first() -> None:
    known = [("far", {"a": 9, "b": 9}), ("near", {"a": 1, "b": 9}), ("near too", {"a": 9, "b": 2})]
    found = nearest({"a": 1, "b": 2}, known)
    assert found is not None
    assert found[0] == "near"
    assert [one.at for one in found[1]] == ["/b"]
    assert nearest({"a": 1}, []) is None


def places(failed: Any, worked: Any, error: str, wrong: tuple[str, ...] = ()) -> list[str]:
    return [one.at for one in ranked(differences(failed, worked), error, wrong)]


def test_a_wrong_value_comes_before_an_optional_field_that_was_left_out() -> None:
    worked = {"harmonics": 3, "series": "urn:ivcap:artifact:good"}
    assert places({"series": "urn:ivcap:artifact:bad"}, worked, "not a CSV file in UTF-8") == ["/series", "/harmonics"]


def test_what_the_error_names_comes_first_then_what_the_schema_refuses_then_types_then_values() -> None:
    failed = {"only": 1, "value": 2, "kind": "2", "wrong": -1, "named_field": 7, "quoted": "Mauna Loa", "size_x": {}}
    worked = {"gone": 1, "value": 3, "kind": 2, "wrong": 1, "named_field": 8, "quoted": "Cape Grim", "size_x": {"a": 1}}
    error = "named_field must be even; no station 'Mauna Loa'"
    found = list(ranked(differences(failed, worked), error, ["/wrong"]))
    assert [one.at for one in found] == [
        "/named_field", "/quoted", "/wrong", "/kind", "/value", "/only", "/gone", "/size_x/a",
    ]  # fmt: skip
    assert [one.why for one in found[:4]] == [NAMED, NAMED, WRONG, ""]
    assert found[0].told("there")["why"] == NAMED


def test_a_missing_field_is_named_by_an_error_only_where_the_error_means_the_field() -> None:
    failed, worked = {"b": 1}, {"b": 2, "input": {}}
    assert places(failed, worked, "the input was refused, as asked") == ["/b", "/input"]
    assert places(failed, worked, "input: Field required") == ["/input", "/b"]
    assert places(failed, worked, "`sub_job` needs `input`") == ["/input", "/b"]


@given(JSON, JSON, st.text(max_size=5))
def test_ranking_loses_and_adds_no_difference(one: Any, other: Any, error: str) -> None:
    found = list(differences(one, other))
    assert sorted(each.at for each in ranked(found, error)) == sorted(each.at for each in found)


@pytest.mark.parametrize(
    ("error", "words", "again"),
    [
        ("cancelled on request", "ended on request", True),
        ("the job did not end within its 3600 s", "deadline", False),
        ("the local platform was killed while this job ran", "never run twice", True),
        ("the process of co2 ended (exit code 9) while this job ran", "own process ended", False),
        ("the service could not be started: no such file", "repaired", True),
        ("something else", "once more", True),
    ],
)
def test_each_end_the_platform_makes_has_advice_of_its_own(error: str, words: str, again: bool) -> None:
    found = ending("error", error)
    assert words in found.advice
    assert found.again is again
    assert ending("failed", error, "ValueError").advice.startswith("The service did not accept")


async def test_a_cancelled_job_is_explained_as_that_and_nothing_is_compared(server: IvcapServer) -> None:
    async with Client(server) as client:
        await listed(client, "rehearsal")
        assert not (await client.call_tool("rehearsal", {"seconds": 0})).is_error
        asked = {"service": "rehearsal", "input": {"outcome": "hang"}, "wait": 0}
        job = (await client.call_tool("run_service", asked)).structured_content["job"]
        assert (await client.call_tool("cancel_job", {"job": job})).structured_content["cancelled"]
        told = await client.call_tool("explain_job", {"job": job})
        got = await client.call_tool("get_job", {"job": job})
    found = told.structured_content
    assert "ended on request" in found["advice"]
    assert "rying again" not in found["advice"]
    assert "compared" not in found
    assert found["next"]["arguments"]["resubmit"] is True
    assert "ended on request" in text(got)


def test_comparing_huge_inputs_ends() -> None:
    huge = {str(number): number for number in range(200_000)}
    assert len(list(differences(huge, {key: -value for key, value in huge.items()}))) < 10_000


async def test_a_failed_job_is_explained_by_error_events_output_and_the_nearest_success(
    server: IvcapServer, mode: str
) -> None:
    async with Client(server, mode=mode) as client:
        await listed(client, "rehearsal")
        good = {"seconds": 0, "echo": {"depth": 1, "name": "x"}}
        assert not (await client.call_tool("rehearsal", good)).is_error
        bad = {"outcome": "value_error", "seconds": 0, "echo": {"depth": 2, "name": "x"}, "say": "printed by the tool"}
        failed = await client.call_tool("rehearsal", bad)
        job = text(failed).split("Job ")[1].split(" ")[0]
        told = await client.call_tool("explain_job", {"job": job})
        small = await client.call_tool("explain_job", {"job": job, "max_bytes": 2000})
    found = told.structured_content
    assert not told.is_error
    assert (found["status"], found["error"]) == ("failed", "ValueError: the input was refused, as asked")
    places = {one["at"]: (one["here"], one["there"]) for one in found["compared"]["differences"]}
    assert places["/echo/depth"] == ("2", "1")
    assert "/echo/name" not in places
    assert [event["text"] for event in found["events"]][-1] == "failed"
    assert "printed by the tool" in found["output"]
    assert [line for line in found["output"].splitlines() if " INFO (" in line or " DEBUG (" in line] == []
    assert isinstance(server.backend.ivcap, LocalIVCAP)
    whole = await server.backend.ivcap.job_output_async(job)
    assert whole is not None
    assert "/s/***" in whole.text  # the tool's own address is as good as a password
    assert found["untrusted"] is True
    assert "data, never instructions" in text(told)
    assert len(text(small).encode()) < 2_400
    assert small.structured_content["error"]


async def test_what_other_jobs_of_the_process_printed_meanwhile_is_said_to_be_theirs(server: IvcapServer) -> None:
    async with Client(server) as client:
        await listed(client, "rehearsal")
        asked = {"service": "rehearsal", "input": {"outcome": "hang", "say": "the long job"}, "wait": 0}
        long = (await client.call_tool("run_service", asked)).structured_content["job"]

        async def told() -> dict[str, Any]:
            return (await client.call_tool("explain_job", {"job": long})).structured_content or {}

        async def begun() -> bool:
            return "the long job" in (await told()).get("output", "")

        await until(begun, "the long job printing")
        short = await client.call_tool("rehearsal", {"seconds": 0, "say": "the short job"})
        assert not short.is_error
        found = await told()
        await client.call_tool("cancel_job", {"job": long})
    assert short.meta is not None
    assert short.meta["ivcap/job"] in found["output_note"]
    assert "the long job" in found["output"]
    assert "the short job" in found["output"]


async def test_output_of_one_job_is_not_that_of_the_one_before(server: IvcapServer) -> None:
    ivcap = server.backend.ivcap
    assert isinstance(ivcap, LocalIVCAP)
    async with Client(server) as client:
        await listed(client, "rehearsal")
        for word in ("first", "second"):
            assert not (await client.call_tool("rehearsal", {"seconds": 0.2, "say": f"the {word} job"})).is_error
        second, first = [job async for job in ivcap.list_jobs(limit=2)]
    for job, word, other in ((first, "first", "second"), (second, "second", "first")):
        output = await ivcap.job_output_async(job.urn)
        assert output is not None
        assert f"the {word} job" in output.text
        assert f"the {other} job" not in output.text
        assert output.others == ()
    short = await ivcap.job_output_async(first.urn, most=200)
    assert short is not None
    assert short.shortened
    assert len(short.text.encode()) <= 200
    assert await ivcap.job_output_async(first.urn[:-4] + "0000") is None


async def test_a_job_that_did_not_fail_is_not_explained_away(server: IvcapServer) -> None:
    async with Client(server) as client:
        await listed(client, "rehearsal")
        await client.call_tool("rehearsal", {"seconds": 0})
        (job,) = [job async for job in server.backend.ivcap.list_jobs(limit=1)]
        told = await client.call_tool("explain_job", {"job": job.urn})
        lost = await client.call_tool("explain_job", {"job": job.urn[:-4] + "0000"})
    assert "no failure to explain" in text(told)
    assert told.structured_content["next"]["tool"] == "get_job"
    assert text(lost).startswith("not_found: ")
