# It runs with the public client; type checkers do not find what lies beside it.
# mypy: disable-error-code="import-not-found, untyped-decorator"
"""The public client's calls for services and jobs.

Each claim runs on its own. What the public client itself gets wrong is done the way that works for its users.
"""

import asyncio
import io
import json
import time
from dataclasses import dataclass
from typing import Any

import httpx
from public_client import NOWHERE, TOKEN, URL, claim, ivcap, judge, raised, status_of
from pydantic import BaseModel

from ivcap_client import IVCAP, JobStatus, __version__
from ivcap_client.exception import AmbiguousRequest, NotAuthorizedException, ResourceNotFound

SERVICE = "rehearsal"


@dataclass
class Wanted:
    echo: Any = None
    seconds: float = 0
    steps: int = 0
    outcome: str = "succeed"


def service() -> Any:
    return ivcap.get_service_by_name(SERVICE)


def ended(job: Any, limit: float = 60.0) -> Any:
    until = time.monotonic() + limit
    while not job.finished:
        assert time.monotonic() < until, f"{job} has not ended after {limit} s"
        time.sleep(0.1)
    return job


@claim
def it_is_the_public_client() -> None:
    assert __version__ == "0.47.21"
    assert ivcap.url == URL


@claim
def services_are_listed() -> None:
    found = {one.name: one for one in ivcap.list_services(limit=None)}
    assert {"rehearsal", "rehearsal_old"} <= found.keys()
    assert found[SERVICE].id.startswith("urn:ivcap:service:")
    assert found[SERVICE].description


@claim
def the_limit_of_a_list_is_kept() -> None:
    assert len(list(ivcap.list_services(limit=1))) == 1


@claim
def services_are_filtered_by_name() -> None:
    assert [one.name for one in ivcap.list_services(filter=f"name~='{SERVICE}'")] == [SERVICE]


@claim
def services_are_ordered() -> None:
    names = [one.name for one in ivcap.list_services(order_by="name", order_desc=True)]
    assert names == sorted(names, reverse=True)


@claim
def a_service_is_found_by_its_name() -> None:
    assert service().name == SERVICE


@claim
def a_name_without_a_service_is_said_to_be_unknown() -> None:
    raised(ResourceNotFound, lambda: ivcap.get_service_by_name("no-such-service"))


@claim
def a_name_that_fits_several_services_is_said_to_be_ambiguous() -> None:
    raised(AmbiguousRequest, lambda: ivcap.get_service_by_name("rehearsal%"))


@claim
def a_service_is_read_by_its_urn() -> None:
    one = ivcap.get_service(service().id).refresh()
    assert one.name == SERVICE
    assert str(one.status(refresh=False)) == "active"
    assert isinstance(one.parameters, dict)


def plain() -> Any:
    """A service whose schema has no enumeration: the public client cannot make a model of one that has."""
    return ivcap.get_service_by_name("rehearsal_plain")


@claim
def a_request_model_is_made_from_the_published_schema_and_sent() -> None:
    model = plain().request_model
    assert issubclass(model, BaseModel)
    assert {"steps", "seconds", "echo", "say"} <= set(model.model_fields)
    job = ended(plain().request_job(model(steps=1, echo="modelled", input={})))
    assert job.result["echo"] == "modelled"


@claim
def a_request_model_is_made_in_an_event_loop_too() -> None:
    async def fetched() -> Any:
        return await ivcap.get_service(plain().id).request_model_async()

    assert "steps" in asyncio.run(fetched()).model_fields


@claim
def a_job_is_requested_with_a_model_and_followed_to_its_end() -> None:
    class Request(BaseModel):
        steps: int
        seconds: float
        echo: dict[str, Any]

    job = service().request_job(Request(steps=2, seconds=0.5, echo={"from": "a model"}))
    assert job.id.startswith("urn:ivcap:job:")
    assert job.status() in (JobStatus.SCHEDULED, JobStatus.PENDING, JobStatus.EXECUTING)
    assert ended(job).succeeded
    assert job.status(refresh=False) is JobStatus.SUCCEEDED
    assert job.result["echo"] == {"from": "a model"}
    assert job.result["steps"] == 2


