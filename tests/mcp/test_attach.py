"""A repeated call gets the job it had; a key stands for one job; calls that are open together never merge."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any

import anyio
import pytest
from mcp import Client

from ivcap_client import IVCAP
from ivcap_mcp.server import IvcapServer, build_server
from ivcap_mcp.settings import Settings
from tests.mcp.clients import Told, listed, text, until
from tests.mcp.proxied import ORDERS, Proxy, jobs_of

pytestmark = pytest.mark.anyio

TOOL = "plain"


def slow(seconds: float = 1.0) -> dict[str, Any]:
    return {"do": "sleep", "seconds": seconds, "n": uuid.uuid4().hex}


async def run(client: Client, body: dict[str, Any], **more: Any) -> Any:
    return await client.call_tool("run_service", {"service": TOOL, "input": body, **more})


async def test_a_call_after_a_handle_attaches_until_the_result_was_delivered(remote: IvcapServer, proxy: Proxy) -> None:
    body = slow()
    async with Client(remote) as client:
        await listed(client, TOOL)
        first = await run(client, body, wait=0)
        assert first.structured_content["status"] in ("scheduled", "executing")
        second = await client.call_tool(TOOL, body)
        told = second.structured_content
        assert (told["job"], told["attached"]) == (first.structured_content["job"], True)
        assert told["result"]["n"] == body["n"]
        assert "resubmit" in told["note"]
        assert "attached: true" in text(second)
        third = await client.call_tool(TOOL, body)
        assert "attached" not in text(third)
    assert len(await jobs_of(proxy.upstream, body)) == 2


async def test_resubmit_orders_a_fresh_job(remote: IvcapServer, proxy: Proxy) -> None:
    body = slow(0.2)
    async with Client(remote) as client:
        await listed(client, TOOL)
        first = await run(client, body, wait=0)
        fresh = await run(client, body, resubmit=True)
        assert fresh.meta["ivcap/job"] != first.structured_content["job"]
        assert "attached" not in text(fresh)
    assert len(await jobs_of(proxy.upstream, body)) == 2


async def test_get_job_delivers_too(remote: IvcapServer) -> None:
    body = slow(0.2)
    async with Client(remote) as client:
        await listed(client, TOOL)
        first = (await run(client, body, wait=0)).structured_content["job"]
        await client.call_tool("get_job", {"job": first, "wait": 5})
        assert (await run(client, body)).meta["ivcap/job"] != first


async def test_a_cancelled_call_repeated_gets_its_job(remote: IvcapServer, proxy: Proxy, mode: str) -> None:
    body, told = slow(1.5), Told()
    async with Client(remote, mode=mode) as client:
        await listed(client, TOOL)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: client.call_tool(TOOL, body, progress_callback=told))
            await until(lambda: told.steps, "the first progress message")
            tasks.cancel_scope.cancel()
        job = told.messages[0].split()[1]
        await until(lambda: remote.backend.journal.of_job(job).note == "cancelled", "the cancel being noted")  # type: ignore[union-attr]
        result = await client.call_tool(TOOL, body)
    assert result.structured_content["job"] == job
    assert len(await jobs_of(proxy.upstream, body)) == 1


async def test_a_call_cancelled_while_its_order_is_under_way_is_repeated_with_the_same_job(
    remote: IvcapServer, proxy: Proxy
) -> None:
    body = slow(0.1)
    async with Client(remote) as client:
        await listed(client, TOOL)
        proxy.order = "hold"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, TOOL, body)
            await until(lambda: proxy.count("POST", ORDERS), "the order")
            tasks.cancel_scope.cancel()
        result = await client.call_tool(TOOL, body)
    assert result.structured_content["attached"] is True
    assert len(await jobs_of(proxy.upstream, body)) == 1


async def test_calls_open_together_never_merge_and_only_one_repetition_attaches(
    remote: IvcapServer, proxy: Proxy
) -> None:
    body = slow(0.5)
    jobs: list[str] = []
    async with Client(remote) as client:
        await listed(client, TOOL)

        async def one() -> None:
            result = await client.call_tool(TOOL, body)
            assert result.meta, text(result)
            jobs.append(result.meta["ivcap/job"])

        async def together() -> set[str]:
            jobs.clear()
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(one)
            return set(jobs)

        assert len(await together()) == 3
        left = (await run(client, body, wait=0)).structured_content["job"]
        found = await together()
    assert len(found) == 3
    assert left in found
    assert len(await jobs_of(proxy.upstream, body)) == 6


async def test_a_key_stands_for_one_job_running_or_finished(remote: IvcapServer, proxy: Proxy) -> None:
    body = slow(0.3)
    async with Client(remote) as client:
        await listed(client, TOOL)
        seen: set[str] = set()

        async def one() -> None:
            seen.add((await run(client, body, key="k1")).meta["ivcap/job"])

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(one)
        late = await run(client, body, key="k1")
        assert late.structured_content["attached"] is True
        assert {late.structured_content["job"]} == seen
        other = await run(client, slow(), key="k1")
        assert text(other).startswith("conflict: ")
        assert other.structured_content is None
        new = await run(client, body, key="k2")
        assert new.meta["ivcap/job"] not in seen
    assert len(await jobs_of(proxy.upstream, body)) == 2


async def test_a_failed_job_is_delivered_once_as_the_error_it_is(remote: IvcapServer, proxy: Proxy) -> None:
    body = {"do": "value", "n": uuid.uuid4().hex}
    async with Client(remote) as client:
        await listed(client, TOOL)
        await run(client, body, wait=0)
        failed = await run(client, body)
        assert failed.is_error
        assert text(failed).startswith("job_failed: ")
        assert "attached: true" in text(failed)
        again = await run(client, body)
        assert "attached" not in text(again)
    assert len(await jobs_of(proxy.upstream, body)) == 2


async def test_nobody_attaches_across_identities_nor_after_an_hour(
    proxy: Proxy, brief: Settings, remote: IvcapServer
) -> None:
    body = slow(0.1)
    async with Client(remote) as client:
        await listed(client, TOOL)
        await run(client, body, wait=0)
    old = dataclasses.replace(brief, attach_for=0.0)
    for token, settings in (("other", brief), ("t", old)):
        async with IVCAP(proxy.url, token=token) as ivcap, Client(build_server(ivcap, settings)) as client:
            await listed(client, TOOL)
            assert "attached" not in text(await run(client, body))
    assert len(await jobs_of(proxy.upstream, body)) == 3


async def test_two_servers_on_one_journal_attach_once(proxy: Proxy, brief: Settings, remote: IvcapServer) -> None:
    body = slow(0.5)
    async with (
        IVCAP(proxy.url, token="t") as ivcap,
        Client(remote) as one,
        Client(build_server(ivcap, brief)) as two,
    ):
        await listed(one, TOOL)
        await listed(two, TOOL)
        job = (await run(one, body, wait=0)).structured_content["job"]
        jobs: list[str] = []

        async def again(client: Client) -> None:
            jobs.append((await run(client, body)).meta["ivcap/job"])

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(again, one)
            tasks.start_soon(again, two)
    assert job in jobs
    assert len(set(jobs)) == 2
