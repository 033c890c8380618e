"""Services and jobs, the same on every way to a platform: a real tool runs them."""

from __future__ import annotations

import dataclasses
import io
import threading
import uuid
from typing import Any

import pydantic
import pytest

from ivcap_client.exception import JobFailed, JobTimeout
from ivcap_client.job import Job, JobStatus
from ivcap_client.service import Service
from tests.congruence.legs import LONG, Leg, Legs


def plain(leg: Leg) -> Service:
    """The service of the plain tool."""
    found: Service = leg.do(leg.ivcap, "get_service_by_name", "plain")
    return found


def submit(leg: Leg, data: object, **more: Any) -> Job:
    """Order a job and do not wait."""
    found: Job
    if leg.runner is None:
        found = plain(leg).request_job(data, **more)
    else:
        found = leg.runner.run(plain(leg).submit_async(data, **more))
    return found


def sleeping(leg: Leg) -> Job:
    """A job that runs, and goes on running."""
    job = submit(leg, {"do": "sleep", "seconds": 60})
    stream = job.events(timeout=LONG)
    if leg.runner is None:
        assert list(_until_executing(stream))
    else:

        async def started() -> None:
            async for event in stream:
                if event.status == "executing":
                    return

        leg.runner.run(started())
    return job


def _until_executing(stream: Any) -> Any:
    for event in stream:
        yield event
        if event.status == "executing":
            return


