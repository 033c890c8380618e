"""Services, jobs and paging: what the public SDK gets wrong, and what we do."""

from __future__ import annotations

import asyncio
import inspect
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ivcap_client import IVCAP, Job, Service
from ivcap_client.exception import (
    AmbiguousRequest,
    InvalidInput,
    JobFailed,
    JobTimeout,
    ProtocolError,
    ResourceNotFound,
)
from ivcap_client.job import JobStatus
from ivcap_client.service import ServiceParameter
from tests.client.defects.conftest import Table

URN = "urn:ivcap:service:00000000-0000-0000-0000-000000000001"
JOB = "urn:ivcap:job:00000000-0000-0000-0000-000000000002"
AT = f"/1/services2/{URN.replace(':', '%3A')}"
ENDED = {"id": JOB, "status": "succeeded", "service": URN, "result-content": {"sum": 3}}


def service(ivcap: IVCAP) -> Service:
    return ivcap.get_service(URN)


def test_j1_parameters_without_options_are_read(ivcap: IVCAP, table: Table) -> None:
    table("GET", AT, {"id": URN, "parameters": [{"name": "max-depth", "type": "int", "description": "d"}]})
    assert service(ivcap).refresh().parameters["max_depth"].options == []


class Stream:
    """Something that reads and is nothing else."""

    def read(self) -> str:
        return '{"a": 1}'


@pytest.mark.parametrize("data", [{"a": 1}, io.StringIO('{"a": 1}'), io.BytesIO(b'{"a": 1}'), Stream()])
def test_j2_j3_dicts_and_anything_that_reads_are_sent_as_json(ivcap: IVCAP, table: Table, data: Any) -> None:
    table("POST", f"{AT}/jobs", {"job-id": JOB}, status=202)
    assert service(ivcap).request_job(data).urn == JOB  # a warning would be an error here
    (asked,) = table.asked("POST")
    assert json.loads(asked.body) == {"a": 1}
    assert asked.headers["content-type"] == "application/json"


@pytest.mark.parametrize(("timeout", "sent"), [(0, "0"), (1.5, "2"), (3.0, "3"), (600, "20")])
def test_j4_a_time_limit_goes_out_in_whole_seconds_that_a_platform_will_hold(
    ivcap: IVCAP, table: Table, timeout: float, sent: str
) -> None:
    table("POST", f"{AT}/jobs", {"sum": 3}, IVCAP_Job_Id=JOB)
    service(ivcap).request_job({}, timeout=timeout)
    assert table.asked("POST")[0].headers["timeout"] == sent


def test_j4_without_a_limit_the_end_is_waited_for(ivcap: IVCAP, table: Table) -> None:
    table("POST", f"{AT}/jobs", {"job-id": JOB}, status=202)
    table("GET", f"{AT}/jobs/", ENDED)
    job = service(ivcap).request_job({}, timeout=None)
    assert (job.ended, job.result) == (True, {"sum": 3})
    assert table.asked("POST")[0].headers["timeout"] == "0"


@pytest.mark.parametrize("status", [201, 202])
def test_j5_any_good_status_with_a_job_in_it_is_a_job(ivcap: IVCAP, table: Table, status: int) -> None:
    table("POST", f"{AT}/jobs", {"job-id": JOB}, status=status)
    assert service(ivcap).request_job({}).urn == JOB


def test_j6_an_inline_result_that_is_not_json_is_kept_as_it_is(ivcap: IVCAP, table: Table) -> None:
    table("POST", f"{AT}/jobs", b"a,b\n1,2\n", IVCAP_Job_Id=JOB, Content_Type="text/csv")
    assert service(ivcap).request_job({}, timeout=5).result == "a,b\n1,2\n"


def test_j6_a_result_of_a_job_without_a_name_is_an_error_and_no_job_without_id(ivcap: IVCAP, table: Table) -> None:
    table("POST", f"{AT}/jobs", {"sum": 3})
    with pytest.raises(ProtocolError, match="job-id"):
        service(ivcap).request_job({}, timeout=5)


