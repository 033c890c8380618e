"""Safety, hangs and resources: what the public SDK gets wrong, and what we do."""

from __future__ import annotations

import asyncio
import inspect
import io
import logging
import time
import tracemalloc
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from ivcap_client import IVCAP, Artifact, Aspect, Job, LocalIVCAP, Service
from ivcap_client._core.messages import Request
from ivcap_client.exception import InvalidInput, IvcapApiError, IvcapTimeout, JobTimeout, ResourceNotFound
from tests.client.defects.conftest import TOKEN, Table
from tests.client.server import Reply, Server

URN = "urn:ivcap:service:00000000-0000-0000-0000-000000000001"
JOB = "urn:ivcap:job:00000000-0000-0000-0000-000000000002"


@pytest.mark.parametrize("name", ["../out.txt", "/etc/out.txt", "a/../../out.txt", "..", "C:\\out.txt", "~/out"])
def test_s2_a_name_that_climbs_stays_inside_the_local_directory(local: LocalIVCAP, tmp_path: Path, name: str) -> None:
    made = local.upload_artifact(name=name, io_stream=io.BytesIO(b"x"))
    inside = (local.base_dir / "artifacts").resolve()
    assert [path.resolve().parent for path in inside.iterdir()] == [inside]
    assert made.as_bytes() == b"x"
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("name", ["../secret", "../../secret", "/etc/passwd", "urn:ivcap:aspect:../../secret"])
def test_s3_an_aspect_s_id_never_leads_out_of_its_directory(local: LocalIVCAP, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.json").write_text('{"id": "urn:ivcap:aspect:x", "entity": "urn:a:b", "schema": "urn:s:1"}')
    with pytest.raises((InvalidInput, ResourceNotFound)):
        local.get_aspect(name)


def test_s4_the_token_is_in_no_repr(ivcap: IVCAP, table: Table) -> None:
    table("GET", "/1/services2", {"items": [{"id": URN}], "links": []})
    service = next(ivcap.list_services())
    for thing in (ivcap, service, vars(ivcap), vars(service), ivcap._port, vars(ivcap._port), ivcap._target):
        assert TOKEN not in repr(thing)


def test_s5_bodies_of_refusals_are_not_logged(ivcap: IVCAP, table: Table, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    table("GET", "/1/artifacts", {"message": "the personal data of somebody"}, status=400)
    with pytest.raises(IvcapApiError):
        list(ivcap.list_artifacts())
    assert "personal data" not in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("name", ["x' or name~='%", "back\\slash"])
def test_s6_a_service_s_name_cannot_change_the_filter_it_stands_in(ivcap: IVCAP, table: Table, name: str) -> None:
    with pytest.raises(InvalidInput, match="quote or a backslash"):
        ivcap.get_service_by_name(name)
    assert table.server.asked == []


def test_s7_a_service_s_id_is_quoted_in_the_path(ivcap: IVCAP, table: Table) -> None:
    table("POST", "/1/services2/", {"job-id": JOB}, status=202)
    ivcap.get_service("urn:ivcap:service:a/../../x?y#z").request_job({})
    assert table.server.asked[0].path == "/1/services2/urn%3Aivcap%3Aservice%3Aa%2F..%2F..%2Fx%3Fy%23z/jobs"


def test_s8_an_explicit_token_is_used_in_a_container_too(
    server: Server, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IVCAP_BASE_URL", server.url)
    table("POST", "/1/artifacts", {"id": "urn:ivcap:artifact:1", "data-href": "/1/artifacts/1/blob"}, status=201)
    table("PATCH", "/1/artifacts/1/blob", status=204, Upload_Offset="3")
    table("GET", "/1/artifacts/", {"id": "urn:ivcap:artifact:1", "status": "ready", "size": 3})
    with IVCAP(token=TOKEN) as ivcap:
        ivcap.upload_artifact(name="a", io_stream=io.BytesIO(b"abc"))
    assert [one.headers.get("authorization") for one in server.asked] == [f"Bearer {TOKEN}"] * 3


def test_h3_memory_does_not_grow_with_the_size_of_an_upload(ivcap: IVCAP, server: Server, tmp_path: Path) -> None:
    size, seen = 40 * 1024 * 1024, 0

    def answer(asked: object) -> Reply:
        nonlocal seen
        seen += 8 * 1024 * 1024
        return Reply(204, {"Upload-Offset": str(min(seen, size))}, b"")

    file = tmp_path / "large"
    with file.open("wb") as out:
        out.truncate(size)
    from ivcap_client._core.port import run
    from ivcap_client._io import tus

    port = ivcap._port
    # The server of this test keeps what it gets; so what is sent is counted where it leaves.
    pieces: list[int] = []

    def wire(request: Request) -> object:
        from ivcap_client._core.messages import Response

        assert request.body is not None
        assert not isinstance(request.body, bytes)
        while piece := request.body.read(1 << 30):
            pieces.append(len(piece))
        return Response(204, {"upload-offset": str(sum(pieces))})

    port.wire = wire  # type: ignore[method-assign, assignment]
    tracemalloc.start()
    with file.open("rb") as stream:
        run(tus.upload(port, "/1/artifacts/1/blob", stream, size=size))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(pieces) == size
    assert peak < 16 * 1024 * 1024


def test_h4_there_is_a_time_out_by_default_and_it_can_be_set(server: Server) -> None:
    assert IVCAP(server.url, TOKEN)._target.timeout == 30.0
    server.answer = lambda asked: Reply(before=server.hold)
    from ivcap_client._core.port import Retry

    with IVCAP(server.url, TOKEN, timeout=0.05, retry=Retry(attempts=1)) as ivcap, pytest.raises(IvcapTimeout):
        list(ivcap.list_services())


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_h5_what_may_pass_is_borne_where_it_is_safe(ivcap: IVCAP, table: Table, status: int) -> None:
    table("GET", "/1/services2", status=status)
    table("GET", "/1/services2", {"items": [], "links": []})
    assert list(ivcap.list_services()) == []
    table("POST", "/1/services2/", {"message": "x"}, status=status)
    with pytest.raises(IvcapApiError):
        ivcap.get_service(URN).request_job({})
    assert len(table.asked("POST")) == 1


def test_h6_one_client_serves_one_event_loop_after_the_other(ivcap: IVCAP, table: Table) -> None:
    table("GET", "/1/services2/", {"id": URN, "name": "n"})

    async def work() -> str | None:
        found = await ivcap.get_service(URN).refresh_async()
        await ivcap.close_async()
        return found.name

    assert [asyncio.run(work()) for _ in range(2)] == ["n", "n"]


def test_h7_waiting_has_a_limit_and_no_coroutine_blocks(ivcap: IVCAP, table: Table) -> None:
    read = f"/1/services2/{URN.replace(':', '%3A')}/jobs/"
    table("GET", read, {"id": JOB, "status": "executing", "service": URN})

    async def work() -> int:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.005)

        ticking = asyncio.ensure_future(tick())
        with pytest.raises(JobTimeout):
            await ivcap.job(JOB, URN).wait_async(timeout=0.3)
        ticking.cancel()
        await ivcap.close_async()
        return ticks

    assert asyncio.run(work()) > 3  # others ran meanwhile
    with pytest.raises(JobTimeout):
        ivcap.job(JOB, URN).wait(timeout=0.05)


def test_h8_clients_are_context_managers_and_can_be_closed(ivcap: IVCAP, table: Table) -> None:
    table("GET", "/1/services2/", {"id": URN})

    async def work() -> None:
        async with ivcap as same:
            assert same is ivcap
            await ivcap.get_service(URN).refresh_async()

    with ivcap as same:
        assert same is ivcap
        ivcap.get_service(URN).refresh()
    asyncio.run(work())
    ivcap.close()


def test_h10_a_listing_asks_nothing_until_it_is_used_and_no_more_than_it_needs(ivcap: IVCAP, table: Table) -> None:
    table("GET", "/1/services2", {"items": [{"id": URN}] * 3, "links": []})
    assert list(ivcap.list_services(limit=0)) == []
    listing = ivcap.list_services(limit=3)
    assert table.server.asked == []
    assert len(list(listing)) == 3
    assert parse_qs(urlsplit(table.server.asked[0].path).query)["limit"] == ["3"]


def test_h11_waiting_does_not_overshoot_its_limit(ivcap: IVCAP, table: Table) -> None:
    read = f"/1/services2/{URN.replace(':', '%3A')}/jobs/"
    table("GET", read, {"id": JOB, "status": "executing", "service": URN})
    job = ivcap.job(JOB, URN)
    began = time.monotonic()
    with pytest.raises(JobTimeout):
        job.wait(timeout=0.4)
    # Pauses grow (0.25 s, 0.375 s, …), and the last is cut to what is left.
    assert time.monotonic() - began < 10
    looks = [one for one in table.asked("GET", read) if not one.path.endswith("/events")]
    assert 2 <= len(looks) <= 4


@pytest.mark.parametrize("cls", [IVCAP, Service, Job, Artifact, Aspect])
def test_h12_every_method_that_asks_has_an_async_twin(cls: type) -> None:
    asks = []
    for name, member in inspect.getmembers(cls, inspect.isfunction):
        source = inspect.getsource(member)
        if not name.startswith("_") and " run(" in f" {source}".replace("(run(", "( run(").replace("=run(", "= run("):
            asks.append(name)
    missing = [name for name in asks if not hasattr(cls, f"{name}_async")]
    # `request_job_async` waits, as documented; what does not is `submit_async`.
    assert set(missing) <= {"request_job"}
