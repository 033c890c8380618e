"""The rehearsal tool: each outcome looks on the wire as the service contract says it does."""

import struct

import pytest

from tests.examples.conftest import Start
from tests.examples.sidecar import Sidecar
from tests.examples.tool import Tool
from tests.examples.waiting import until


def test_a_success_is_an_object_that_names_job_and_process(rehearsal: Tool, sidecar: Sidecar) -> None:
    job, reply = rehearsal.run(echo={"a": [1, None]})
    assert reply.status_code == 200
    assert reply.json() == {
        "$schema": "urn:ivcap-mcp:schema:rehearsal.1", "outcome": "succeed", "job": job, "pid": rehearsal.process.pid,
        "steps": 0, "echo": {"a": [1, None]}, "artifact": None, "sub_job": None,
    }  # fmt: skip
    posted = sidecar.result(job)
    assert (posted.error, posted.json) == (False, reply.json())


def test_steps_are_reported_with_progress_and_total(rehearsal: Tool, sidecar: Sidecar) -> None:
    job, reply = rehearsal.run(steps=3, seconds=0.1)
    assert reply.json()["steps"] == 3
    finished = [event["options"] for event in sidecar.events[job] if event["$schema"].endswith("step.finish.1")]
    assert [(options["progress"], options["total"]) for options in finished] == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("outcome", "kind", "statuses"),
    [("value_error", "ValueError", (400, 500)), ("exception", "RuntimeError", (500,)),
     ("none", "no-result-error", (500,)), ("falsy", "no-result-error", (500,))],
)  # fmt: skip
def test_a_failure_is_reported_as_an_error(
    rehearsal: Tool, sidecar: Sidecar, outcome: str, kind: str, statuses: tuple[int, ...]
) -> None:
    job, reply = rehearsal.run(outcome=outcome)
    assert reply.status_code in statuses
    error = sidecar.result(job)
    assert error.error
    assert error.json["type"] == kind


@pytest.mark.parametrize("outcome", ["hang", "system_exit"])
def test_a_job_that_never_ends_is_never_reported(rehearsal: Tool, sidecar: Sidecar, outcome: str) -> None:
    job, reply = rehearsal.run(outcome=outcome, timeout=1)
    assert reply.status_code == 204
    assert rehearsal.http.get(f"/jobs/{job}").status_code == 204
    assert job not in sidecar.results
    assert rehearsal.run()[1].status_code == 200  # the tool still serves others


def test_a_dying_process_takes_the_connection_with_it(start: Start, sidecar: Sidecar) -> None:
    tool = start("rehearsal.py")
    job, reply = tool.run(outcome="die", seconds=0.2, timeout=0)
    assert reply.status_code == 204
    assert until(lambda: (tool.process.poll(),) if tool.process.poll() is not None else None) == (9,)
    assert job not in sidecar.results


@pytest.mark.parametrize(
    ("outcome", "content_type", "result"),
    [("list", "application/json", [1, "two", {"three": 3}, None]), ("number", "application/json", 316.1)],
)
def test_json_that_is_no_object_comes_as_it_is(
    rehearsal: Tool, sidecar: Sidecar, outcome: str, content_type: str, result: object
) -> None:
    job, reply = rehearsal.run(outcome=outcome)
    assert reply.headers["content-type"] == content_type
    assert reply.json() == sidecar.result(job).json == result


def test_deep_json_arrives_whole(rehearsal: Tool) -> None:
    value, depth = rehearsal.run(outcome="nested")[1].json(), 59
    while "inside" in value:
        assert value["items"] == [depth]
        value, depth = value["inside"], depth - 1
    assert value == {"depth": 0}


def test_text_bytes_and_an_image_keep_their_type(rehearsal: Tool, sidecar: Sidecar) -> None:
    job, text = rehearsal.run(outcome="text")
    assert text.headers["content-type"].startswith("text/plain")
    assert "CO₂" in text.text
    assert sidecar.result(job).body.decode() == text.text
    _, data = rehearsal.run(outcome="bytes")
    assert (data.headers["content-type"], data.content) == ("application/octet-stream", bytes(range(256)))
    job, image = rehearsal.run(outcome="image")
    assert image.headers["content-type"] == "image/png"
    assert struct.unpack(">II", image.content[16:24]) == (64, 64)
    assert sidecar.result(job).content_type == "image/png"


def test_a_large_result_and_a_large_artifact_have_the_size_asked_for(rehearsal: Tool, sidecar: Sidecar) -> None:
    assert len(rehearsal.run(outcome="large", size_mb=8)[1].content) == 8_000_000
    _, reply = rehearsal.run(outcome="artifact", size_mb=8)
    stored = sidecar.artifacts[reply.json()["artifact"]]
    assert (stored.name, len(stored.data)) == ("rehearsal.bin", 8_000_000)
    assert stored.data[-16:] == b"%015d\n" % 499_999


def test_a_sub_job_is_asked_of_the_platform(rehearsal: Tool, sidecar: Sidecar) -> None:
    service = "urn:ivcap:service:11111111-1111-5111-8111-111111111111"
    _, reply = rehearsal.run(outcome="sub_job", service=service, input={"x": 1})
    assert reply.json()["sub_job"].startswith("urn:ivcap:job:")
    assert sidecar.jobs[-1] == (service, {"x": 1})


def test_a_sub_job_without_a_service_is_refused(rehearsal: Tool, sidecar: Sidecar) -> None:
    job, _ = rehearsal.run(outcome="sub_job")
    assert "needs `service`" in sidecar.result(job).json["error"]


def test_what_it_is_told_to_say_reaches_stdout_and_stderr(rehearsal: Tool) -> None:
    rehearsal.run(say="a line to be found again")
    until(lambda: "a line to be found again" in rehearsal.out.read_text(), what="stdout")
    until(lambda: "a line to be found again" in rehearsal.err.read_text(), what="stderr")
