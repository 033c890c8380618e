"""`cancel_job`, `--on-cancel cancel`, and `list_jobs`, which finds what was left behind."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from ivcap_client import IVCAP
from ivcap_mcp.server import IvcapServer, build_server
from ivcap_mcp.settings import Settings
from ivcap_mcp.tools.job_list import NO_CANCEL
from tests.mcp.clients import Told, listed, text, until
from tests.mcp.proxied import Proxy, Remote, jobs_of

pytestmark = pytest.mark.anyio

TOOL = "plain"
INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}


def slow(seconds: float = 30.0) -> dict[str, Any]:
    return {"do": "sleep", "seconds": seconds, "n": uuid.uuid4().hex}


async def begun(client: Client, body: dict[str, Any], wait: float = 0) -> str:
    await listed(client, TOOL)
    result = await client.call_tool("run_service", {"service": TOOL, "input": body, "wait": wait})
    assert result.meta, text(result)
    return str(result.meta["ivcap/job"])


async def test_a_job_is_cancelled_where_the_platform_can(remote: IvcapServer, mode: str) -> None:
    body = slow()
    async with Client(remote, mode=mode) as client:
        job = await begun(client, body)
        ended = await client.call_tool("cancel_job", {"job": job})
        assert ended.structured_content["cancelled"] is True
        told = await client.call_tool("get_job", {"job": job, "wait": 5})
        assert told.is_error
        assert "ended as error" in text(told)
        again = await client.call_tool("cancel_job", {"job": job})
        assert again.structured_content["cancelled"] is False
        assert "had ended already" in text(again)
        assert await begun(client, body) != job  # a job that was ended on purpose is nobody's any more
        unknown = await client.call_tool("cancel_job", {"job": f"urn:ivcap:job:{uuid.uuid4()}"})
        assert text(unknown).startswith("not_found: ")


async def test_the_call_after_a_cancelled_one_gets_a_job_of_its_own_unless_a_key_names_the_old_one(
    remote: IvcapServer,
) -> None:
    body, keyed = slow(), slow()
    async with Client(remote) as client:
        job = await begun(client, body)
        await client.call_tool("cancel_job", {"job": job})
        fresh = await begun(client, body)
        assert fresh != job
        await client.call_tool("cancel_job", {"job": fresh})
        order = {"service": TOOL, "input": keyed, "key": keyed["n"], "wait": 0}
        ordered = await client.call_tool("run_service", order)
        assert ordered.meta
        named = ordered.meta["ivcap/job"]
        await client.call_tool("cancel_job", {"job": named})
        same = await client.call_tool("run_service", order)
        assert named in text(same)
        assert "attached: true" in text(same)


async def test_a_platform_without_cancel_is_not_asked_to(remote: IvcapServer, proxy: Proxy) -> None:
    proxy.no_cancel = True
    async with Client(remote) as client:
        job = await begun(client, slow(2))
        for _ in range(2):
            answer = await client.call_tool("cancel_job", {"job": job})
            assert answer.structured_content["cancelled"] is False
            assert NO_CANCEL in text(answer)
    assert proxy.count("POST", re.compile(r".*/cancel$")) == 0
    assert proxy.count("GET", re.compile(r".*/openapi")) == 1


@pytest.mark.parametrize("policy", ["detach", "cancel"])
async def test_a_cancelled_call_ends_its_job_only_if_the_server_was_told_so(
    proxy: Proxy, brief: Settings, mode: str, policy: Any
) -> None:
    settings, told = dataclasses.replace(brief, on_cancel=policy), Told()
    async with IVCAP(proxy.url, token="t") as ivcap:
        server = build_server(ivcap, settings)
        async with Client(server, mode=mode) as client:
            await listed(client, TOOL)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: client.call_tool(TOOL, slow(4), progress_callback=told))
                await until(lambda: "executing" in told.messages, "the job running")
                tasks.cancel_scope.cancel()
            job = told.messages[0].split()[1]
            await until(lambda: server.backend.journal.of_job(job).note == "cancelled", "the cancel being noted")  # type: ignore[union-attr]
            result = await client.call_tool("get_job", {"job": job, "wait": 8})
    assert result.is_error == (policy == "cancel"), text(result)


async def test_a_call_cancelled_before_its_order_was_answered_is_cancelled_too(proxy: Proxy, brief: Settings) -> None:
    settings = dataclasses.replace(brief, on_cancel="cancel")
    async with IVCAP(proxy.url, token="t") as ivcap, Client(server := build_server(ivcap, settings)) as client:
        await listed(client, TOOL)
        proxy.order = "hold"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, TOOL, slow())
            await until(lambda: proxy.seen[-1][0] == "POST", "the order")
            tasks.cancel_scope.cancel()
        await until(lambda: proxy.count("POST", re.compile(r".*/cancel$")), "the job being cancelled")
        assert server.backend.journal.unsettled(proxy.url, server.backend.identity) == []


async def test_the_end_of_the_server_cancels_no_job(proxy: Proxy, tmp_path: Path) -> None:
    body = slow(8)
    served = Remote(tmp_path, tmp_path, [], ["--on-cancel", "cancel"], url=proxy.url)
    asked: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": INITIALIZE},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": TOOL, "arguments": body}},
    ]
    command = [sys.executable, *served.arguments()]
    with open(served.log, "wb") as log:  # noqa: ASYNC230 - a child writes to it
        process = await anyio.open_process(command, stderr=log, env=served.environment(), cwd=tmp_path)
    async with process:
        assert process.stdin is not None
        for message in asked:
            await process.stdin.send(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

        async def executing() -> bool:
            return any(job.started_at for job in await jobs_of(proxy.upstream, body))

        await until(executing, "the job running")
        await process.stdin.aclose()
        with anyio.fail_after(20):
            assert await process.wait() == 0
    (job,) = await jobs_of(proxy.upstream, body)
    assert job.error is None
    assert proxy.count("POST", re.compile(r".*/cancel$")) == 0


async def test_jobs_are_listed_by_service_state_and_time_and_paged_without_gap(remote: IvcapServer) -> None:
    async with Client(remote) as client:
        before = datetime.now(UTC)
        made = [await begun(client, slow(0), wait=5) for _ in range(5)]
        failed = {"do": "value", "n": uuid.uuid4().hex}
        await client.call_tool("run_service", {"service": TOOL, "input": failed})
        since = before.isoformat()
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            asked = {"service": TOOL, "since": since, "status": "succeeded", "limit": 2, **cursor}
            page = (await client.call_tool("list_jobs", asked)).structured_content
            found += [one["job"] for one in page["jobs"]]
            # What comes on top meanwhile does not move the pages.
            await begun(client, slow(0), wait=5)
            if "cursor" not in page:
                break
            cursor = {"cursor": page["cursor"]}
        assert found == made[::-1]
        bad = await client.call_tool("list_jobs", {"since": since, "status": "failed"})
        assert [one["status"] for one in bad.structured_content["jobs"]] == ["failed"]
        past = (before - timedelta(days=400)).isoformat()
        old = await client.call_tool("list_jobs", {"since": past, "until": past})
        assert old.structured_content["jobs"] == []
        for name, value in (("since", "yesterday"), ("cursor", "x")):
            refused = await client.call_tool("list_jobs", {name: value})
            assert text(refused).startswith(f"invalid_input: {name}")