def test_j7_an_inline_result_is_never_lost(ivcap: IVCAP, table: Table) -> None:
    table("POST", f"{AT}/jobs", {"sum": 3}, IVCAP_Job_Id=JOB)
    table("GET", f"{AT}/jobs/", {key: ENDED[key] for key in ("id", "status", "service")})
    job = service(ivcap).request_job({}, timeout=5)
    assert job.finished
    job.refresh()
    assert job.result == {"sum": 3}


def test_j8_the_request_does_not_come_and_go_with_each_refresh(ivcap: IVCAP, table: Table) -> None:
    def answer(asked: Any) -> Any:
        told = {**ENDED, **({"request-content": {"a": 1}} if "with-request-content=true" in asked.path else {})}
        return type(table._answer(asked))(body=json.dumps(told).encode())

    table.server.answer = answer
    job = ivcap.job(JOB, URN)
    assert [job.refresh().request for _ in range(3)] == [{"a": 1}] * 3


def test_j9_a_job_is_made_with_a_service_s_urn_or_without_one(ivcap: IVCAP, table: Table) -> None:
    assert Job(ivcap, id=JOB, service=URN).service == URN
    assert Job(ivcap, id=JOB).service is None
    with pytest.raises(InvalidInput):
        Job(None, id=JOB)  # type: ignore[arg-type]
    table("GET", f"{AT}/jobs", {"items": [{"id": JOB, "status": "executing", "service": URN}], "links": []})
    assert [job.service for job in ivcap.list_jobs(URN)] == [URN]


def test_j10_what_the_platform_says_of_a_job_is_kept(ivcap: IVCAP, table: Table) -> None:
    told = {"error-message": "no room", "tags": ["a"], "order": "urn:ivcap:order:1", "result-content-urn": "urn:x:1"}
    told["products"] = {"items": [{"id": "urn:ivcap:artifact:1"}], "links": []}  # type: ignore[assignment]
    table("GET", f"{AT}/jobs/", {"id": JOB, "status": "error", "service": URN, **told})
    job = ivcap.job(JOB, URN).refresh()
    assert (job.error, job.tags, job.order) == ("no room", ("a",), "urn:ivcap:order:1")
    assert (job.record.result_content_urn, job.record.products[0]["id"]) == ("urn:x:1", "urn:ivcap:artifact:1")
    with pytest.raises(JobFailed, match="no room"):
        job.value()


def test_j11_succeeded_async_is_a_method_like_its_siblings() -> None:
    names = ("succeeded_async", "finished_async", "status_async", "result_async", "refresh_async")
    assert all(inspect.iscoroutinefunction(getattr(Job, name)) for name in names)


def test_j12_a_job_s_service_is_a_urn_and_says_so(ivcap: IVCAP) -> None:
    assert Job(ivcap, id=JOB, service=URN).service == URN
    assert inspect.signature(Job.service.fget).return_annotation == "str | None"  # type: ignore[attr-defined]


def test_j13_whoever_waits_too_long_keeps_the_job(ivcap: IVCAP, table: Table) -> None:
    table("POST", f"{AT}/jobs", {"job-id": JOB}, status=202)
    table("GET", f"{AT}/jobs/", {"id": JOB, "status": "executing", "service": URN})

    async def work() -> JobTimeout:
        with pytest.raises(JobTimeout) as raised:
            await service(ivcap).request_job_async({}, max_wait_time=0.05)
        await ivcap.close_async()
        return raised.value

    error = asyncio.run(work())
    assert (error.job.urn, error.waited) == (JOB, 0.05)
    assert JOB in str(error)


