"""A caller's key stands for one job on every replica, also where these share nothing but the platform."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from ivcap_client import IVCAP
from ivcap_client.auth import BearerAuth
from ivcap_mcp import Settings, build_server
from tests.mcp.clients import text
from tests.mcp.outside import SERVICE
from tests.soak.deployment import Deployment

pytestmark = pytest.mark.anyio


@pytest.fixture
async def deployment(tmp_path: Path) -> AsyncIterator[tuple[Deployment, str]]:
    """A platform that makes a job of every order, however often it is sent."""
    found = Deployment(tmp_path / "jobs")
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    async with server:
        yield found, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture
async def replicas(deployment: tuple[Deployment, str], tmp_path: Path) -> AsyncIterator[list[Client]]:
    """Clients of two servers with state directories of their own."""
    async with AsyncExitStack() as stack:
        found = []
        for number in range(2):
            ivcap = await stack.enter_async_context(IVCAP(deployment[1], auth=BearerAuth("t")))
            settings = Settings(state_dir=tmp_path / str(number), max_wait=10, first_list=5)
            found.append(await stack.enter_async_context(Client(build_server(ivcap, settings))))
        yield found


def order(caller: str, **more: Any) -> dict[str, Any]:
    return {"service": SERVICE, "input": {"seconds": 0.0, "caller": caller}, "wait": 5, **more}


async def test_the_second_replica_gives_the_job_of_the_first(
    deployment: tuple[Deployment, str], replicas: list[Client]
) -> None:
    told = [await client.call_tool("run_service", order("a", key="k")) for client in (*replicas, *replicas)]
    assert [one.is_error for one in told] == [False] * 4, text(told[1])
    assert len(deployment[0].jobs) == 1
    assert len({one.meta["ivcap/job"] for one in told if one.meta}) == 1
    assert "attached: true" in text(told[1])


async def test_another_input_under_the_same_key_is_refused_there_too(
    deployment: tuple[Deployment, str], replicas: list[Client]
) -> None:
    await replicas[0].call_tool("run_service", order("a", key="k"))
    refused = await replicas[1].call_tool("run_service", order("b", key="k"))
    assert text(refused).startswith("conflict: ")
    assert len(deployment[0].jobs) == 1
    other = await replicas[1].call_tool("run_service", order("b", key="k2"))
    assert not other.is_error, text(other)


async def test_without_a_key_or_with_resubmit_each_call_has_its_own_job(
    deployment: tuple[Deployment, str], replicas: list[Client]
) -> None:
    for client in replicas:
        await client.call_tool("run_service", order("a"))
    await replicas[0].call_tool("run_service", order("a", key="k"))
    await replicas[1].call_tool("run_service", order("a", key="k", resubmit=True))
    assert len(deployment[0].jobs) == 4
