"""Every documented call of the public `ivcap-client`, made against our platform.

Each function below is one claim; it runs on its own, and what went wrong is printed as JSON by its name. Calls that the
public client itself gets wrong are made the way that works for its users (reference: its defects are known by name).
"""

import asyncio
import io
import json
import os
import tarfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic import BaseModel

from ivcap_client import IVCAP, JobStatus, TarMember, __version__
from ivcap_client.exception import AmbiguousRequest, IvcapApiError, NotAuthorizedException, ResourceNotFound

ASKED = json.loads(os.environ["JUDGE"])
URL, TOKEN = ASKED["url"], ASKED["token"]
SERVICE = "rehearsal"
NOWHERE = "00000000-0000-4000-8000-000000000000"
SCHEMA = "urn:ivcap-mcp:schema:judged.1"
# Typed loosely: it is the public client's, while type checkers find ours under that name.
ivcap: Any = IVCAP(url=URL, token=TOKEN)


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


def raised(kind: type[Exception], work: Any) -> Any:
    try:
        work()
    except kind as error:
        return error
    raise AssertionError("nothing was refused")


def status_of(work: Any) -> int:
    return int(raised(IvcapApiError, work).status_code)


# --- services ---------------------------------------------------------------------------------------------------------


def it_is_the_public_client() -> None:
    assert __version__ == "0.47.21"
    assert ivcap.url == URL


def services_are_listed() -> None:
    found = {one.name: one for one in ivcap.list_services(limit=None)}
    assert {"rehearsal", "rehearsal_old"} <= found.keys()
    assert found[SERVICE].id.startswith("urn:ivcap:service:")
    assert found[SERVICE].description


def the_limit_of_a_list_is_kept() -> None:
    assert len(list(ivcap.list_services(limit=1))) == 1


def services_are_filtered_by_name() -> None:
    assert [one.name for one in ivcap.list_services(filter=f"name~='{SERVICE}'")] == [SERVICE]


def services_are_ordered() -> None:
    names = [one.name for one in ivcap.list_services(order_by="name", order_desc=True)]
    assert names == sorted(names, reverse=True)


def a_service_is_found_by_its_name() -> None:
    assert service().name == SERVICE


def a_name_without_a_service_is_said_to_be_unknown() -> None:
    raised(ResourceNotFound, lambda: ivcap.get_service_by_name("no-such-service"))


def a_name_that_fits_several_services_is_said_to_be_ambiguous() -> None:
    raised(AmbiguousRequest, lambda: ivcap.get_service_by_name("rehearsal%"))


def a_service_is_read_by_its_urn() -> None:
    one = ivcap.get_service(service().id).refresh()
    assert one.name == SERVICE
    assert str(one.status(refresh=False)) == "active"
    assert isinstance(one.parameters, dict)


def plain() -> Any:
    """A service whose schema has no enumeration: the public client cannot make a model of one that has."""
    return ivcap.get_service_by_name("rehearsal_plain")


def a_request_model_is_made_from_the_published_schema_and_sent() -> None:
    model = plain().request_model
    assert issubclass(model, BaseModel)
    assert {"steps", "seconds", "echo", "say"} <= set(model.model_fields)
    job = ended(plain().request_job(model(steps=1, echo="modelled", input={})))
    assert job.result["echo"] == "modelled"


def a_request_model_is_made_in_an_event_loop_too() -> None:
    async def fetched() -> Any:
        return await ivcap.get_service(plain().id).request_model_async()

    assert "steps" in asyncio.run(fetched()).model_fields


# --- jobs -------------------------------------------------------------------------------------------------------------


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


def a_job_is_requested_with_a_dataclass() -> None:
    assert ended(service().request_job(Wanted(echo=[1, None]))).result["echo"] == [1, None]


def a_job_is_requested_with_a_stream() -> None:
    assert ended(service().request_job(io.StringIO(json.dumps({"echo": "stream"})))).result["echo"] == "stream"


def a_job_that_ends_in_time_brings_its_result_in_the_reply() -> None:
    job = service().request_job(Wanted(echo="at once"), timeout=20)
    assert job.id.startswith("urn:ivcap:job:")
    assert job.result["echo"] == "at once"


def a_job_that_does_not_end_in_time_is_a_handle() -> None:
    job = service().request_job(Wanted(seconds=2.5), timeout=1)
    assert not job.finished
    assert ended(job).succeeded


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


def a_failed_job_is_failed_and_says_why() -> None:
    job = ended(service().request_job(Wanted(outcome="value_error")))
    assert job.status() is JobStatus.FAILED
    assert not job.succeeded
    assert "the input was refused, as asked" in json.dumps(job.result)


def a_job_is_awaited() -> None:
    async def run() -> Any:
        remote = IVCAP(url=URL, token=TOKEN).get_service(service().id)
        job = await remote.request_job_async(Wanted(echo="awaited"), poll_interval=0.1)
        assert await job.finished_async()
        assert await job.status_async() is JobStatus.SUCCEEDED
        return await job.result_async()

    assert asyncio.run(run())["echo"] == "awaited"