def test_j14_what_the_platform_says_of_a_service_is_kept(ivcap: IVCAP, table: Table) -> None:
    told = {"tags": ["t"], "valid-from": "2024-01-01T00:00:00Z", "valid-to": "2025-01-01T00:00:00Z", "score": "0.5"}
    more = {"controller-schema": "urn:c:1", "banner": "https://b.example", "published-at": "2024-01-01T00:00:00Z"}
    table("GET", "/1/services2", {"items": [{"id": URN, **told, **more}], "links": []})
    (one,) = ivcap.list_services()
    when = datetime(2024, 1, 1, tzinfo=UTC)
    assert (one.tags, one.valid_from, one.score, one.controller_schema) == (("t",), when, 0.5, "urn:c:1")
    assert (one.valid_to, one.banner, one.published_at) == (when.replace(year=2025), "https://b.example", when)


def test_j15_parameters_have_one_spelling(ivcap: IVCAP, table: Table) -> None:
    table("GET", AT, {"id": URN, "parameters": [{"name": "max-depth", "type": "int", "description": "d"}]})
    one = service(ivcap).refresh()
    assert one.mandatory_parameters == set(one.parameters) == {"max_depth"}


def test_j16_values_are_checked_as_what_they_are_and_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    from ivcap_client.service import POption, PType

    ServiceParameter("n", PType.FLOAT).verify(1)
    for kind, value in ((PType.INT, True), (PType.FLOAT, False), (PType.INT, 1.5), (PType.OPTION, "c")):
        with pytest.raises(InvalidInput):
            ServiceParameter("n", kind, options=[POption("a")]).verify(value)
    assert capsys.readouterr() == ("", "")


def listed(*names: str) -> dict[str, Any]:
    return {"items": [{"id": f"{URN}{n}", "name": name} for n, name in enumerate(names)], "links": []}


def test_j17_a_name_is_a_name_and_no_pattern(ivcap: IVCAP, table: Table) -> None:
    table("GET", "/1/services2", listed("a_b", "axb", "a%b"))
    assert ivcap.get_service_by_name("a_b").name == "a_b"
    with pytest.raises(ResourceNotFound):
        ivcap.get_service_by_name("a%")
    table.rows.clear()
    table("GET", "/1/services2", listed("a", "a"))
    with pytest.raises(AmbiguousRequest, match=URN):
        ivcap.get_service_by_name("a")


def test_j18_an_agent_has_what_a_service_has(ivcap: IVCAP, table: Table) -> None:
    table("GET", AT, {"id": URN, "name": "n", "status": "active"})
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    tool = {"id": "urn:ivcap:aspect:1", "entity": URN, "schema": "urn:sd-core:schema.ai-tool.1"}
    table("GET", "/1/aspects", {"items": [{**tool, "content": {"name": "n", "fn_schema": schema}}], "links": []})
    agent = ivcap.get_agent(URN)
    assert (agent.status().value, agent.id, agent.name) == ("active", URN, "n")
    assert URN in repr(agent)

    async def work() -> Any:
        model = await agent.request_model_async()
        await ivcap.close_async()
        return model

    assert list(asyncio.run(work()).model_fields) == ["a"]


SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["colour"],
    "properties": {
        "colour": {"enum": ["red", "blue"], "description": "Which"},
        "size": {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]},
        "next": {"$ref": "#"},
        "named": {"type": "object", "additionalProperties": {"type": "integer"}},
        "kind": {"const": "a"},
        "all": {"allOf": [{"type": "integer"}, {"minimum": 3}]},
        "either": {"type": ["string", "null"]},
        "list": {"type": "array"},
        "with-hyphen": {"type": "integer", "maximum": 3},
    },
}


