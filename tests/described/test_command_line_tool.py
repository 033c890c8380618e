"""What the `ivcap` command-line tool sends, header for header, and what it needs of the answers (rest-api §2 to §5)."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import quote

import pytest

from tests.described.conftest import JOBS, JSON, PLAIN, Stage

CHUNK = 10_000_000
"""Bytes it sends at once."""

ALL = {
    "User-Agent": "Go-http-client/1.1", "Cache-Control": "no-cache", "Accept-Encoding": "gzip",
    "Authorization": "Bearer any",
}  # fmt: skip
TUS = {**ALL, "Tus-Resumable": "1.0.0"}
BYTES = {"Content-Type": "application/offset+octet-stream"}
SERVICE = {
    "id": "urn:ivcap:service:44444444-4444-5444-8444-444444444444",
    "name": "made-by-the-tool",
    "description": "tiles a gradient",
    "parameters": [],
    "controller-schema": "urn:ivcap:schema.service.rest.1",
    "controller": {},
    "policy": "urn:ivcap:policy:ivcap.open.service",
}


def created(stage: Stage, name: str, size: int, kind: str = "text/plain") -> dict[str, Any]:
    """`artifact create`: no body, everything in headers, the name as base64."""
    headers = {
        **ALL, "X-Name": base64.b64encode(name.encode()).decode(), "X-Content-Type": kind,
        "X-Content-Length": str(size), "X-Policy": "urn:ivcap:policy:ivcap.open.artifact", "Content-Length": "0",
    }  # fmt: skip
    said = stage.ask("POST", "/1/artifacts", None, headers)
    assert said.status == 201
    # It cuts off the URL it was configured with and stops at anything else.
    assert said.json["data-href"].startswith(f"{stage.url}/1/artifacts/")
    found: dict[str, Any] = said.json
    return found


def status(stage: Stage, artifact: dict[str, Any]) -> str:
    return str(stage.ask("GET", f"/1/artifacts/{artifact['id']}", None, ALL).json["status"])


def test_services_are_listed_and_searched(stage: Stage) -> None:
    assert PLAIN in [item["id"] for item in stage.ask("GET", "/1/services2?limit=50", None, ALL).json["items"]]
    found = stage.ask("GET", "/1/services2?limit=20&search=plain+tool", None, ALL).json["items"]
    assert found[0]["id"] == PLAIN
    assert 0 < float(found[0]["score"]) <= 1


def test_a_service_is_created_and_updated_with_create(stage: Stage) -> None:
    assert stage.ask("POST", "/1/services2", SERVICE, {**ALL, **JSON}).status == 201
    path = f"/1/services2/{SERVICE['id']}?force-create=true"
    said = stage.ask("PUT", path, {**SERVICE, "description": "tiles more"}, {**ALL, **JSON})
    assert (said.status, said.json["description"]) == (200, "tiles more")
    assert stage.ask("DELETE", f"/1/services2/{SERVICE['id']}", None, ALL).status == 204


@pytest.mark.parametrize("kind", ["application/json", "application/yaml"])
def test_a_job_is_created_and_found_through_its_aspect_at_once(stage: Stage, kind: str) -> None:
    said = stage.ask("POST", JOBS, {"do": "echo", "kind": kind}, {**ALL, "Content-Type": kind, "Timeout": "0"})
    assert said.status == 202
    told = said.json
    assert told["service-id"] == PLAIN
    assert 1 <= told["retry-later"] <= 5
    assert told["location"] == f"{stage.url}{JOBS}/{told['job-id']}"
    path = f"/1/aspects?entity={told['job-id']}&schema=urn:ivcap:schema:job.2&include-content=true"
    (aspect,) = stage.ask("GET", path, None, ALL).json["items"]
    assert aspect["content"]["service-id"] == PLAIN
    stage.events(told["job-id"])
    read = stage.ask("GET", f"{JOBS}/{told['job-id']}", None, ALL).json
    assert (read["status"], read["result-content-type"]) == ("succeeded", "application/json")
    assert read["result-content"]["kind"] == kind
    (aspect,) = stage.ask("GET", path, None, ALL).json["items"]
    assert aspect["content"]["status"] == "succeeded"


def test_a_job_is_created_from_a_stored_request(stage: Stage) -> None:
    path = "/1/aspects?entity=urn:x:request&schema=urn:x:schema:request.1"
    stored = stage.ask("POST", path, {"do": "echo", "from": "an aspect"}, {**ALL, **JSON}).json["id"]
    body = {"$schema": "urn:ivcap:schema:job.input.1", "request-aspect": stored, "service": PLAIN}
    said = stage.ask("POST", JOBS, body, {**ALL, **JSON, "Timeout": "0"})
    stage.events(said.json["job-id"])
    read = stage.ask("GET", f"{JOBS}/{said.json['job-id']}", None, ALL).json
    assert read["result-content"]["from"] == "an aspect"


def test_a_job_is_streamed_to_its_end_and_a_reader_may_come_back(stage: Stage) -> None:
    job = stage.job(do="events", count=3)
    headers = {**ALL, "Accept": "text/event-stream", "Connection": "keep-alive"}
    said = stage.ask("GET", f"{JOBS}/{job}/events", None, headers)
    assert said.status == 200
    assert said.headers["content-type"].startswith("text/event-stream")
    assert "content-encoding" not in said.headers
    assert all(len(line) < 65536 for line in said.body.splitlines())
    told = stage.events(job)
    assert [set(event) for event in told] == [
        {"SeqID", "EventID", "Type", "Schema", "Source", "Timestamp", "Data"} for _ in told
    ]
    assert re.fullmatch(r"\d{8}", told[0]["SeqID"])
    assert told[-1]["Data"]["status"] == "succeeded"
    assert stage.events(job, **{"Last-Event-ID": told[2]["SeqID"]}) == told[3:]


def test_jobs_are_listed_through_aspects(stage: Stage) -> None:
    jobs = [stage.job(do="echo", n=number) for number in range(3)]
    path = "/1/aspects?schema=urn:ivcap:schema:job.2&order-by=requested-at&order-desc=true&include-content=true&limit=3"
    items = stage.ask("GET", path, None, ALL).json["items"]
    assert [item["content"]["id"] for item in items] == jobs[::-1]
    assert all({"id", "service-name", "service-id", "status", "requested-at"} <= set(item["content"]) for item in items)
    assert {item["entity"] for item in items} == set(jobs)


def test_a_large_file_is_uploaded_in_chunks_and_downloaded(stage: Stage) -> None:
    data = bytes(range(256)) * 45_000
    artifact = created(stage, "große datei.bin", len(data))
    for start in range(0, len(data), CHUNK):
        headers = {**TUS, **BYTES, "Upload-Offset": str(start)}
        assert stage.ask("PATCH", artifact["data-href"], data[start : start + CHUNK], headers).status == 204
    read = stage.ask("GET", f"/1/artifacts/{artifact['id']}", None, ALL).json
    assert (read["status"], read["size"], read["name"]) == ("ready", len(data), "große datei.bin")
    said = stage.ask("GET", artifact["data-href"], None, ALL)
    assert (said.status, said.body, said.headers["content-length"]) == (200, data, str(len(data)))


def test_standard_input_is_uploaded_without_knowing_its_size(stage: Stage) -> None:
    artifact, offset = created(stage, "stdin", -1), 0
    for piece in (b"first,", b"second"):
        headers = {**TUS, **BYTES, "Upload-Offset": str(offset), "Upload-Defer-Length": "1"}
        said = stage.ask("PATCH", artifact["data-href"], piece, headers)
        offset += len(piece)
        assert (said.status, said.headers["upload-offset"]) == (204, str(offset))
        assert status(stage, artifact) == "partial"
    last = {**TUS, "Upload-Offset": str(offset), "Upload-Length": str(offset), "Content-Length": "0"}
    assert stage.ask("PATCH", artifact["data-href"], None, last).status == 204
    assert status(stage, artifact) == "ready"
    assert stage.ask("GET", artifact["data-href"], None, ALL).body == b"first,second"


def test_an_empty_file_is_ready_without_a_byte(stage: Stage) -> None:
    artifact = created(stage, "empty", 0)
    assert status(stage, artifact) == "ready"
    assert stage.ask("GET", artifact["data-href"], None, ALL).body == b""


def test_an_upload_that_was_broken_off_is_resumed(stage: Stage) -> None:
    artifact = created(stage, "half", 10)
    assert stage.ask("PATCH", artifact["data-href"], b"01234", {**TUS, **BYTES, "Upload-Offset": "0"}).status == 204
    href = stage.ask("GET", f"/1/artifacts/{artifact['id']}", None, ALL).json["data-href"]
    head = stage.ask("HEAD", href, None, TUS)
    assert (head.status, head.headers["upload-offset"], head.headers["upload-length"]) == (200, "5", "10")
    assert head.headers["cache-control"] == "no-store"
    # It repeats a 409 without going back, so the right offset must be in it for those who can.
    wrong = stage.ask("PATCH", href, b"56789", {**TUS, **BYTES, "Upload-Offset": "4"})
    assert (wrong.status, wrong.headers["upload-offset"]) == (409, "5")
    assert stage.ask("PATCH", href, b"56789", {**TUS, **BYTES, "Upload-Offset": "5"}).status == 204
    assert stage.ask("GET", href, None, ALL).body == b"0123456789"


def test_aspects_are_queried_by_aspect_path_replaced_and_retracted(stage: Stage) -> None:
    where = f"/1/aspects?entity=urn:x:tool&schema={quote('urn:x:schema:tool.1', safe='')}"
    said = stage.ask("PUT", f"{where}&policy=urn:ivcap:policy:ivcap.open.metadata", {"size": 5}, {**ALL, **JSON})
    assert said.status == 200
    assert re.search(r"urn:ivcap:aspect:[0-9a-f-]{36}", said.body.decode())
    assert stage.ask("PUT", where, {"size": 50}, {**ALL, **JSON}).status == 200

    def found(path: str) -> list[Any]:
        query = f"{where}&aspect-path={quote(path)}&include-content=true&limit=10"
        return [item["content"]["size"] for item in stage.ask("GET", query, None, ALL).json["items"]]

    assert found("$.size ? (@ > 10)") == [50]
    assert found("$.size ? (@ < 10)") == []
    (item,) = stage.ask("GET", f"{where}&include-content=false", None, ALL).json["items"]
    assert "content" not in item
    assert stage.ask("DELETE", f"/1/aspects/{item['id']}", None, ALL).status == 204
    assert stage.ask("GET", f"{where}&include-content=false", None, ALL).json["items"] == []
    assert stage.ask("GET", f"/1/aspects/{item['id']}", None, ALL).json["valid-to"]


def test_a_collection_is_one_aspect_in_all(stage: Stage) -> None:
    urn = "urn:ivcap:collection:33333333-0000-4000-8000-000000000001"
    path = f"/1/aspects?entity={urn}&schema=urn:ivcap:schema:artifact-collection.1"
    assert stage.ask("PUT", path, {"collection": urn, "artifacts": []}, {**ALL, **JSON}).status == 200
    (item,) = stage.ask("GET", f"{path}&include-content=true&limit=2", None, ALL).json["items"]
    assert stage.ask("GET", f"/1/aspects/{item['id']}", None, ALL).json["content"]["collection"] == urn


def test_secrets_and_queues_are_kept(stage: Stage) -> None:
    told = {"secret-name": "k", "secret-value": "v", "expiry-time": 0, "secret-type": "raw"}
    assert stage.ask("POST", "/1/secrets", told, {**ALL, **JSON}).status == 204
    listed = stage.ask("GET", "/1/secrets/list", None, ALL).json["items"]  # other files' secrets too
    assert [one for one in listed if one["secret-name"] == "k"] == [{"secret-name": "k", "expiry-time": 0}]
    # It prints the first ten digits of a SHA-256 when it sets a secret, so that they can be compared.
    assert (
        stage.ask("GET", "/1/secrets?secret-name=k&secret-type=raw", None, ALL).json["secret-value"][:10]
        == "4c94485e0c"
    )
    queue = stage.ask("POST", "/1/queues", {"name": "q", "description": "d"}, {**ALL, **JSON}).json["id"]
    path = f"/1/queues/{queue}/messages?schema=urn:x:schema:message.1"
    assert stage.ask("POST", path, {"a": 1}, {**ALL, **JSON}).status == 200
    assert stage.ask("GET", f"/1/queues/{queue}", None, ALL).json["total-messages"] == 1
    assert stage.ask("GET", f"/1/queues/{queue}/messages?limit=1", None, ALL).json["messages"][0]["content"] == {"a": 1}
    assert queue in [item["id"] for item in stage.ask("GET", "/1/queues?limit=50", None, ALL).json["items"]]
    assert stage.ask("DELETE", f"/1/queues/{queue}", None, ALL).status == 204


def test_what_is_not_here_says_so_as_json(stage: Stage) -> None:
    for method, path in (("GET", "/1/packages/list?limit=10"), ("DELETE", "/1/packages/remove?tag=x")):
        said = stage.ask(method, path, None, ALL)
        assert said.status == 501
        assert json.loads(said.body)["message"]
