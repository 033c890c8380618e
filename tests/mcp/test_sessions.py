"""Several sessions on one server object: they share its life, and leave it in any order."""

from __future__ import annotations

import gc
import warnings
from pathlib import Path

import anyio
import pytest
from mcp import Client

from ivcap_client.platform import stop_platform
from ivcap_mcp.server import IvcapServer
from tests.mcp.clients import listed, text, until

pytestmark = pytest.mark.anyio


async def test_a_session_goes_on_when_the_one_that_came_first_leaves(server: IvcapServer, mode: str) -> None:
    first_may_leave, first_has_left = anyio.Event(), anyio.Event()

    async def first() -> None:
        async with Client(server, mode=mode) as client:
            await listed(client, "rehearsal")
            await first_may_leave.wait()
        first_has_left.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first)
        async with Client(server, mode=mode) as client:
            await listed(client, "rehearsal")
            asked = {"service": "rehearsal", "input": {"seconds": 0.5, "echo": mode}, "wait": 0}
            job = (await client.call_tool("run_service", asked)).structured_content["job"]
            first_may_leave.set()
            await first_has_left.wait()
            told = await client.call_tool("get_job", {"job": job, "wait": 30})
            assert told.structured_content["status"] == "succeeded", text(told)
    assert server.backend.stopping


async def test_a_server_can_be_used_again_after_its_last_session(server: IvcapServer) -> None:
    for _ in range(2):
        async with Client(server) as client:
            await listed(client, "rehearsal")
            assert not server.backend.stopping
        assert server.backend.stopping


async def test_sessions_may_come_and_go_all_the_time(server: IvcapServer) -> None:
    seen = 0

    async def visit(number: int) -> None:
        nonlocal seen
        await anyio.sleep(0.01 * number)
        async with Client(server) as client:
            await client.call_tool("list_jobs", {})
            seen += 1

    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(visit, number)
    assert seen == 8
    await until(lambda: server.backend.stopping, "the end of the shared life")


async def test_the_connection_to_a_runner_that_has_ended_is_closed_when_the_next_one_is_followed(
    server: IvcapServer, base: Path
) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        async with Client(server) as client:
            await listed(client, "rehearsal")
            for number in range(2):
                asked = {"seconds": 0.2, "echo": f"runner {number}"}
                assert not (await client.call_tool("rehearsal", asked)).is_error
                stop_platform(base, force=True)
                gc.collect()
    assert [str(one.message) for one in told if issubclass(one.category, ResourceWarning)] == []