def a_tool_of_the_old_generation_runs_as_well() -> None:
    job = ended(ivcap.get_service_by_name("rehearsal_old").request_job(Wanted(echo="old", steps=1)))
    assert job.succeeded
    assert job.result["echo"] == "old"


def an_unknown_service_is_404() -> None:
    unknown = ivcap.get_service(f"urn:ivcap:service:{NOWHERE}")
    assert status_of(lambda: unknown.request_job(Wanted())) == 404
    assert status_of(unknown.refresh) == 404


# --- artifacts --------------------------------------------------------------------------------------------------------


def a_file_is_uploaded_and_read_back_in_every_way() -> None:
    data = bytes(range(256)) * 5000
    Path("data.bin").write_bytes(data)
    sent = ivcap.upload_artifact(name="data.bin", file_path="data.bin", content_type="application/octet-stream")
    assert sent.id.startswith("urn:ivcap:artifact:")
    artifact = ivcap.get_artifact(sent.id)
    assert (artifact.name, artifact.size, artifact.mime_type) == ("data.bin", len(data), "application/octet-stream")
    assert artifact.status == "ready"
    with artifact.open() as file:
        assert file.read() == data
    assert b"".join(artifact.as_stream(100_000)) == data
    assert artifact.as_local_file(Path("again.bin")).read_bytes() == data
    with artifact.as_local_file() as path:
        assert path.read_bytes() == data
    assert artifact.etag


def a_file_that_was_uploaded_is_known_again() -> None:
    Path("known.csv").write_text("a,b\n1,2\n")
    first = ivcap.upload_artifact(name="known.csv", file_path="known.csv")
    assert first.mime_type == "text/csv"
    assert ivcap.upload_artifact(name="known.csv", file_path="known.csv").id == first.id
    known = ivcap.artifact_for_file("known.csv")
    assert known is not None
    assert known.id == first.id
    assert ivcap.upload_artifact(name="known.csv", file_path="known.csv", force_upload=True).id != first.id


def a_file_is_uploaded_in_chunks() -> None:
    Path("chunks.bin").write_bytes(b"0123456789" * 50_000)
    sent = ivcap.upload_artifact(file_path="chunks.bin", content_type="application/octet-stream", chunk_size=100_000)
    assert b"".join(ivcap.get_artifact(sent.id).as_stream()) == b"0123456789" * 50_000


def a_stream_is_uploaded() -> None:
    data = b"x,y\n1,2\n"
    sent = ivcap.upload_artifact(
        name="s.csv", io_stream=io.BytesIO(data), content_type="text/csv", content_size=len(data)
    )
    assert ivcap.get_artifact(sent.id).open().read() == data
    assert ivcap.get_artifact(sent.id).as_data_url().startswith("data:text/csv;base64,")


def a_tar_archive_is_uploaded_as_it_is_written_and_unpacked_again() -> None:
    Path("one.txt").write_text("one")
    members = [TarMember.from_file("one.txt"), TarMember.from_bytes(b"two", "deep/two.txt")]
    sent = ivcap.upload_tar_artifact(members, name="both.tgz")
    artifact = ivcap.get_artifact(sent.id)
    assert artifact.status == "ready"
    assert artifact.is_tar_file
    with tarfile.open(fileobj=io.BytesIO(artifact.open().read())) as archive:
        assert sorted(archive.getnames()) == ["deep/two.txt", "one.txt"]
    place = artifact.untar(Path("unpacked"))
    assert (place / "deep" / "two.txt").read_text() == "two"


def small(name: str) -> Any:
    """An artifact of one byte."""
    return ivcap.upload_artifact(name=name, io_stream=io.BytesIO(b"1"), content_type="text/plain", content_size=1)


def artifacts_are_listed() -> None:
    sent = {small(f"many-{number}").id for number in range(3)}
    assert sent <= {one.id for one in ivcap.list_artifacts(limit=None)}
    assert len(list(ivcap.list_artifacts(limit=2))) == 2
    assert {one.id for one in ivcap.list_artifacts(filter="name~='many-%'", limit=None)} == sent


def an_artifact_carries_metadata() -> None:
    artifact = ivcap.get_artifact(small("m").id)
    artifact.add_metadata({"$schema": SCHEMA, "quality": "good"})
    stated = [one for one in artifact.metadata if one.schema == SCHEMA]
    assert [one.content["quality"] for one in stated] == ["good"]


def an_artifact_is_uploaded_into_a_collection() -> None:
    urn, data = "urn:ivcap:collection:22222222-0000-4000-8000-000000000001", b"kept"
    sent = ivcap.upload_artifact(
        name="c", io_stream=io.BytesIO(data), content_type="text/plain", content_size=len(data), collection=urn
    )
    assert ivcap.get_artifact(sent.id).open().read() == data


def an_artifact_made_by_a_job_is_downloaded() -> None:
    job = ended(service().request_job(io.StringIO(json.dumps({"outcome": "artifact", "size_mb": 0.1}))))
    assert job.succeeded, job.result
    data = ivcap.get_artifact(job.result["artifact"]).open().read()
    assert data.startswith(b"000000000000000\n000000000000001\n")
    assert len(data) == 100_000