def test_services_are_listed_and_found(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        found = {service.name: service.id for service in leg.all(leg.ivcap.list_services(limit=None))}
        service = plain(leg)
        assert service.id == found["plain"]
        assert leg.do(leg.ivcap.get_service(service.id), "refresh").name == "plain"
        return sorted(found), service.urn

    assert legs.same(behaviour)[0] == ["plain"]


def test_a_service_that_is_not_there_is_the_same_error(legs: Legs) -> None:
    nobody = f"urn:ivcap:service:{uuid.UUID(int=5)}"
    assert legs.error(lambda leg: leg.do(leg.ivcap, "get_service_by_name", "nobody"))[0] == "ResourceNotFound"
    assert legs.error(lambda leg: leg.do(leg.ivcap.get_service(nobody), "refresh"))[0] == "ResourceNotFound"
    assert legs.error(lambda leg: leg.do(leg.ivcap.get_service(nobody), "run", {"do": "echo"}))[0] == "ResourceNotFound"
    assert legs.error(lambda leg: leg.ivcap.get_service("nobody"))[0] == "InvalidInput"


class Request(pydantic.BaseModel):
    do: str = "echo"
    x_y: int = pydantic.Field(alias="x-y")
    unset: int | None = None


@dataclasses.dataclass
class Plain:
    do: str
    text: str


@pytest.mark.parametrize(
    ("make", "echo"),
    [
        (lambda: {"do": "echo", "a": [None, "ü"]}, {"do": "echo", "a": [None, "ü"]}),
        (lambda: Request.model_validate({"do": "echo", "x-y": 5}), {"do": "echo", "x-y": 5}),
        (lambda: Plain("echo", "t"), {"do": "echo", "text": "t"}),
        (lambda: io.StringIO('{"do": "echo", "from": "stream"}'), {"do": "echo", "from": "stream"}),
    ],
    ids=["dict", "model", "dataclass", "stream"],
)
def test_a_service_is_run_with_anything_that_can_be_a_request(legs: Legs, make: Any, echo: dict[str, Any]) -> None:
    def behaviour(leg: Leg) -> Any:
        result = leg.do(plain(leg), "run", make(), timeout=LONG)
        return {name: value for name, value in result.items() if name != "pid"}

    assert legs.same(behaviour) == echo


def test_a_job_is_ordered_waited_for_and_read_again(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        job = submit(leg, {"do": "echo", "n": 1})
        assert job.urn.startswith("urn:ivcap:job:")
        leg.do(job, "wait", timeout=LONG)
        again = leg.do(leg.ivcap, "get_job", job.urn)
        assert again == job
        assert again.requested_at <= again.started_at <= again.finished_at
        listed = leg.all(leg.ivcap.list_jobs(job.service, limit=5))
        everywhere = leg.all(leg.ivcap.list_jobs(limit=5))
        assert job in listed
        assert job in everywhere
        return (
            job.ended,
            job.error,
            leg.do(job, "status"),
            leg.do(again, "value")["n"],
            again.request["n"],
            again.service == job.service,
            again.result_content_type,
            [each.status(refresh=False) for each in listed if each == job],
        )

    assert legs.same(behaviour) == (
        True, None, JobStatus.SUCCEEDED, 1, 1, True, "application/json", [JobStatus.SUCCEEDED],
    )  # fmt: skip


@pytest.mark.parametrize("timeout", [None, LONG, 0])
def test_an_order_waits_as_long_as_it_is_told(legs: Legs, timeout: float | None) -> None:
    def behaviour(leg: Leg) -> Any:
        if leg.runner is not None:  # the documented async twin waits by other parameters
            return leg.do(plain(leg), "request_job", {"do": "echo"}, max_wait_time=LONG).ended or True
        job = plain(leg).request_job({"do": "echo", "n": 3}, timeout=timeout)
        return job.ended and job.result["n"] == 3 if timeout != 0 else job.wait(timeout=LONG).ended

    assert legs.same(behaviour) is True


def test_bytes_and_text_come_back_as_what_they_are(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        job = leg.do(submit(leg, {"do": "large", "size": 70_000}), "wait", timeout=LONG)
        made = leg.do(leg.ivcap, "get_artifact", job.record.result_content_urn)
        result = job.result if leg.runner is None else leg.do(job, "result")
        return result, job.result_content_type, leg.do(made, "as_bytes")

    assert legs.same(behaviour) == (b"x" * 70_000, "application/octet-stream", b"x" * 70_000)


def test_a_service_that_answers_with_bytes_is_run_like_any_other(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        ran = leg.do(plain(leg), "run", {"do": "large", "size": 5}, timeout=LONG)
        job = leg.do(submit(leg, {"do": "large", "size": 6}), "wait", timeout=LONG)
        return ran, leg.do(job, "value")

    assert legs.same(behaviour) == (b"xxxxx", b"xxxxxx")


@pytest.mark.parametrize("order", [0.05, 0.7])
def test_a_job_that_takes_longer_than_the_patience_is_carried_by_the_error(legs: Legs, order: float) -> None:
    def behaviour(leg: Leg) -> Any:
        job = sleeping(leg)
        with pytest.raises(JobTimeout) as caught:
            leg.do(job, "wait", timeout=order)
        assert isinstance(caught.value, TimeoutError)
        assert caught.value.job is job
        assert f"job {job.urn} runs on" in caught.value.__notes__
        now = leg.do(job, "status")
        leg.do(job, "cancel")
        return now, caught.value.job.ended

    assert legs.same(behaviour) == (JobStatus.EXECUTING, True)


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"do": "value"}, "ValueError: bad"),
        ({"do": "boom"}, "RuntimeError: boom"),
        ({"x": 1}, "ValidationError: the service did not accept the input: do: Field required"),
    ],
)
def test_a_job_that_fails_says_why(legs: Legs, asked: dict[str, Any], error: str) -> None:
    def behaviour(leg: Leg) -> Any:
        with pytest.raises(JobFailed) as caught:
            leg.do(plain(leg), "run", asked, timeout=LONG)
        job = caught.value.job
        assert "Traceback" not in str(caught.value)
        return job.error, leg.do(job, "status"), str(caught.value).removeprefix(f"job {job.urn} ")

    assert legs.same(behaviour) == (error, JobStatus.FAILED, f"ended as failed: {error}")


