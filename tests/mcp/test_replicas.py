"""Two processes behind a balancer that takes turns: what clients of both eras can rely on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import mcp_types as t
import pytest
from mcp.shared.exceptions import MCPError

from tests.mcp.clients import Told, end, http_client, listed, text, until
from tests.mcp.grouped import job_of
from tests.mcp.issuing import Issuer, issuing
from tests.mcp.robin import Robin, free_port
from tests.mcp.tasking import Tasking, ask, ended, listening, started

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]

TOOL = "plain"
MODERN = "2026-07-28"


@dataclass
class Replica:
    """A server process."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path


def replica(folder: Path, name: str, issuer: Issuer, deployment: str, public: int, *more: str) -> Replica:
    """A server that shares nothing with others but a secret."""
    secret = folder / "secret"
    secret.write_text("a secret that all replicas share")
    log = folder / f"{name}.log"
    words = [sys.executable, "-m", "ivcap_mcp", "serve", "--transport", "http", "--port", "0", "--stateless"]
    words += ["--auth", "oauth", "--act-as", "same-audience", "--issuer", issuer.url, "--url", deployment]
    words += ["--public-url", f"http://127.0.0.1:{public}/mcp", "--log-level", "info", *more]
    env = {**os.environ, "IVCAP_STATE_DIR": str(folder / name), "IVCAP_MCP_SECRET_FILE": str(secret)}
    with open(log, "wb") as out:
        process = subprocess.Popen(words, stderr=out, stdin=subprocess.DEVNULL, env=env)
    return Replica(process, 0, log)


async def ready(one: Replica) -> Replica:
    def port() -> int:
        assert one.process.poll() is None, one.log.read_text()
        found = re.search(r"listening on http://127\.0\.0\.1:(\d+)/mcp", one.log.read_text())
        return int(found[1]) if found else 0

    one.port = await until(port, "the replica listening")
    return one


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as found:
        yield found


@pytest.fixture(scope="module")
def public() -> int:
    return free_port()


@pytest.fixture(scope="module")
def replicas(
    tmp_path_factory: pytest.TempPathFactory, issuer: Issuer, deployment: str, public: int
) -> Iterator[list[Replica]]:
    folder = tmp_path_factory.mktemp("replicas")
    found = [replica(folder, name, issuer, deployment, public) for name in ("one", "two")]
    yield found
    for one in found:
        end(one.process)
        assert "Traceback" not in one.log.read_text(), one.log.read_text()


@pytest.fixture
async def robin(replicas: list[Replica], public: int) -> AsyncIterator[Robin]:
    async with Robin(public, [(await ready(one)).port for one in replicas]).listening() as found:
        yield found
        assert len(found.turns) < 2 or set(found.turns) == {0, 1}


def token(issuer: Issuer, public: int, user: str = "anna") -> str:
    return issuer.token(user, f"http://127.0.0.1:{public}/mcp")


@pytest.fixture
def client(issuer: Issuer, public: int, robin: Robin) -> Any:
    def of(mode: str, **options: Any) -> Any:
        return http_client(f"http://127.0.0.1:{public}/mcp", token(issuer, public), mode, **options)

    return of


async def test_each_call_of_a_modern_client_works_on_any_replica(client: Any) -> None:
    told = Told()
    async with client(MODERN) as one:
        await listed(one, TOOL)
        result = await one.call_tool(TOOL, {"do": "events", "count": 3}, progress_callback=told)
        assert not result.is_error, text(result)
        assert told.values == sorted(told.values)
        job = job_of(result)
        for _ in range(2):
            assert job in text(await one.call_tool("get_job", {"job": job}))
            assert (await one.read_resource(job)).contents
            assert job in text(await one.call_tool("list_jobs", {}))
        going = await one.call_tool("run_service", {"service": TOOL, "input": {"do": "sleep", "seconds": 1}, "wait": 0})
        assert going.structured_content is not None
        over = await one.call_tool("get_job", {"job": going.structured_content["job"], "wait": 20})
        assert "succeeded" in text(over)


async def test_a_key_stands_for_one_job_on_all_replicas(client: Any) -> None:
    given = {"service": TOOL, "input": {"do": "echo"}, "key": "once"}
    async with client(MODERN) as one:
        await listed(one, TOOL)
        jobs = {job_of(await one.call_tool("run_service", given)) for _ in range(3)}
    assert len(jobs) == 1