def an_unknown_artifact_is_404() -> None:
    assert status_of(lambda: ivcap.get_artifact(f"urn:ivcap:artifact:{NOWHERE}")) == 404


# --- aspects ----------------------------------------------------------------------------------------------------------


def an_aspect_is_added_read_and_retracted() -> None:
    entity = "urn:ivcap-mcp:judged:1"
    added = ivcap.add_aspect(entity, {"$schema": SCHEMA, "n": 1})
    assert added.id.startswith("urn:ivcap:aspect:")
    (found,) = ivcap.list_aspects(entity=entity, schema=SCHEMA)
    assert (found.id, found.entity, found.schema) == (added.id, entity, SCHEMA)
    assert found.content["n"] == 1
    again = found.refresh()
    assert again.content["n"] == 1
    assert again.valid_from
    assert again.asserter
    added.retract()
    assert list(ivcap.list_aspects(entity=entity, schema=SCHEMA)) == []


def an_update_takes_the_place_of_what_held() -> None:
    entity = "urn:ivcap-mcp:judged:2"
    ivcap.add_aspect(entity, {"n": 1}, schema=SCHEMA)
    updated = ivcap.update_aspect(entity, {"n": 2}, schema=SCHEMA)
    (found,) = ivcap.list_aspects(entity=entity, schema=SCHEMA)
    assert found.id == updated.id
    assert found.content["n"] == 2


def aspects_are_found_by_pattern_path_and_page() -> None:
    entity = "urn:ivcap-mcp:judged:3"
    for number in range(60):
        ivcap.add_aspect(entity, {"number": number}, schema=f"{SCHEMA}.{number % 2}")
    assert len(list(ivcap.list_aspects(entity=entity, schema=f"{SCHEMA}.%", limit=None))) == 60
    assert len(list(ivcap.list_aspects(entity=entity, limit=7))) == 7
    large = ivcap.list_aspects(entity=entity, content_path="$.number ? (@ >= 58)", limit=None)
    assert sorted(one.content["number"] for one in large) == [58, 59]
    oldest = ivcap.list_aspects(entity=entity, order_by="valid_from", order_direction="ASC", limit=1)
    assert next(iter(oldest)).content["number"] == 0
    bare = next(iter(ivcap.list_aspects(entity=entity, include_content=False, limit=1)))
    assert "number" in bare.content


def an_aspect_is_filtered() -> None:
    entity = "urn:ivcap-mcp:judged:4"
    ivcap.add_aspect(entity, {"n": 1}, schema=SCHEMA)
    assert len(list(ivcap.list_aspects(filter=f"entity='{entity}'"))) == 1


# --- collections, and the rest ----------------------------------------------------------------------------------------


def a_collection_is_made_filled_listed_emptied_and_retracted() -> None:
    urn = "urn:ivcap:collection:11111111-0000-4000-8000-000000000001"
    items = [f"urn:ivcap-mcp:judged:item:{n}" for n in range(3)]
    made = ivcap.create_collection(urn, "Judged", description="By others")
    assert (made.urn, made.name) == (urn, "Judged")
    for item in items:
        assert ivcap.add_to_collection(urn, item) is not None
    assert ivcap.add_to_collection(urn, items[0]) is None
    found = ivcap.get_collection(urn)
    assert found.description == "By others"
    assert sorted(one.item for one in found.items(limit=None)) == items
    assert urn in [one.urn for one in ivcap.list_collections(limit=None)]
    for kind in ('== "Judged"', 'starts with "Jud"', 'like_regex ".*dged" flag "i"'):
        assert [one.urn for one in ivcap.list_collections(name_filter=kind)] == [urn]
    assert ivcap.remove_from_collection(urn, items[0]) is True
    assert ivcap.remove_from_collection(urn, items[0]) is False
    assert sorted(one.item for one in found.items(limit=None)) == items[1:]
    assert ivcap.retract_collection(urn) >= 2
    assert urn not in [one.urn for one in ivcap.list_collections(limit=None)]


def what_is_not_served_locally_says_so() -> None:
    missing = (lambda: list(ivcap.list_orders()), lambda: list(ivcap.list_secrets()), lambda: ivcap.search("?- true."))
    assert [status_of(work) for work in missing] == [501, 501, 501]


def a_wrong_token_is_refused() -> None:
    error = raised(NotAuthorizedException, lambda: list(IVCAP(url=URL, token="wrong").list_services()))
    assert error.status_code == 401


def the_description_of_the_api_is_served() -> None:
    reply = httpx.get(f"{URL}/1/openapi/openapi3.json", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
    assert reply.status_code == 200
    assert reply.json()["openapi"].startswith("3.")


HELPERS = ("service", "plain", "ended", "raised", "status_of", "small", "main")
"""Functions of this file that claim nothing."""


def main() -> None:
    claims = {name: one for name, one in list(globals().items()) if callable(one) and one.__module__ == "__main__"}
    seen: dict[str, Any] = {}
    for name, claim in claims.items():
        if name in HELPERS or isinstance(claim, type):
            continue
        try:
            claim()
            seen[name] = None
        except Exception:
            seen[name] = traceback.format_exc(limit=-6)
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
