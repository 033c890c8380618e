"""Orders and what the platform answers to them, jobs in every shape, requests from everything that can be one."""

from __future__ import annotations

import dataclasses
import io
import json
from typing import Any

import pydantic
import pytest

from ivcap_client._core import jobs
from ivcap_client._core.inputs import request_body
from ivcap_client._core.jobs import JobRecord, job_record, ordered
from ivcap_client._core.messages import Response
from ivcap_client._core.port import run
from ivcap_client._core.wire import Fields
from ivcap_client.exception import InvalidInput, ProtocolError, ResourceNotFound
from tests.core.scripted import JOB, SERVICE, Scripted, ok


def order(reply: Response) -> JobRecord:
    return ordered(reply, SERVICE, "order job")


@pytest.mark.parametrize("status", [200, 201, 202])
def test_an_order_that_was_taken_gives_a_scheduled_job(status: int) -> None:
    told = json.dumps({"job-id": JOB, "location": "x", "retry-later": 1.5, "service-id": SERVICE}).encode()
    job = order(ok(told, status=status))
    assert (job.id, job.status, job.service, job.retry_later, job.has_result) == (JOB, "scheduled", SERVICE, 1.5, False)


@pytest.mark.parametrize(
    ("kind", "body", "result"),
    [
        ("application/json", b'{"a": 1}', {"a": 1}),
        ("application/json; charset=utf-8", b"null", None),
        ("application/vnd.ivcap.urn:x:y", b"[1]", [1]),
        ("application/ld+json", b"{}", {}),
        ("application/json", b"not json", "not json"),
        ("application/json", b"[" * 100_000, "[" * 100_000),
        ("text/plain", "grün".encode(), "grün"),
        ("image/png", b"\x89PNG", b"\x89PNG"),
    ],
)
@pytest.mark.parametrize("by", [{"ivcap_job_id": JOB}, {"ivcap_job_url": f"https://p/1/services2/x/jobs/{JOB}?a=b"}])
def test_a_result_that_comes_with_the_answer_is_kept(
    kind: str, body: bytes, result: object, by: dict[str, Any]
) -> None:
    job = order(ok(body, 200, content_type=kind, **by))
    assert (job.id, job.status, job.has_result) == (JOB, "succeeded", True)
    assert job.result == result


@pytest.mark.parametrize("body", [b'{"a": 1}', b'{"id": "my own id"}', b"[]", b"<html>", b""])
def test_a_result_of_an_unnamed_job_is_refused_and_not_taken_for_a_job(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        order(ok(body))


def test_a_job_is_found_in_the_location_where_the_answer_names_it_nowhere_else() -> None:
    location = f"https://p/1/services2/x/jobs/{JOB.replace(':', '%3A')}"
    assert order(ok(json.dumps({"location": location}).encode(), status=202)).id == JOB
    assert order(ok(b"{}", status=202, location=location)).id == JOB
    with pytest.raises(ProtocolError, match="no job-id"):
        order(ok(b'{"location": "https://[/jobs/x"}', status=202))


def test_a_bare_uuid_becomes_a_urn() -> None:
    assert order(ok(b'{"job-id": "11111111-1111-4111-8111-111111111111"}', status=202)).id == JOB


@pytest.mark.parametrize(("hold", "sent"), [(0, "0"), (0.2, "1"), (5, "5"), (20, "20"), (300, "20"), (-1, "0")])
def test_the_platform_is_asked_to_hold_the_order_for_whole_seconds_within_bounds(hold: float, sent: str) -> None:
    port = Scripted([ok(json.dumps({"job-id": JOB}).encode(), status=202)])
    run(jobs.submit(port, SERVICE, b"{}", hold=hold, order="urn:ivcap:order:1", key="k"))
    (request,) = port.sent
    assert request.headers["timeout"] == sent
    assert (request.headers["ivcap-order-id"], request.headers["idempotency-key"]) == ("urn:ivcap:order:1", "k")
    assert not request.safe
    assert request.timeout is not None
    assert request.timeout >= float(sent) + 10


def test_a_key_that_no_header_can_carry_is_refused() -> None:
    with pytest.raises(InvalidInput):
        run(jobs.submit(Scripted(), SERVICE, b"{}", key="a\r\nb"))


@pytest.mark.parametrize(
    ("told", "status", "has"),
    [
        ({"status": "executing", "result-content": None}, "executing", False),
        ({"status": "succeeded", "result-content": None}, "succeeded", True),
        ({"status": "SUCCEEDED", "result_content": 0}, "succeeded", True),
        ({"status": "succeeded"}, "succeeded", False),
        ({"status": "paused"}, "paused", False),
        ({}, "unknown", False),
    ],
)
def test_a_job_is_read_whatever_is_left_out(told: dict[str, object], status: str, has: bool) -> None:
    job = job_record(Fields({"id": JOB, **told}, "read job"))
    assert (job.status, job.has_result) == (status, has)


def test_fields_nobody_knows_are_kept() -> None:
    job = job_record(Fields({"id": JOB, "new": 1, "products": {"items": [{"id": "a"}, 5]}}, "read job"))
    assert job.raw["new"] == 1
    assert job.products == ({"id": "a"},)


def test_the_service_of_a_job_is_found_through_its_aspect() -> None:
    content = {"id": JOB, "service-id": SERVICE, "status": "executing"}
    listed = {"items": [{"id": "urn:ivcap:aspect:1", "entity": JOB, "content": content}], "links": []}
    port = Scripted([ok(json.dumps(listed).encode())])
    assert run(jobs.service_of(port, JOB)) == SERVICE
    assert dict(port.sent[0].query)["entity"] == JOB
    with pytest.raises(ResourceNotFound):
        run(jobs.service_of(Scripted([ok(b'{"items": []}')]), JOB))


class Point(pydantic.BaseModel):
    x: int = pydantic.Field(alias="the-x")
    y: int | None = None


@dataclasses.dataclass
class Inner:
    a: int


@dataclasses.dataclass
class Outer:
    inner: Inner
    names: list[str]


class Duck:
    def read(self) -> str:
        return '{"quack": true}'


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (Point(**{"the-x": 3}), {"the-x": 3}),
        (Outer(Inner(1), ["ü"]), {"inner": {"a": 1}, "names": ["ü"]}),
        ({"a": None}, {"a": None}),
        (io.StringIO('{"a": "ü"}'), {"a": "ü"}),
        (io.BytesIO('{"a": "ü"}'.encode()), {"a": "ü"}),
        (io.BytesIO('{"a": 1}'.encode("utf-16")), {"a": 1}),
        (Duck(), {"quack": True}),
        ([1, 2], [1, 2]),
    ],
)
def test_a_request_is_made_of_everything_that_can_be_one(data: object, body: object) -> None:
    assert json.loads(request_body(data)) == body


class Breaks(pydantic.BaseModel):
    value: Any


@pytest.mark.parametrize(
    "data",
    [
        None,
        "text",
        b"{}",
        object(),
        Point,
        Outer,
        {"a": {1}},
        {"a": float("nan")},
        Outer(Inner(1), [object()]),  # type: ignore[list-item]
        io.StringIO("{"),
        io.StringIO('"text"'),
        io.BytesIO(b"\xff\xff\xff"),
        io.StringIO("[" * 100_000),
        Breaks(value=object()),
    ],
)
def test_what_cannot_be_a_request_is_refused_before_anything_is_sent(data: object) -> None:
    with pytest.raises(InvalidInput, match="order job"):
        request_body(data)
