"""The checklist of rest-api §10.2, "a client that works anywhere": one test a line, by its number."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ivcap_client import IVCAP
from ivcap_client.exception import IvcapError, IvcapTimeout, ResourceNotFound, ServerError
from tests.client.server import Asked, Reply, Server

JOB = "urn:ivcap:job:11111111-1111-4111-8111-111111111111"
SERVICE = "urn:ivcap:service:22222222-2222-4222-8222-222222222222"
ARTIFACT = "urn:ivcap:artifact:33333333-3333-4333-8333-333333333333"
STATUS = {
    "id": JOB, "status": "succeeded", "service": SERVICE, "order": "urn:ivcap:order:1", "account": "urn:a",
    "policy": "urn:p", "links": [], "request-content-type": "application/json", "requested-at": "2025-11-04T10:22:31Z",
}  # fmt: skip


@pytest.fixture
def ivcap(server: Server) -> Iterator[IVCAP]:
    with IVCAP(url=server.url, token="secret", timeout=5) as found:
        yield found


def script(server: Server, *replies: Reply) -> None:
    """Answer with these, one after the other; the last one again and again."""
    left = list(replies)
    server.answer = lambda asked: left.pop(0) if len(left) > 1 else left[0]


def told(value: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(status, {name.replace("_", "-"): text for name, text in headers.items()}, json.dumps(value).encode())


def aspects(*ids: str, following: str | None = None) -> Reply:
    items = [
        {"id": id, "entity": "urn:x:e", "schema": "urn:s", "content-type": "application/json", "content": {},
         "valid-from": "2025-11-04T10:22:31Z"}
        for id in ids
    ]  # fmt: skip
    links = [] if following is None else [{"rel": "next", "type": "application/json", "href": following}]
    return told({"items": items, "at-time": "2025-11-04T10:22:31Z", "links": links})


def test_1_reads_are_repeated_within_bounds_and_an_order_never_blindly(server: Server, ivcap: IVCAP) -> None:
    script(server, told({}, 503, Retry_After="0"), told({}, 429, Retry_After="0"), aspects("urn:ivcap:aspect:1"))
    assert len(list(ivcap.list_aspects(entity="urn:x:e"))) == 1
    assert len(server.asked) == 3
    server.asked.clear()
    script(server, told({"message": "bad gateway"}, 502))
    with pytest.raises(ServerError):
        ivcap.get_service(SERVICE).request_job({"n": 1})
    assert [asked.method for asked in server.asked] == ["POST"]


def test_1_a_platform_that_says_nothing_is_given_up(server: Server) -> None:
    server.answer = lambda asked: Reply(before=server.hold)
    with IVCAP(url=server.url, token="t", timeout=0.2) as ivcap, pytest.raises(IvcapTimeout):
        ivcap.get_service(SERVICE).request_job({"n": 1})


@pytest.mark.parametrize("status", [200, 201, 202])
def test_2_any_success_will_do(server: Server, ivcap: IVCAP, status: int) -> None:
    script(server, told({"id": "urn:ivcap:aspect:1"}, status))
    assert ivcap.add_aspect("urn:x:e", {"n": 1}, schema="urn:s").id == "urn:ivcap:aspect:1"


def test_2_a_refusal_is_read_after_its_status_and_keeps_what_was_said(server: Server, ivcap: IVCAP) -> None:
    server.answer = lambda asked: Reply(404, {"Content-Type": "text/html"}, b"<h1>gone</h1>")
    with pytest.raises(ResourceNotFound) as caught:
        ivcap.get_artifact(ARTIFACT)
    assert "gone" in str(caught.value.content)


def test_3_pending_and_unknown_are_running_and_results_are_asked_for(server: Server, ivcap: IVCAP) -> None:
    made = told({"job-id": JOB, "location": f"{server.url}/x", "retry-later": 0, "service-id": SERVICE}, 202)
    states = [told({**STATUS, "status": status}) for status in ("pending", "unknown", "scheduled", "brand-new")]
    done = told({**STATUS, "result-content-type": "application/json", "result-content": {"sum": 3}})
    left = [made, *states, done]

    def answer(asked: Asked) -> Reply:
        if asked.path.endswith("/events"):
            return told({"message": "no events"}, 501)
        return left.pop(0) if len(left) > 1 else left[0]

    server.answer = answer
    job = ivcap.get_service(SERVICE).request_job({"n": 1})
    assert job.wait(timeout=30).result == {"sum": 3}
    reads = [asked.path for asked in server.asked if asked.method == "GET" and "events" not in asked.path]
    assert any("with-result-content=true" in path for path in reads)


def test_4_ids_are_quoted_cursors_decoded_once_and_an_empty_page_is_not_the_end(server: Server, ivcap: IVCAP) -> None:
    script(
        server,
        aspects("urn:ivcap:aspect:1", following="/1/aspects?page=a%252Bb&limit=1"),
        aspects(following="/1/aspects?page=c"),
        aspects("urn:ivcap:aspect:2"),
    )
    assert [one.id for one in ivcap.list_aspects(entity="urn:x:e")] == ["urn:ivcap:aspect:1", "urn:ivcap:aspect:2"]
    assert "page=a%252Bb" in server.asked[1].path
    assert "page=c" in server.asked[2].path
    script(server, told({}, 404))
    with pytest.raises(IvcapError):
        ivcap.get_aspect("urn:ivcap:aspect:a/../b?c").refresh()
    assert server.asked[-1].path == "/1/aspects/urn%3Aivcap%3Aaspect%3Aa%2F..%2Fb%3Fc"


def test_5_a_stream_of_unknown_size_tells_its_length_when_it_ends(server: Server, ivcap: IVCAP) -> None:
    artifact = {"id": ARTIFACT, "status": "ready", "links": [], "data-href": f"{server.url}/1/artifacts/x/blob"}
    kept = bytearray()

    def answer(asked: Asked) -> Reply:
        if asked.method == "PATCH":
            assert asked.headers["upload-offset"] == str(len(kept))
            kept.extend(asked.body)
            return Reply(204, {"Upload-Offset": str(len(kept)), "Tus-Resumable": "1.0.0"}, b"")
        if asked.method == "HEAD":
            return Reply(200, {"Upload-Offset": str(len(kept)), "Tus-Resumable": "1.0.0"}, b"")
        return told(artifact, 201 if asked.method == "POST" else 200)

    server.answer = answer
    data = bytes(range(256)) * 100
    ivcap.upload_artifact(name="x", io_stream=io.BytesIO(data), content_type="text/plain", chunk_size=10_000)
    patches = [asked for asked in server.asked if asked.method == "PATCH"]
    assert bytes(kept) == data
    assert max(len(asked.body) for asked in patches) <= 10_000
    lengths = {asked.headers.get(name) for asked in server.asked for name in ("upload-length", "x-content-length")}
    assert str(len(data)) in lengths


def test_5_a_download_that_is_cut_short_leaves_no_file(server: Server, ivcap: IVCAP, tmp_path: Path) -> None:
    about = {"id": ARTIFACT, "status": "ready", "links": [], "size": 10, "data-href": f"{server.url}/blob"}
    server.answer = lambda asked: told(about) if "blob" not in asked.path else Reply(body=b"short", length=10)
    with pytest.raises(IvcapError):
        ivcap.get_artifact(ARTIFACT).as_local_file(tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_6_a_data_href_is_followed_whole_and_the_token_goes_with_it_only_at_home(
    server: Server, ivcap: IVCAP, tmp_path: Path
) -> None:
    about = {"id": ARTIFACT, "status": "ready", "links": [], "size": 2, "data-href": f"{server.url}/blob?sig=a%2Bb&t=1"}
    server.answer = lambda asked: told(about) if "blob" not in asked.path else Reply(body=b"ok")
    assert ivcap.get_artifact(ARTIFACT).as_local_file(tmp_path / "x").read_bytes() == b"ok"
    assert server.asked[-1].path == "/blob?sig=a%2Bb&t=1"
    assert server.asked[-1].headers["authorization"] == "Bearer secret"


def test_7_unknown_keys_and_values_do_no_harm(server: Server, ivcap: IVCAP) -> None:
    made = told({"job-id": JOB, "location": f"{server.url}/x", "new": 1}, 202)
    script(server, made, told({**STATUS, "status": "paused", "colour": "red", "finished-at": None, "products": None}))
    assert not ivcap.get_service(SERVICE).request_job({"n": 1}).refresh().finished
    about: dict[str, Any] = {
        "id": ARTIFACT,
        "status": "building",
        "links": [],
        "new": {},
        "data-href": f"{server.url}/b",
        "etag": None,
    }
    script(server, told(about))
    assert ivcap.get_artifact(ARTIFACT).name is None
