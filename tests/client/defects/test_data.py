"""Artifacts, aspects and the rest: what the public SDK gets wrong, and what we do."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from ivcap_client import IVCAP, Artifact
from ivcap_client.exception import (
    InvalidInput,
    IvcapApiError,
    IvcapConnectionError,
    IvcapError,
    NotAuthorizedException,
    ProtocolError,
    ResourceNotFound,
    ServerError,
)
from tests.client.defects.conftest import Table
from tests.client.server import Reply, Server

URN = "urn:ivcap:artifact:00000000-0000-0000-0000-000000000001"
ASPECT = "urn:ivcap:aspect:00000000-0000-0000-0000-000000000002"
READ = f"/1/artifacts/{URN.replace(':', '%3A')}"
BLOB = "/1/artifacts/1/blob"
DATA = b"0123456789" * 10


def artifact(table: Table, **more: Any) -> dict[str, Any]:
    told = {"id": URN, "status": "ready", "size": len(DATA), "name": "n", "data-href": f"{table.server.url}{BLOB}"}
    return {**told, **more}


@pytest.fixture
def there(table: Table, ivcap: IVCAP) -> Artifact:
    """An artifact on the platform."""
    table("GET", READ, artifact(table))
    table("GET", BLOB, DATA, Content_Type="application/octet-stream")
    return ivcap.get_artifact(URN)


def test_a1_two_artifacts_are_compared_and_hashed_without_a_request(there: Artifact, table: Table) -> None:
    asked = len(table.server.asked)
    assert there == Artifact(there._ivcap, id=URN)
    assert {there: 1}[Artifact(there._ivcap, id=URN)] == 1
    assert there.record.status == "ready"
    assert len(table.server.asked) == asked


def test_a2_items_of_a_listing_can_be_read(there: Artifact, table: Table, ivcap: IVCAP, tmp_path: Path) -> None:
    table("GET", "/1/artifacts?", {"items": [{"id": URN, "status": "ready", "name": "n"}], "links": []})
    (one,) = ivcap.list_artifacts()
    assert b"".join(one.as_stream()) == DATA
    (again,) = ivcap.list_artifacts()
    assert again.as_local_file(tmp_path / "x").read_bytes() == DATA


def test_a3_the_query_of_a_link_is_kept_and_a_prefix_is_not_doubled(server: Server, table: Table) -> None:
    signed = f"{BLOB}?signature=a%2Bb&x=1"
    table("GET", f"/prefix{READ}", artifact(table, **{"data-href": f"{server.url}/prefix{signed}"}))
    table("GET", "/prefix", DATA)
    with IVCAP(f"{server.url}/prefix/", "token") as ivcap:
        assert ivcap.get_artifact(URN).as_bytes() == DATA
    assert server.asked[-1].path == f"/prefix{signed}"


@pytest.mark.parametrize("came", [DATA[:-1], DATA + b"x"])
def test_a4_a_short_or_long_body_is_refused_and_what_was_there_stays(
    there: Artifact, table: Table, tmp_path: Path, came: bytes
) -> None:
    table.rows["GET", BLOB] = [Reply(body=came)]
    (tmp_path / "x").write_bytes(b"before")
    with pytest.raises((ProtocolError, IvcapConnectionError)):
        there.as_local_file(tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["x"]


class OneWay(io.RawIOBase):
    """Neither seekable nor of known size."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, room: Any, /) -> int:
        return self._data.readinto(room)


def test_a5_any_stream_is_sent_and_an_unknown_ending_is_no_error(ivcap: IVCAP, table: Table) -> None:
    table("POST", "/1/artifacts", artifact(table, status="pending"), status=201)
    table("PATCH", BLOB, status=204, Upload_Offset=str(len(DATA)))
    table("GET", READ, artifact(table))
    assert ivcap.upload_artifact(name="x.unheard-of", io_stream=io.BufferedReader(OneWay(DATA))).size == len(DATA)
    (made,) = table.asked("POST")
    assert made.headers["x-content-type"] == "application/octet-stream"
    assert base64.b64decode(made.headers["x-name"]).decode() == "x.unheard-of"


def test_a5_a_bad_policy_is_named_and_not_the_collection(ivcap: IVCAP, table: Table) -> None:
    with pytest.raises(InvalidInput, match="urn:policy:x") as raised:
        ivcap.upload_artifact(name="x", io_stream=io.BytesIO(b"x"), policy="urn:policy:x", collection="urn:c:1")
    assert "urn:c:1" not in str(raised.value)
    assert table.server.asked == []


def test_a7_what_an_artifact_is_a_cache_of_is_known(ivcap: IVCAP, table: Table) -> None:
    table("GET", READ, artifact(table, **{"cache-of": "https://data.example/x"}))
    assert ivcap.get_artifact(URN).record.cache_of == "https://data.example/x"