def test_j19_models_are_made_of_every_construct_and_send_only_what_was_given(ivcap: IVCAP, table: Table) -> None:
    table("GET", "/1/aspects", {"items": [tool_aspect(SCHEMA)], "links": []})
    model = service(ivcap).request_model
    given = {"colour": "red", "size": "x", "next": {"colour": "blue"}, "named": {"a": 1}, "kind": "a", "all": 4}
    given |= {"either": None, "list": [1, "x"], "with-hyphen": 2}
    assert model.model_validate(given).model_dump(by_alias=True, exclude_unset=True) == given
    assert model.model_validate({"colour": "red"}).model_dump(by_alias=True, exclude_unset=True) == {"colour": "red"}
    for wrong in ({}, {"colour": "green"}, {"colour": "red", "with-hyphen": 4}, {"colour": "red", "all": 1}):
        with pytest.raises(ValueError, match="validation error"):
            model.model_validate(wrong)
    assert model.model_fields["colour"].description == "Which"


def tool_aspect(schema: dict[str, Any]) -> dict[str, Any]:
    content = {"name": "n", "fn_schema": schema}
    return {"id": "urn:ivcap:aspect:1", "entity": URN, "schema": "urn:sd-core:schema.ai-tool.1", "content": content}


def test_j20_a_request_model_does_not_depend_on_how_its_page_ends(ivcap: IVCAP, table: Table) -> None:
    next_link = {"rel": "next", "type": "application/json", "href": "https://h/1/aspects?page=x"}
    table("GET", "/1/aspects", {"items": [tool_aspect(SCHEMA)], "links": [next_link]})
    table("GET", "/1/aspects", {"items": [], "links": []})
    assert "colour" in service(ivcap).request_model.model_fields
    table.rows.clear()
    table("GET", "/1/aspects", {"items": [], "links": []})
    table("GET", AT, {"id": URN})
    with pytest.raises(ResourceNotFound, match="neither a schema nor parameters"):
        ivcap.get_service(URN).request_model


def test_j21_a_status_is_equal_to_its_word() -> None:
    assert JobStatus("succeeded") == "succeeded"
    assert f"{JobStatus.FAILED}" == "failed"
    assert JobStatus.from_string("sublimated") is JobStatus.UNKNOWN


# Paging


def page(number: int, next: str | None) -> dict[str, Any]:
    links = [{"rel": "next", "type": "application/json", "href": next}] if next else []
    return {
        "items": [{"id": f"{URN}{number}"}] if number >= 0 else [],
        "links": links,
        "at-time": "2024-01-01T00:00:00Z",
    }


def test_p1_whether_another_item_follows_is_known(ivcap: IVCAP, table: Table) -> None:
    table("GET", "/1/services2", page(1, "https://h/1/services2?page=a"))
    table("GET", "/1/services2", page(-1, None))
    listing = ivcap.list_services(limit=None)
    assert listing.has_next()
    next(listing)
    assert not listing.has_next()


def test_p2_an_empty_page_does_not_end_a_listing(ivcap: IVCAP, table: Table) -> None:
    for each in (page(-1, "https://h/1/services2?page=a"), page(2, None)):
        table("GET", "/1/services2", each)
    assert [one.id for one in ivcap.list_services()] == [f"{URN}2"]


@pytest.mark.parametrize("href", ["?limit=3&page=a%2Bb%3D&x=1", "https://h/1/services2?page=a%2Bb%3D&limit=2"])
def test_p3_a_cursor_is_read_out_of_any_query_and_decoded_once(ivcap: IVCAP, table: Table, href: str) -> None:
    for each in (page(1, href), page(2, None)):
        table("GET", "/1/services2", each)
    assert len(list(ivcap.list_services(filter="name~='x'"))) == 2
    second = table.server.asked[1].path
    assert "page=a%2Bb%3D" in second
    assert "filter=" in second


def test_p6_dates_are_dates(ivcap: IVCAP, table: Table) -> None:
    when = "2024-01-02T03:04:05.123456789+10:00"
    table("GET", "/1/artifacts", {"items": [{"id": "urn:ivcap:artifact:1", "created-at": when}], "links": []})
    (one,) = ivcap.list_artifacts()
    assert one.created_at is not None
    assert one.created_at.astimezone(UTC) == datetime(2024, 1, 1, 17, 4, 5, 123456, tzinfo=UTC)
