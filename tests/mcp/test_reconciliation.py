"""An order whose answer is lost: its job is found again, or said to be unknown; never is it ordered twice."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import uuid
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from ivcap_client import IVCAP
from ivcap_mcp.ordering import BY_CONTENT
from ivcap_mcp.server import IvcapServer, build_server
from ivcap_mcp.settings import Settings
from tests.mcp.clients import http_client, listed, text, until
from tests.mcp.proxied import ORDERS, Proxy, Remote, jobs_of

pytestmark = pytest.mark.anyio

TOOL = "plain"


def asked(**more: Any) -> dict[str, Any]:
    """An input that no other test has."""
    return {"do": "echo", "n": uuid.uuid4().hex, **more}


LOST = ["drop", "half", "502"]
MODES: dict[str, dict[str, Any]] = {
    "orders echoed": {},
    "orders echoed in jobs only": {"untold": True},
    "marks stripped": {"strip": True},
    "lists lag": {"lag": 0.5},
    "lists lag, marks stripped": {"lag": 0.5, "strip": True},
    "a twin": {"twin": True},
    "a twin, lists lag": {"twin": True, "lag": 0.5},
    "a twin, marks stripped": {"twin": True, "strip": True},
}


@pytest.mark.parametrize(("mode", "lost"), list(itertools.product(MODES, LOST)))
async def test_a_lost_answer_means_one_job_and_words_that_fit(
    remote: IvcapServer, proxy: Proxy, mode: str, lost: str
) -> None:
    body = asked()
    for name, value in MODES[mode].items():
        setattr(proxy, name, value)
    async with Client(remote) as client:
        await listed(client, TOOL)
        proxy.order = lost
        result = await client.call_tool(TOOL, body)
    assert not result.is_error, text(result)
    jobs = await jobs_of(proxy.upstream, body)
    assert len(jobs) == 1 + proxy.twin
    assert proxy.count("POST", ORDERS) == 1
    told = result.structured_content
    job = result.meta["ivcap/job"] if result.meta else ""
    if proxy.strip:
        assert told["note"] == BY_CONTENT
        assert BY_CONTENT in text(result)
        assert told["result"]["n"] == body["n"]
        assert job in [one.urn for one in jobs]
    else:
        order = json.loads(remote.backend.journal.path.read_text().split("\n")[1])["order"]
        assert [one.urn for one in jobs if one.order == order] == [job]
        assert told["n"] == body["n"]
        assert "twin" not in text(result)


async def test_an_order_that_was_not_taken_is_unknown_until_the_user_decides(remote: IvcapServer, proxy: Proxy) -> None:
    body = asked()
    async with Client(remote) as client:
        await listed(client, TOOL)
        proxy.order = "gone"
        result = await client.call_tool(TOOL, body)
        assert result.is_error
        assert text(result).startswith("outcome_unknown: ")
        submission = remote.backend.journal.unsettled(proxy.url, remote.backend.identity)[0].id
        assert f'"job": "{submission}"' in text(result)
        assert "resubmit" in text(result)
        shown = (await client.call_tool("list_jobs", {})).structured_content
        assert shown["unknown_outcome"][0]["submission"] == submission
        proxy.order = "pass"
        again = await client.call_tool("get_job", {"job": submission})
        assert text(again).startswith("outcome_unknown: ")
        plain = await client.call_tool(TOOL, body)
        assert text(plain).startswith("outcome_unknown: ")
        assert await jobs_of(proxy.upstream, body) == []
        anew = await client.call_tool("run_service", {"service": TOOL, "input": body, "resubmit": True})
        assert anew.structured_content["n"] == body["n"]
        late = await client.call_tool("get_job", {"job": submission})
    assert anew.meta
    assert late.structured_content["job"] == anew.meta["ivcap/job"]
    assert len(await jobs_of(proxy.upstream, body)) == 1


async def test_a_platform_known_to_keep_orders_is_never_searched_by_content(remote: IvcapServer, proxy: Proxy) -> None:
    body = asked()
    async with Client(remote) as client:
        await listed(client, TOOL)
        await client.call_tool(TOOL, asked())
        assert remote.backend.journal.origin(proxy.url, remote.backend.identity).echoes is True
        proxy.order = "gone"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ordered_elsewhere, proxy.upstream, body)
            result = await client.call_tool(TOOL, body)
    assert text(result).startswith("outcome_unknown: ")


async def ordered_elsewhere(url: str, body: dict[str, Any]) -> None:
    async with IVCAP(url, token="t") as ivcap:
        service = await ivcap.list_services(limit=1).__anext__()
        await service.submit_async(body)


async def test_two_lost_orders_of_the_same_never_share_a_job(remote: IvcapServer, proxy: Proxy) -> None:
    body = asked()
    proxy.strip, proxy.order = True, "drop"
    jobs: list[str] = []
    async with Client(remote) as client:
        await listed(client, TOOL)

        async def one() -> None:
            result = await client.call_tool(TOOL, body)
            assert not result.is_error, text(result)
            jobs.append(result.meta["ivcap/job"] if result.meta else "")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one)
            tasks.start_soon(one)
    assert len(set(jobs)) == 2
    assert {job.urn for job in await jobs_of(proxy.upstream, body)} == set(jobs)


async def test_a_platform_that_cannot_be_reached_was_sent_nothing(remote: IvcapServer, proxy: Proxy) -> None:
    body = asked()
    async with Client(remote) as client:
        await listed(client, TOOL)
        proxy.gone()
        result = await client.call_tool(TOOL, body)
    assert text(result).startswith("no_connection: ")
    assert remote.backend.journal.unsettled(proxy.url, remote.backend.identity) == []


async def crashed(proxy: Proxy, folder: Path, body: dict[str, Any]) -> Settings:
    """A server is killed after the platform took its order and before the answer; where it kept its journal."""
    served = Remote(folder, folder, [], url=proxy.url)
    process, url, _ = await served.started()

    async def call() -> None:
        # The client's own complaints when its server goes are not what this is about.
        with contextlib.suppress(BaseExceptionGroup, MCPError):
            async with http_client(url, None, "2026-07-28") as client:
                await listed(client, TOOL)
                proxy.order = "hold"
                await client.call_tool(TOOL, body)

    async def there() -> bool:
        return bool(await jobs_of(proxy.upstream, body))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        await until(there, "the platform taking the order")
        process.kill()
        process.wait(10)
    proxy.order = "pass"
    return Settings(state_dir=folder / "state")


@pytest.mark.parametrize("strip", [False, True])
async def test_a_server_killed_before_the_answer_came_leaves_a_submission_that_is_found(
    proxy: Proxy, brief: Settings, tmp_path: Path, strip: bool
) -> None:
    proxy.strip, body = strip, asked()
    state = (await crashed(proxy, tmp_path, body)).state_dir
    lines = [json.loads(line) for line in (state / "submissions.jsonl").read_text().split("\n") if line]
    assert ["job" in line for line in lines] == [False]
    settings = dataclasses.replace(brief, state_dir=state)
    async with IVCAP(proxy.url, token="t") as ivcap, Client(build_server(ivcap, settings)) as client:
        found = await client.call_tool("get_job", {"job": lines[0]["submission"], "wait": 5})
        assert not found.is_error, text(found)
        assert found.structured_content["result"]["n"] == body["n"]
        assert ("twin" in text(found)) == strip
    assert len(await jobs_of(proxy.upstream, body)) == 1


async def test_a_repeated_call_after_a_crash_gets_the_job_of_the_lost_order(
    proxy: Proxy, brief: Settings, tmp_path: Path
) -> None:
    body = asked()
    settings = dataclasses.replace(brief, state_dir=(await crashed(proxy, tmp_path, body)).state_dir)
    async with IVCAP(proxy.url, token="t") as ivcap, Client(build_server(ivcap, settings)) as client:
        await listed(client, TOOL)
        result = await client.call_tool(TOOL, body)
    assert result.structured_content["attached"] is True
    assert len(await jobs_of(proxy.upstream, body)) == 1
