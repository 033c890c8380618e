"""Threads, forks, pickles, event loops: one client in all of them."""

from __future__ import annotations

import asyncio
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ivcap_client import IVCAP, LocalIVCAP
from ivcap_client._core.jobs import JobRecord
from ivcap_client._io.runtime import Once
from ivcap_client.auth import BearerAuth, NoAuth, RefreshingAuth
from ivcap_client.exception import IvcapError, JobFailed, JobTimeout
from ivcap_client.job import Job
from tests.client.server import Asked, Reply, Server

LISTING = b'{"items": [{"id": "urn:ivcap:service:1", "name": "%s"}], "links": []}'


def client(server: Server, token: str = "secret") -> IVCAP:
    return IVCAP(server.url, token)


def names(ivcap: IVCAP) -> list[str | None]:
    return [service.name for service in ivcap.list_services()]


@pytest.fixture
def platform(server: Server) -> Server:
    """It answers with who was asking."""

    def answer(asked: Asked) -> Reply:
        return Reply(body=LISTING % asked.headers.get("authorization", "nobody").encode())

    server.answer = answer
    return server


def test_a_client_travels_without_its_sockets(platform: Server) -> None:
    with client(platform) as ivcap:
        assert names(ivcap) == ["Bearer secret"]
        again = pickle.loads(pickle.dumps(ivcap))
    assert (type(again), again.url) == (IVCAP, platform.url)
    assert names(again) == ["Bearer secret"]
    again.close()


def test_a_client_is_rebuilt_as_it_was_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IVCAP_BASE_URL", "http://sidecar:7701/s/x")
    inside = pickle.dumps(IVCAP(token="t"))
    monkeypatch.setenv("IVCAP_URL", "https://other.example")
    assert pickle.loads(inside).url == "http://sidecar:7701/s/x"
    local = pickle.loads(pickle.dumps(LocalIVCAP(tmp_path, services=[])))
    assert (type(local), local.base_dir) == (LocalIVCAP, tmp_path)
    assert list(local.list_artifacts()) == []
    local.close()


def test_credentials_travel_and_hide(platform: Server) -> None:
    for auth in (NoAuth(), BearerAuth("hush"), RefreshingAuth(fetched, "hush")):
        assert "hush" not in repr(auth)
        assert type(pickle.loads(pickle.dumps(auth))) is type(auth)
    assert b"hush" not in pickle.dumps(RefreshingAuth(fetched, "hush"))
    with client(platform, "hush") as ivcap:
        job = ivcap.job("urn:ivcap:job:1", "urn:ivcap:service:1")
        assert not [text for text in (repr(ivcap), repr(job), str(ivcap), repr(vars(ivcap))) if "hush" in text]


def fetched() -> str:
    """A token."""
    return "fetched"


def test_errors_that_carry_a_job_travel(platform: Server) -> None:
    with client(platform) as ivcap:
        job = Job(ivcap, JobRecord("urn:ivcap:job:1", "executing", service="urn:ivcap:service:1"))
        for error in (JobTimeout(job, 3.0), JobFailed(job, "it failed")):
            again = pickle.loads(pickle.dumps(error))
            assert (type(again), str(again), again.job) == (type(error), str(error), job)
            assert again.job.status(refresh=False) == "executing"
        assert "had not ended after 3.0 s (it is executing)" in str(JobTimeout(job, 3.0))


def test_handles_of_every_kind_travel(tmp_path: Path) -> None:
    with LocalIVCAP(tmp_path) as local:
        said = local.add_aspect("urn:example:site:1", {"depth": 12}, schema="urn:example:schema:depth.1")
        kept = local.create_collection("urn:example:collection:1", "Sites")
        listed = next(local.list_aspects(entity="urn:example:site:1"))
        for handle in (said, listed, kept, kept.add_item("urn:example:site:1"), local.set_secret("key", "hush")):
            again = pickle.loads(pickle.dumps(handle))
            assert (type(again), again) == (type(handle), handle)
        assert pickle.loads(pickle.dumps(said)).content["depth"] == 12