@claim
def a_job_is_requested_with_a_dataclass() -> None:
    assert ended(service().request_job(Wanted(echo=[1, None]))).result["echo"] == [1, None]


@claim
def a_job_is_requested_with_a_stream() -> None:
    assert ended(service().request_job(io.StringIO(json.dumps({"echo": "stream"})))).result["echo"] == "stream"


@claim
def a_job_that_ends_in_time_brings_its_result_in_the_reply() -> None:
    job = service().request_job(Wanted(echo="at once"), timeout=20)
    assert job.id.startswith("urn:ivcap:job:")
    assert job.result["echo"] == "at once"


@claim
def a_job_that_does_not_end_in_time_is_a_handle() -> None:
    job = service().request_job(Wanted(seconds=2.5), timeout=1)
    assert not job.finished
    assert ended(job).succeeded


@claim
def a_job_has_its_times_and_types() -> None:
    job = ended(service().request_job(Wanted()))
    assert job.requested_at
    assert job.started_at
    assert job.finished_at
    assert job.requested_at <= job.started_at <= job.finished_at
    assert job.request_content_type == "application/json"
    assert job.result_content_type == "application/json"
    assert job.account.startswith("urn:ivcap:account:")
    assert job.policy.startswith("urn:ivcap:policy:")
    assert job.urn == job.id


@claim
def a_failed_job_is_failed_and_says_why() -> None:
    job = ended(service().request_job(Wanted(outcome="value_error")))
    assert job.status() is JobStatus.FAILED
    assert not job.succeeded
    assert "the input was refused, as asked" in json.dumps(job.result)


@claim
def a_job_is_awaited() -> None:
    async def run() -> Any:
        remote = IVCAP(url=URL, token=TOKEN).get_service(service().id)
        job = await remote.request_job_async(Wanted(echo="awaited"), poll_interval=0.1)
        assert await job.finished_async()
        assert await job.status_async() is JobStatus.SUCCEEDED
        return await job.result_async()

    assert asyncio.run(run())["echo"] == "awaited"


@claim
def a_tool_of_the_old_generation_runs_as_well() -> None:
    job = ended(ivcap.get_service_by_name("rehearsal_old").request_job(Wanted(echo="old", steps=1)))
    assert job.succeeded
    assert job.result["echo"] == "old"


@claim
def an_unknown_service_is_404() -> None:
    unknown = ivcap.get_service(f"urn:ivcap:service:{NOWHERE}")
    assert status_of(lambda: unknown.request_job(Wanted())) == 404
    assert status_of(unknown.refresh) == 404


@claim
def an_artifact_made_by_a_job_is_downloaded() -> None:
    job = ended(service().request_job(io.StringIO(json.dumps({"outcome": "artifact", "size_mb": 0.1}))))
    assert job.succeeded, job.result
    data = ivcap.get_artifact(job.result["artifact"]).open().read()
    assert data.startswith(b"000000000000000\n000000000000001\n")
    assert len(data) == 100_000


@claim
def secrets_are_listed() -> None:
    told = {"secret-name": "key", "secret-value": "hidden", "expiry-time": 0}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert httpx.post(f"{URL}/1/secrets", json=told, headers=headers, timeout=10).status_code == 204
    (found,) = ivcap.list_secrets()
    assert found.secret_name == "key"


@claim
def what_is_not_served_locally_says_so() -> None:
    missing = (lambda: list(ivcap.list_orders()), lambda: ivcap.search("?- true."))
    assert [status_of(work) for work in missing] == [501, 501]


@claim
def a_wrong_token_is_refused() -> None:
    error = raised(NotAuthorizedException, lambda: list(IVCAP(url=URL, token="wrong").list_services()))
    assert error.status_code == 401


@claim
def the_description_of_the_api_is_served() -> None:
    reply = httpx.get(f"{URL}/1/openapi/openapi3.json", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
    assert reply.status_code == 200
    assert reply.json()["openapi"].startswith("3.")


if __name__ == "__main__":
    judge()