def test_events_come_in_order_and_end_with_the_job(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        job = submit(leg, {"do": "events", "count": 4})
        stream = job.events(timeout=LONG)
        told = leg.all(stream)
        assert stream.streaming
        seqs = [event.seq for event in told]
        assert seqs == sorted(set(seqs))
        again = leg.all(leg.ivcap.job(job.urn, job.service).events(timeout=LONG))
        assert [event.seq for event in again] == seqs
        rest = leg.all(job.events(after=seqs[2], timeout=LONG))
        assert [event.seq for event in rest] == seqs[3:]
        steps = [event.data["options"]["at"] for event in told if event.text == "n"]
        return steps, told[0].status, told[-1].status

    assert legs.same(behaviour) == (list(range(4)), "scheduled", "succeeded")


def test_progress_is_told_while_waiting(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        told: list[str] = []
        job = submit(leg, {"do": "events", "count": 2})
        leg.do(job, "wait", timeout=LONG, on_progress=lambda event: told.append(event.text))
        return told.count("n"), told[-1]

    assert legs.same(behaviour) == (2, "succeeded")


def test_a_job_is_cancelled_and_stays_so(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        assert leg.do(leg.ivcap, "can_cancel")
        job = sleeping(leg)
        leg.do(job, "cancel")
        ended = leg.do(job, "wait", timeout=LONG)
        again = outcome_of(leg, job)
        return ended.record.status, ended.error, again

    status, error, again = legs.same(behaviour)
    assert (status, again) == ("error", "Conflict")
    assert error


def outcome_of(leg: Leg, job: Job) -> str:
    """What a second cancel leads to."""
    try:
        leg.do(job, "cancel")
    except Exception as error:
        return type(error).__name__
    return "nothing"


def test_the_same_key_gives_the_same_job_and_another_request_is_refused(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        key = str(uuid.uuid4())
        first, second = (submit(leg, {"do": "echo", "n": 1}, key=key) for _ in range(2))
        assert first == second
        with pytest.raises(Exception) as caught:  # noqa: PT011 - its class is what is compared
            submit(leg, {"do": "echo", "n": 2}, key=key)
        order = f"urn:ivcap:order:{uuid.uuid4()}"
        found = leg.do(submit(leg, {"do": "echo"}, order=order), "wait", timeout=LONG)
        return type(caught.value).__name__, found.order == order

    assert legs.same(behaviour) == ("Conflict", True)


def test_a_job_that_is_not_there_is_the_same_error(legs: Legs) -> None:
    nothing = f"urn:ivcap:job:{uuid.UUID(int=5)}"
    assert legs.error(lambda leg: leg.do(leg.ivcap, "get_job", nothing))[0] == "ResourceNotFound"
    assert legs.error(lambda leg: leg.do(leg.ivcap.job(nothing, plain(leg).id), "refresh"))[0] == "ResourceNotFound"
    assert legs.error(lambda leg: leg.do(leg.ivcap.job(nothing, plain(leg).id), "wait"))[0] == "ResourceNotFound"
    assert legs.error(lambda leg: leg.all(leg.ivcap.job(nothing, plain(leg).id).events()))[0] == "ResourceNotFound"
    assert legs.error(lambda leg: leg.do(leg.ivcap, "get_job", "nonsense"))[0] == "InvalidInput"


@pytest.mark.parametrize("data", [None, "text", {"a": {1}}, [float("nan")]])
def test_a_request_that_cannot_be_is_the_same_error(legs: Legs, data: object) -> None:
    assert legs.error(lambda leg: submit(leg, data))[0] == "InvalidInput"


def test_many_wait_for_one_job(legs: Legs) -> None:
    leg = next(iter(legs))
    job = submit(leg, {"do": "sleep", "seconds": 0.3})
    found: list[JobStatus] = []

    def wait() -> None:
        found.append(leg.ivcap.get_job(job.urn).wait(timeout=LONG).status())

    threads = [threading.Thread(target=wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert found == [JobStatus.SUCCEEDED] * 4
