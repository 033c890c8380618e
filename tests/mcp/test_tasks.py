"""The tasks extension: calls become tasks for clients that declared it, and for nobody else."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import mcp_types as t
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from ivcap_client import LocalIVCAP
from ivcap_mcp import build_server
from ivcap_mcp.server import IvcapServer
from tests.mcp.clients import Served, end, listed, text, until
from tests.mcp.conftest import REHEARSAL
from tests.mcp.hosting import client_at, hosted
from tests.mcp.tasking import Tasking, ask, ended, listening, started

pytestmark = pytest.mark.anyio

MODERN = "2026-07-28"
TOOL = "rehearsal"


def is_over(told: Tasking) -> bool:
    return bool(told.pushed) and told.pushed[-1]["status"] == "completed"


def client_of(server: IvcapServer, tasking: Tasking | None = None) -> Client:
    return Client(server, mode=MODERN, extensions=[tasking or Tasking()])


async def test_a_client_that_declared_nothing_never_sees_a_task(server: IvcapServer, mode: str) -> None:
    async with Client(server, mode=mode) as client:
        await listed(client, TOOL)
        result = await client.call_tool(TOOL, {"echo": 1})
        assert result.structured_content["echo"] == 1
        assert result.meta is not None
        with pytest.raises(MCPError) as refused:
            await ask(client.session, "get", result.meta["ivcap/job"])
    if mode == MODERN:
        assert refused.value.error.code == t.MISSING_REQUIRED_CLIENT_CAPABILITY
        assert refused.value.error.data == {"requiredCapabilities": {"extensions": {Tasking.identifier: {}}}}
    else:
        assert refused.value.error.code == t.METHOD_NOT_FOUND


async def test_the_extension_is_advertised_to_modern_clients(server: IvcapServer) -> None:
    async with Client(server, mode="auto", extensions=[Tasking()]) as client:
        assert client.protocol_version == MODERN
        assert Tasking.identifier in (client.server_capabilities.extensions or {})


async def test_a_call_becomes_a_task_named_by_its_job_and_ends_with_what_the_call_would_have_answered(
    server: IvcapServer,
) -> None:
    async with Client(server, mode=MODERN) as plain:
        await listed(plain, TOOL)
        direct = await plain.call_tool(TOOL, {"echo": {"a": 1}})
    async with client_of(server) as client:
        created = await started(client, TOOL, echo={"a": 1}, seconds=0.3)
        assert created.id.startswith("urn:ivcap:job:")
        assert created.told["status"] == "working"
        assert {"result", "error", "inputRequests", "requestState"}.isdisjoint(created.told)
        first = await ask(client.session, "get", created.id)
        assert first["taskId"] == created.id
        assert first["ttlMs"] is None
        assert isinstance(first["pollIntervalMs"], int)
        told = await ended(client, created.id)
        assert told["status"] == "completed"
        result = t.CallToolResult.model_validate(told["result"])
        assert not result.is_error
        assert result.structured_content["echo"] == direct.structured_content["echo"]
        assert text(result).startswith(f"Job {created.id} succeeded.")
        assert not (await client.call_tool("get_job", {"job": created.id})).is_error
        resolved = await client.call_tool(TOOL, {"echo": 2})
        assert resolved.structured_content["echo"] == 2


async def test_run_service_becomes_a_task_unless_it_says_how_long_to_wait(server: IvcapServer) -> None:
    async with client_of(server) as client:
        await listed(client, TOOL)
        created = await started(client, "run_service", service=TOOL, input={"echo": "x"})
        assert (await ended(client, created.id))["result"]["structuredContent"]["echo"] == "x"
        waited = await client.call_tool("run_service", {"service": TOOL, "input": {"seconds": 5}, "wait": 0})
        assert waited.structured_content["next"]["tool"] == "get_job"
        await ask(client.session, "cancel", waited.structured_content["job"])


@pytest.mark.parametrize("outcome", ["succeed", "value_error"])
async def test_a_task_says_that_a_field_is_unknown_to_its_service_and_so_does_its_result(
    server: IvcapServer, outcome: str
) -> None:
    async with client_of(server) as client:
        await listed(client, TOOL)
        created = await started(client, TOOL, stepz=3, outcome=outcome)
        assert "did you mean `steps`?" in created.told["statusMessage"]
        result = t.CallToolResult.model_validate((await ended(client, created.id))["result"])
    assert "did you mean `steps`?" in text(result)
    if outcome == "succeed":
        assert "did you mean `steps`?" in result.structured_content["note"]
        assert result.structured_content["result"]["outcome"] == outcome


async def test_a_task_was_created_when_it_says_so_first(server: IvcapServer, base: Path) -> None:
    async with client_of(server) as client:
        await listed(client, TOOL)
        created = await started(client, TOOL, echo="when")
        assert (await ended(client, created.id))["createdAt"] == created.told["createdAt"]
    async with LocalIVCAP(base) as ivcap:
        requested = (await ivcap.get_job_async(created.id)).requested_at
    assert requested is not None
    assert created.told["createdAt"] == requested.isoformat()  # so every process says the same


async def test_a_call_like_one_whose_task_was_cancelled_is_a_task_of_its_own(server: IvcapServer) -> None:
    async with client_of(server) as client:
        await listed(client, TOOL)
        first = (await started(client, TOOL, seconds=200)).id
        again = await started(client, TOOL, seconds=200)
        assert again.id == first
        assert "attached: true" in again.told["statusMessage"]
        await ask(client.session, "cancel", first)
        fresh = (await started(client, TOOL, seconds=200)).id
        assert fresh != first
        await ask(client.session, "cancel", fresh)


async def test_other_tools_and_refused_arguments_are_answered_at_once(server: IvcapServer) -> None:
    async with client_of(server) as client:
        await listed(client, TOOL)
        assert (await client.call_tool("search_services", {})).structured_content["total"] == 1
        refused = await client.session.call_tool(TOOL, {"steps": "many"}, allow_claimed=True)
        assert isinstance(refused, t.CallToolResult)
        assert refused.is_error


async def test_a_failed_job_is_a_completed_task_with_the_error_inside(server: IvcapServer) -> None:
    async with client_of(server) as client:
        await listed(client, TOOL)
        told = await ended(client, (await started(client, TOOL, outcome="value_error")).id)
    assert told["status"] == "completed"
    assert told["result"]["isError"] is True
    assert "structuredContent" not in told["result"]
    assert "ValueError" in told["result"]["content"][0]["text"]


async def test_a_task_is_cancelled_and_cancelling_again_is_acknowledged(server: IvcapServer) -> None:
    async with client_of(server) as client:
        await listed(client, TOOL)
        task = (await started(client, TOOL, seconds=300)).id
        for _ in range(2):
            acknowledged = await ask(client.session, "cancel", task)
            assert acknowledged["resultType"] == "complete"
            assert "status" not in acknowledged
            told = await ended(client, task)
            assert told["status"] == "cancelled"
            assert "result" not in told


async def test_update_is_acknowledged_and_changes_nothing(server: IvcapServer) -> None:
    async with client_of(server) as client:
        await listed(client, TOOL)
        task = (await started(client, TOOL, echo=3)).id
        acknowledged = await ask(client.session, "update", task, inputResponses={"unknown": {"action": "accept"}})
        assert acknowledged["resultType"] == "complete"
        assert (await ended(client, task))["result"]["structuredContent"]["echo"] == 3


@pytest.mark.parametrize("task", ["", "nonsense", "urn:ivcap:artifact:00000000-0000-0000-0000-000000000000"])
@pytest.mark.parametrize("what", ["get", "update", "cancel"])
async def test_what_is_no_task_of_ours_is_unknown(server: IvcapServer, what: str, task: str) -> None:
    async with client_of(server) as client:
        with pytest.raises(MCPError) as refused:
            await ask(client.session, what, task)
    assert refused.value.error.code == t.INVALID_PARAMS


async def test_progress_is_told_while_a_task_is_polled(server: IvcapServer) -> None:
    async with client_of(server) as client:
        await listed(client, TOOL)
        task = (await started(client, TOOL, seconds=8, steps=40)).id

        async def shown() -> bool:
            told = await ask(client.session, "get", task)
            assert told["status"] == "working", "no message told how far it was"
            return "%" in told["statusMessage"] and "of 40" in told["statusMessage"]

        await until(shown, "a message that says how far the task is")
        await ask(client.session, "cancel", task)


async def test_what_is_watched_for_polling_clients_is_forgotten_when_they_stop(base: Path, settings: Any) -> None:
    async with LocalIVCAP(base, services=[str(REHEARSAL)]) as ivcap:
        server = build_server(ivcap, dataclasses.replace(settings, task_poll=0.02))
        async with client_of(server) as client:
            await listed(client, TOOL)
            task = (await started(client, TOOL, seconds=300)).id
            await ask(client.session, "get", task)
            assert server.followers.followed == {("task", task)}
            await until(lambda: not server.followers.followed, "the follower's end")
            await until(lambda: not server.backend.watchers.watched, "the watcher's end")
            assert (await ask(client.session, "get", task))["status"] == "working"
            await ask(client.session, "cancel", task)


async def test_changes_of_a_task_are_pushed_to_who_listens_and_one_watcher_serves_all(server: IvcapServer) -> None:
    one, two = Tasking(), Tasking()
    async with hosted(server) as url, client_at(url, MODERN, [one]) as client, client_at(url, MODERN, [two]) as other:
        await listed(client, TOOL)
        task = (await started(client, TOOL, seconds=4, steps=3, echo="pushed")).id
        async with listening(client, taskIds=[task, "urn:ivcap:job:not-ours"]), listening(other, taskIds=[task]):
            await until(lambda: server.subscriptions.open == 2 and server.followers.followed, "the streams being open")
            await until(lambda: server.backend.watchers.watched == {task}, "one watcher")
            for told in (one, two):
                await until(partial(is_over, told), "the end being told")
                assert {one["taskId"] for one in told.pushed} == {task}
                assert all("ttlMs" in one for one in told.pushed)
                assert told.pushed[-1]["result"]["structuredContent"]["echo"] == "pushed"
                assert "working" in {one["status"] for one in told.pushed}
        await until(lambda: not server.followers.followed, "the followers' end")
        async with listening(client, taskIds=[task]):
            before = len(one.pushed)
            await until(lambda: len(one.pushed) > before, "the end being told to one who listens too late")
            assert one.pushed[-1]["status"] == "completed"
    assert server.subscriptions.open == 0


async def test_who_did_not_declare_the_extension_gets_no_pushes(server: IvcapServer) -> None:
    async with hosted(server) as url, client_at(url, MODERN, [Tasking()]) as client, client_at(url, MODERN) as plain:
        await listed(client, TOOL)
        task = (await started(client, TOOL, seconds=300)).id
        async with listening(plain, taskIds=[task], toolsListChanged=True):
            await until(lambda: server.subscriptions.open, "the stream being open")
            assert not server.followers.followed
        await ask(client.session, "cancel", task)


async def test_another_process_answers_for_a_task_after_the_first_was_killed(served: Served) -> None:
    async with _process(served) as (client, process, _):
        await listed(client, TOOL)
        task = (await started(client, TOOL, seconds=2, echo="survived")).id
        process.kill()
        process.wait(10)
    served.log.unlink()
    async with _process(served) as (client, _, _):
        told = await ended(client, task)
        assert told["result"]["structuredContent"]["echo"] == "survived"


async def test_over_http_the_routing_header_must_name_the_task(served: Served) -> None:
    async with _process(served) as (client, _, url):
        await listed(client, TOOL)
        task = (await started(client, TOOL)).id
        assert (await ended(client, task))["status"] == "completed"
        async with httpx.AsyncClient(timeout=10) as http:
            for header, status in ((task, 200), ("urn:ivcap:job:other", 400), (None, 400)):
                headers = {"Mcp-Method": "tasks/get", "MCP-Protocol-Version": MODERN}
                headers |= {"Accept": "application/json, text/event-stream"}
                headers |= {"Mcp-Name": header} if header else {}
                reply = await http.post(url, headers=headers, json=_body(task))
                assert reply.status_code == status, reply.text
                if status == 200:
                    assert json.loads(reply.text)["result"]["ttlMs"] is None
                else:
                    assert json.loads(reply.text)["error"]["code"] == t.HEADER_MISMATCH


def _body(task: str) -> dict[str, Any]:
    able: dict[str, Any] = {"extensions": {Tasking.identifier: {}}}
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": able,
    }
    return {"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {"taskId": task, "_meta": meta}}


@asynccontextmanager
async def _process(served: Served) -> AsyncIterator[Any]:
    """A server as a process, and its address, with a client of the extension."""
    process, url, _ = await served.started("--auth", "none")
    try:
        async with client_at(url, MODERN, [Tasking()]) as client:
            yield client, process, url
    finally:
        end(process)