@pytest.mark.parametrize(
    ("status", "kind"), [(403, NotAuthorizedException), (404, ResourceNotFound), (507, ServerError)]
)
def test_a8_failures_of_uploads_are_errors_of_this_package(
    ivcap: IVCAP, table: Table, status: int, kind: type[IvcapError]
) -> None:
    table("POST", "/1/artifacts", artifact(table, status="pending"), status=201)
    table("PATCH", BLOB, {"message": "no"}, status=status)
    with pytest.raises(kind, match="could not upload artifact"):
        ivcap.upload_artifact(name="x", io_stream=io.BytesIO(DATA))
    table("GET", READ, artifact(table))
    table("GET", BLOB, {"message": "no"}, status=status)
    with pytest.raises(kind, match="could not download artifact"):
        ivcap.get_artifact(URN).as_bytes()


def test_a13_downloads_work_in_async_code_and_uploads_go_on_in_another_process(
    ivcap: IVCAP, table: Table, there: Artifact
) -> None:
    async def work() -> bytes:
        found = await there.as_bytes_async()
        await ivcap.close_async()
        return found

    assert asyncio.run(work()) == DATA
    table.rows["GET", READ] = [
        Reply(body=json.dumps(artifact(table, status="partial")).encode()),
        Reply(body=json.dumps(artifact(table)).encode()),
    ]
    table("HEAD", BLOB, Upload_Offset="60")
    table("PATCH", BLOB, status=204, Upload_Offset="100")
    # Nothing but the URN is needed to go on.
    assert Artifact(ivcap, id=URN).fill(io.BytesIO(DATA), size=len(DATA)).record.status == "ready"
    (sent,) = table.asked("PATCH")
    assert (sent.headers["upload-offset"], sent.body) == ("60", DATA[60:])


# Aspects and the rest


@pytest.mark.parametrize("status", [200, 201])
def test_d1_an_aspect_that_was_created_is_an_aspect_whatever_the_status(
    ivcap: IVCAP, table: Table, status: int
) -> None:
    table("POST", "/1/aspects", {"id": ASPECT}, status=status)
    assert ivcap.add_aspect("urn:a:b", {"n": 1}, schema="urn:s:1").id == ASPECT


@pytest.mark.parametrize("content", [[1, 2], "text", 3, True])
def test_d2_content_of_any_kind_is_listed(ivcap: IVCAP, table: Table, content: Any) -> None:
    item = {"id": ASPECT, "entity": "urn:a:b", "schema": "urn:s:1", "content": content}
    table("GET", "/1/aspects", {"items": [item], "links": []})
    assert [one.content for one in ivcap.list_aspects()] == [content]


@pytest.mark.parametrize("content", [{"$schema": "urn:s:2"}, {"$entity": "urn:a:c"}])
def test_d3_content_that_contradicts_the_arguments_is_refused(ivcap: IVCAP, table: Table, content: Any) -> None:
    with pytest.raises(InvalidInput, match="the argument says"):
        ivcap.add_aspect("urn:a:b", content, schema="urn:s:1")
    assert table.server.asked == []


def test_d4_an_aspect_is_read_and_retracted_by_its_urn(ivcap: IVCAP, table: Table) -> None:
    at = f"/1/aspects/{ASPECT.replace(':', '%3A')}"
    table("GET", at, {"id": ASPECT, "entity": "urn:a:b", "schema": "urn:s:1", "content": {"n": 1}})
    table("DELETE", at, status=204)
    assert ivcap.get_aspect(ASPECT).content == {"n": 1}
    ivcap.retract_aspect(ASPECT)
    assert len(table.asked("DELETE", at)) == 1


def test_d9_every_error_is_an_ivcap_error_and_404_is_resource_not_found(ivcap: IVCAP, table: Table) -> None:
    from ivcap_client import exception

    for name in ("ResourceNotFound", "AmbiguousRequest", "MissingParameterValue", "ArtifactTooLargeForDataUrlError"):
        assert issubclass(getattr(exception, name), IvcapError)
    with pytest.raises(ResourceNotFound) as raised:
        ivcap.get_artifact(URN)
    assert {raised.value: 1}
    assert isinstance(raised.value, IvcapApiError)


def test_d10_errors_name_the_operation_that_was_tried(ivcap: IVCAP, table: Table) -> None:
    tried = {
        "list artifacts": lambda: list(ivcap.list_artifacts()),
        "read artifact": lambda: ivcap.get_artifact(URN),
        "list services": lambda: list(ivcap.list_services()),
        "read service": lambda: ivcap.get_service("urn:ivcap:service:1").refresh(),
        "list aspects": lambda: list(ivcap.list_aspects()),
        "list jobs": lambda: list(ivcap.list_jobs("urn:ivcap:service:1")),
        "order job": lambda: ivcap.get_service("urn:ivcap:service:1").request_job({}),
    }
    for operation, work in tried.items():
        with pytest.raises(IvcapApiError) as raised:
            work()  # type: ignore[no-untyped-call]
        assert raised.value.operation == operation


@pytest.mark.parametrize("body", [b"<html>no</html>", b"", b'{"id": 1}', b"[1]", b'{"message": null}'])
@pytest.mark.parametrize("status", [400, 403, 404, 422, 429, 500])
def test_d11_the_status_is_told_whatever_the_body_is(ivcap: IVCAP, table: Table, status: int, body: bytes) -> None:
    table("GET", READ, body, status=status)
    with pytest.raises(IvcapApiError) as raised:
        ivcap.get_artifact(URN)
    assert raised.value.status_code == status