async def test_tasks_and_job_subscriptions_work_whichever_replica_is_asked(client: Any) -> None:
    tasking = Tasking()
    async with client(MODERN, extensions=[tasking]) as one:
        await listed(one, TOOL)
        task = await started(one, TOOL, do="sleep", seconds=1.5)
        async with listening(one, taskIds=[task.id], resourceSubscriptions=[task.id]):
            for _ in range(3):
                assert (await ask(one.session, "get", task.id))["taskId"] == task.id
            await until(lambda: tasking.pushed and tasking.pushed[-1]["status"] == "completed", "the push of its end")
        assert (await ended(one, task.id))["status"] == "completed"


async def test_an_upload_address_of_one_replica_is_good_at_another_with_the_callers_token(
    client: Any, issuer: Issuer, public: int, replicas: list[Replica]
) -> None:
    async with client(MODERN) as one:
        made = await one.call_tool("upload_artifact", {"name": "big.bin", "size": 5})
        assert made.structured_content is not None, text(made)
    where = made.structured_content["upload_url"]
    assert where.startswith(f"http://127.0.0.1:{public}/upload/")
    headers = {"authorization": f"Bearer {token(issuer, public)}"}
    async with httpx.AsyncClient(timeout=20) as http:
        sent = [
            await http.put(where.replace(str(public), str(one.port)), content=b"12345", headers=headers)
            for one in replicas
        ]
    assert sent[0].status_code == 201, sent[0].text
    assert sent[1].status_code in (201, 409), "the bytes are there already"


async def test_a_legacy_client_keeps_tools_progress_handles_and_resources(client: Any) -> None:
    told = Told()
    async with client("legacy") as one:
        await listed(one, TOOL)
        result = await one.call_tool(TOOL, {"do": "events", "count": 3}, progress_callback=told)
        assert not result.is_error, text(result)
        assert told.steps
        assert (await one.read_resource(job_of(result))).contents
        going = await one.call_tool("run_service", {"service": TOOL, "input": {"do": "sleep", "seconds": 1}, "wait": 0})
        assert going.structured_content is not None
        over = await one.call_tool("get_job", {"job": going.structured_content["job"], "wait": 20})
        assert "succeeded" in text(over)


async def test_what_a_legacy_client_loses_is_not_promised_to_it(client: Any) -> None:
    async with client("legacy") as one:
        promised = one.server_capabilities
        assert promised.tools is not None
        assert not promised.tools.list_changed
        assert promised.resources is not None
        assert not promised.resources.subscribe
        with pytest.raises(MCPError, match="keeps no sessions") as refused:
            await one.session.subscribe_resource("urn:ivcap:job:00000000-0000-4000-8000-000000000000")
        assert refused.value.error.code == t.METHOD_NOT_FOUND


async def test_a_replica_told_to_end_answers_who_waits_with_the_job_and_another_goes_on_with_it(
    client: Any, tmp_path: Path, issuer: Issuer, deployment: str, public: int
) -> None:
    third = await ready(replica(tmp_path, "three", issuer, deployment, public, "--linger", "0.5"))
    url = f"http://127.0.0.1:{third.port}"
    answers: list[t.CallToolResult] = []
    states: list[int] = []

    async def call(one: Any, group: Any) -> None:
        answers.append(await one.call_tool(TOOL, {"do": "sleep", "seconds": 4, "which": "drained"}))

    try:
        async with http_client(f"{url}/mcp", token(issuer, public), MODERN) as one, anyio.create_task_group() as group:
            await listed(one, TOOL)
            group.start_soon(call, one, group)
            await until(lambda: "ordered from" in third.log.read_text(), "the job being ordered")
            async with httpx.AsyncClient(timeout=5) as http:
                states.append((await http.get(f"{url}/readyz")).status_code)
                third.process.send_signal(signal.SIGTERM)

                async def unready() -> bool:
                    return (await http.get(f"{url}/readyz")).status_code == 503

                await until(unready, "the replica saying that it is about to end")
                states.append((await http.get(f"{url}/healthz")).status_code)
        await until(lambda: third.process.poll() is not None, "the replica ending")
    finally:
        end(third.process)
    assert third.process.returncode == 0, third.log.read_text()
    assert states == [200, 200]
    (answer,) = answers
    assert not answer.is_error, text(answer)
    assert answer.structured_content is not None
    job = answer.structured_content["job"]
    async with client(MODERN) as one:
        over = await one.call_tool("get_job", {"job": job, "wait": 30})
        assert json.dumps("drained") in text(over)