def test_a_service_travels_also_after_its_request_was_looked_at(platform: Server) -> None:
    def answer(asked: Asked) -> Reply:
        parameters = b'{"id": "urn:ivcap:service:1", "name": "s", "parameters": [{"name": "n", "type": "int"}]}'
        return Reply(body=b'{"items": [], "links": []}' if "/aspects" in asked.path else parameters)

    platform.answer = answer
    with client(platform) as ivcap:
        for service in (ivcap.get_service("urn:ivcap:service:1"), ivcap.get_agent("urn:ivcap:service:1")):
            assert service.request_model(n=3).model_dump()["n"] == 3
            again = pickle.loads(pickle.dumps(service))
            assert (type(again), again) == (type(service), service)
            assert again.request_model(n=4).model_dump()["n"] == 4
            again._ivcap.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_parent_and_child_of_a_fork_do_not_share_connections(platform: Server) -> None:
    with client(platform) as ivcap:
        assert names(ivcap) == ["Bearer secret"]
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(write, repr(names(ivcap)).encode())
                ivcap.close()
            finally:
                os._exit(0)
        os.close(write)
        with open(read, "rb") as pipe:
            assert pipe.read() == b"['Bearer secret']"
        os.waitpid(child, 0)
        assert names(ivcap) == ["Bearer secret"]
    ports = [asked.port for asked in platform.asked]
    assert ports[0] == ports[2] != ports[1]


def test_threads_share_a_client(platform: Server) -> None:
    found: list[list[str | None]] = []
    with client(platform) as ivcap:
        threads = [threading.Thread(target=lambda: found.append(names(ivcap))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert found == [["Bearer secret"]] * 8


def test_two_event_loops_one_after_the_other_share_a_client(platform: Server) -> None:
    ivcap = client(platform)

    async def work() -> list[str | None]:
        async with ivcap:
            return [service.name async for service in ivcap.list_services()]

    assert [asyncio.run(work()), asyncio.run(work())] == [["Bearer secret"]] * 2


def test_blocking_methods_work_inside_a_running_loop_as_in_a_notebook(platform: Server, tmp_path: Path) -> None:
    async def cell() -> list[str | None]:
        with client(platform) as ivcap, LocalIVCAP(tmp_path) as local:
            assert list(local.list_artifacts()) == []
            return names(ivcap)

    assert asyncio.run(cell()) == ["Bearer secret"]


def test_a_closed_client_can_be_used_again(platform: Server) -> None:
    ivcap = client(platform)
    for _ in range(2):
        assert names(ivcap) == ["Bearer secret"]
        ivcap.close()


def test_one_refresh_serves_threads_and_tasks(server: Server) -> None:
    renewals = []

    def fetch() -> str:
        renewals.append(1)
        return "fresh"

    def answer(asked: Asked) -> Reply:
        fresh = asked.headers.get("authorization") == "Bearer fresh"
        return Reply(body=LISTING % b"ok") if fresh else Reply(401, body=b"")

    server.answer = answer
    ivcap = IVCAP(server.url, auth=RefreshingAuth(fetch, "stale"))

    async def tasks() -> None:
        async def one() -> None:
            assert [service.name async for service in ivcap.list_services()] == ["ok"]

        async with ivcap:
            await asyncio.gather(*(one() for _ in range(6)))

    threads = [threading.Thread(target=names, args=(ivcap,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    asyncio.run(tasks())
    for thread in threads:
        thread.join(20)
    ivcap.close()
    assert len(renewals) == 1


def test_a_renewal_that_fails_fails_for_all_who_wait_for_it() -> None:
    once, go, found = Once(), threading.Event(), []

    def work() -> None:
        go.wait(10)
        raise IvcapError("no renewal")

    def ask() -> None:
        try:
            once.do("renew", work)
        except IvcapError as error:
            found.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(10)
    assert len(found) == 4
    assert once.do("renew", lambda: 5) == 5


def test_an_interrupted_renewal_is_left_to_another() -> None:
    once = Once()

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        once.do("renew", interrupted)
    assert once.do("renew", lambda: 5) == 5


def test_a_renewal_that_needs_itself_is_an_error_and_no_deadlock() -> None:
    once = Once()
    with pytest.raises(RuntimeError, match="renew"):
        once.do("renew", lambda: once.do("renew", lambda: 5))


def test_nothing_is_printed_where_the_program_has_no_log() -> None:
    code = (
        "import logging, ivcap_client; ivcap_client.IVCAP; "
        "logging.getLogger('ivcap_client._local.platform').warning('hush')"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert (found.stdout, found.stderr) == ("", "")
