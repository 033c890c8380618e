"""A job is watched once for all who wait, over every interruption; a call ends in time whatever the platform does."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any

import anyio
import pytest
from mcp import Client

from ivcap_client import IVCAP
from ivcap_mcp.calls import NO_EVENTS
from ivcap_mcp.server import IvcapServer, build_server
from ivcap_mcp.settings import Settings
from tests.mcp.clients import Told, listed, text, until
from tests.mcp.proxied import EVENTS, ORDERS, READS, Proxy, jobs_of

pytestmark = pytest.mark.anyio

TOOL = "plain"


def slow(seconds: float) -> dict[str, Any]:
    return {"do": "sleep", "seconds": seconds, "n": uuid.uuid4().hex}


async def test_a_job_is_watched_once_however_many_wait_for_it(remote: IvcapServer, proxy: Proxy) -> None:
    body = slow(1.0)
    async with Client(remote) as client:
        await listed(client, TOOL)
        first = await client.call_tool("run_service", {"service": TOOL, "input": body, "wait": 0})
        job = first.structured_content["job"]
        before = proxy.count("GET", EVENTS)
        statuses: list[str] = []

        async def one() -> None:
            told = await client.call_tool("get_job", {"job": job, "wait": 8})
            statuses.append(told.structured_content["status"])

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(one)
        assert statuses == ["succeeded"] * 10
        assert proxy.count("GET", EVENTS) == before + 1
        assert remote.backend.watchers.watched == frozenset()


async def test_watching_stops_when_nobody_waits_any_more(remote: IvcapServer) -> None:
    async with Client(remote) as client:
        await listed(client, TOOL)
        async with anyio.create_task_group() as tasks:
            told = Told()
            tasks.start_soon(lambda: client.call_tool(TOOL, slow(5), progress_callback=told))
            await until(lambda: remote.backend.watchers.watched and told.steps, "the job being watched")
            tasks.cancel_scope.cancel()
        await until(lambda: not remote.backend.watchers.watched, "the watcher being gone")


@pytest.mark.parametrize("status", [403, 404])
async def test_a_platform_that_refuses_events_is_polled_and_the_first_message_says_so(
    remote: IvcapServer, proxy: Proxy, status: int
) -> None:
    proxy.events, told = status, Told()
    async with Client(remote) as client:
        await listed(client, TOOL)
        result = await client.call_tool(TOOL, slow(0.8), progress_callback=told)
    assert not result.is_error, text(result)
    assert told.messages[0].startswith("job urn:ivcap:job:")
    assert told.messages[1] == NO_EVENTS
    assert told.messages[-1] == "succeeded"
    assert told.values == sorted(set(told.values))


async def test_a_stream_that_breaks_is_taken_up_where_it_broke(remote: IvcapServer, proxy: Proxy) -> None:
    body = {"do": "events", "count": 40, "n": uuid.uuid4().hex}
    proxy.cut = 3000
    told = Told()
    async with Client(remote) as client:
        await listed(client, TOOL)
        result = await client.call_tool(TOOL, body, progress_callback=told)
    assert not result.is_error, text(result)
    assert proxy.count("GET", EVENTS) == 2
    assert told.values == sorted(set(told.values))


@pytest.mark.parametrize("away", [r"GET .*/jobs/", r"GET .*/jobs/[^/]+$"])
async def test_a_platform_that_is_away_for_a_while_costs_nothing_but_time(
    remote: IvcapServer, proxy: Proxy, away: str
) -> None:
    told, results = Told(), []
    async with Client(remote) as client:
        await listed(client, TOOL)

        async def call() -> None:
            results.append(await client.call_tool(TOOL, slow(0.2), progress_callback=told))

        proxy.down = away
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            # Longer than one request is repeated.
            await until(lambda: proxy.count("GET", READS) >= 5, "the job being asked for in vain")
            proxy.down = ""
    assert not results[0].is_error, text(results[0])
    assert told.values == sorted(set(told.values))


@pytest.mark.parametrize(
    ("hanging", "fits"),
    [
        (r"POST /1/services2/.*/jobs$", "outcome_unknown"),
        (r"GET /1/services2/[^/]+/jobs/", "get_job"),
        (r"GET /1/services2/[^/]+/jobs/[^/]+$", "could not be read in time"),
        (r"GET /1/(aspects|services2)", "get_job"),
        (r"^", ""),
    ],
)
async def test_a_call_ends_in_time_whatever_hangs(proxy: Proxy, brief: Settings, hanging: str, fits: str) -> None:
    order = 0.5 if hanging.startswith(("POST", "^")) else 3.0
    settings = dataclasses.replace(brief, max_wait=5.0, default_wait=5.0, order_timeout=order)
    async with IVCAP(proxy.url, token="t") as ivcap, Client(build_server(ivcap, settings)) as client:
        await listed(client, TOOL)
        proxy.hanging = hanging
        calls: list[tuple[str, dict[str, Any]]] = [(TOOL, slow(0.1)), ("list_jobs", {})]
        calls += [("get_job", {"job": f"urn:ivcap:job:{uuid.uuid4()}", "wait": 45})]
        said: list[str] = []

        async def one(name: str, arguments: dict[str, Any]) -> None:
            with anyio.fail_after(settings.max_wait + 20):  # a call that hangs would do so for 45 s
                result = await client.call_tool(name, arguments)
            if name == TOOL:
                said.append(text(result))

        async with anyio.create_task_group() as tasks:
            for name, arguments in calls:
                tasks.start_soon(one, name, arguments)
    assert fits in said[0]
    proxy.hanging = ""


async def test_a_job_unknown_at_first_is_looked_up_again(remote: IvcapServer, proxy: Proxy) -> None:
    async with Client(remote) as client:
        await listed(client, TOOL)
        made = await client.call_tool("run_service", {"service": TOOL, "input": slow(0.1), "wait": 0})
        proxy.lag = 0.6
        # Another server, which has to learn the service from the platform's statements.
        brief = dataclasses.replace(remote.backend.settings, state_dir=remote.backend.settings.state_dir / "other")
        async with IVCAP(proxy.url, token="t") as ivcap, Client(build_server(ivcap, brief)) as other:
            found = await other.call_tool("get_job", {"job": made.structured_content["job"], "wait": 3})
    assert found.structured_content["status"] == "succeeded"


async def test_an_order_is_sent_once_and_followed_without_being_held(remote: IvcapServer, proxy: Proxy) -> None:
    body = slow(0.2)
    async with Client(remote) as client:
        await listed(client, TOOL)
        before = len(proxy.seen)
        await client.call_tool(TOOL, body)
    seen = proxy.seen[before:]
    assert proxy.count("POST", ORDERS) == 1
    # One for the result; one more where a busy machine broke the stream of events.
    assert sum(bool(READS.match(path)) for _, path in seen) in (1, 2)
    assert len(await jobs_of(proxy.upstream, body)) == 1
