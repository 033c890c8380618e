"""Two people, one server: one tries everything to see what is the other's."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from mcp.shared.exceptions import MCPError

from ivcap_client import IVCAP
from ivcap_mcp.allowance import Allowance
from ivcap_mcp.auth.exchange import Exchange, ExchangeSeats
from ivcap_mcp.auth.seat import Seats
from ivcap_mcp.settings import Settings
from tests.mcp.clients import http_client, listed, text, until
from tests.mcp.grouped import Group, called, group, job_of, mark
from tests.mcp.issuing import Issuer
from tests.mcp.tasking import Tasking, ask, ended, started

pytestmark = [
    pytest.mark.anyio,
    # What legacy clients do is deprecated and tested all the same.
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]

TOOL = "plain"
SECRET = "a word that only Anna's data hold"


@pytest.fixture
async def shared(urls: dict[str, str], issuer: Issuer, brief: Settings) -> AsyncIterator[Group]:
    async with group(urls, issuer, dataclasses.replace(brief, new_job=0.1)) as found:
        yield found


async def test_nothing_of_one_user_is_seen_by_another_whatever_they_try(shared: Group, mode: str) -> None:
    async with shared.client("anna", mode) as anna, shared.client("bert", mode) as bert:
        await listed(anna, TOOL)
        await listed(bert, TOOL)
        ran = await anna.call_tool(TOOL, {"do": "echo", "message": SECRET})
        assert SECRET in text(ran)
        job = job_of(ran)
        stored = await anna.call_tool("upload_artifact", {"name": "anna.txt", "text": SECRET})
        assert stored.structured_content is not None
        artifact = str(stored.structured_content["artifact"])
        said = await anna.call_tool(
            "add_aspect", {"entity": artifact, "schema": "urn:example:note", "content": {"note": SECRET}}
        )
        assert said.structured_content is not None, text(said)
        aspect = str(said.structured_content["aspect"])
        await anna.call_tool("search_services", {"query": SECRET})

        tries = [
            ("get_job", {"job": job}),
            ("cancel_job", {"job": job}),
            ("explain_job", {"job": job}),
            ("list_jobs", {}),
            ("get_artifact", {"artifact": artifact}),
            ("preview_artifact", {"artifact": artifact}),
            ("read_artifact", {"artifact": artifact}),
            ("list_artifacts", {}),
            ("get_aspect", {"aspect": aspect}),
            ("query_aspects", {"entity": artifact}),
            ("query_aspects", {"schema": "urn:example:note"}),
            ("retract_aspect", {"aspect": aspect}),
            ("trace_lineage", {"urn": artifact}),
            ("trace_lineage", {"urn": job}),
            ("search_services", {"query": SECRET[:6]}),
        ]
        for tool, given in tries:
            seen = await called(bert, tool, **given)
            assert SECRET not in seen, (tool, seen)
            assert "anna" not in seen, (tool, seen)
            if "urn" not in given and not tool.startswith(("list", "search", "query", "trace")):
                assert "not_found" in seen or "not yours" in seen, (tool, seen)
        for uri in (job, artifact, aspect):
            with pytest.raises(MCPError):
                await bert.read_resource(uri)
            if mode == "legacy":
                with pytest.raises(MCPError):
                    await bert.session.subscribe_resource(uri)
        shown = await bert.list_resources()
        assert not {str(one.uri) for one in shown.resources} & {job, artifact, aspect}

        # The same call at the same moment is a job of each one's own.
        assert job_of(await bert.call_tool(TOOL, {"do": "echo", "message": SECRET})) != job
        assert SECRET in await called(anna, "read_artifact", artifact=artifact), "what is Anna's stays hers"
    # Each request to the platform carried the token of the one it was for.
    assert {shared.issuer.claims(token)["sub"] for token in shared.accounts.tokens} == {"anna", "bert"}


async def test_a_key_is_its_owners_and_so_is_the_job_it_stands_for(shared: Group) -> None:
    given = {"service": TOOL, "input": {"do": "echo"}, "key": "the same"}
    async with shared.client("anna", "2026-07-28") as anna, shared.client("bert", "2026-07-28") as bert:
        await listed(anna, TOOL)
        await listed(bert, TOOL)
        first, again = [await anna.call_tool("run_service", given) for _ in range(2)]
        assert job_of(first) == job_of(again) != job_of(await bert.call_tool("run_service", given))


async def test_tasks_and_subscriptions_of_one_user_are_nobodys_else(shared: Group) -> None:
    tasking = Tasking()
    async with (
        http_client(shared.url, shared.token("anna"), "2026-07-28", extensions=[tasking]) as anna,
        http_client(shared.url, shared.token("bert"), "2026-07-28", extensions=[Tasking()]) as bert,
    ):
        await listed(anna, TOOL)
        await listed(bert, TOOL)
        task = await started(anna, TOOL, do="sleep", seconds=1, message=SECRET)
        for what in ("get", "update", "cancel"):
            with pytest.raises(MCPError, match="Unknown task"):
                await ask(bert.session, what, task.id)
        async with bert.listen(resource_subscriptions=[task.id], tools_list_changed=True) as stream:
            assert not stream.honored.resource_subscriptions
        other = await started(bert, TOOL, do="echo")
        assert other.id != task.id
        done = await ended(anna, task.id)
        assert SECRET in json.dumps(done)


async def test_a_session_of_another_user_is_not_there(shared: Group) -> None:
    opening = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
    }

    def headers(user: str, **more: str) -> dict[str, str]:
        accept = "application/json, text/event-stream"
        return {"authorization": f"Bearer {shared.token(user)}", "accept": accept, **more}

    async with httpx.AsyncClient(timeout=30) as http:
        opened = await http.post(shared.url, json=opening, headers=headers("anna"))
        session = opened.headers["mcp-session-id"]
        listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
        hers = await http.post(shared.url, json=listing, headers=headers("anna", **{"mcp-session-id": session}))
        his = await http.post(shared.url, json=listing, headers=headers("bert", **{"mcp-session-id": session}))
        ended = await http.delete(shared.url, headers=headers("bert", **{"mcp-session-id": session}))
        alive = await http.post(shared.url, json=listing, headers=headers("anna", **{"mcp-session-id": session}))
    assert (hers.status_code, his.status_code, ended.status_code, alive.status_code) == (200, 404, 404, 200)


async def test_an_upload_address_is_its_owners(shared: Group) -> None:
    async with shared.client("anna", "2026-07-28") as anna:
        made = await anna.call_tool("upload_artifact", {"name": "big.bin", "size": 5})
    assert made.structured_content is not None, text(made)
    where = made.structured_content["upload_url"]
    async with httpx.AsyncClient(timeout=30) as http:
        bert = await http.put(where, content=b"12345", headers={"authorization": f"Bearer {shared.token('bert')}"})
        moved = await http.put(where.replace(mark(shared, "anna"), mark(shared, "bert")), content=b"12345")
        sent = await http.put(where, content=b"12345")
    assert bert.status_code == 404
    assert moved.status_code in (401, 404)
    assert sent.status_code == 201, sent.text


@pytest.mark.parametrize("path", ["x", "x/y.z", "../../../x/y.z", "0" * 32 + "/W10.AAAA", "%2e%2e/" * 3 + "a.b"])
async def test_an_upload_address_that_was_made_up_begins_nothing(shared: Group, brief: Settings, path: str) -> None:
    where = shared.url.replace("/mcp", f"/upload/{path}")
    async with httpx.AsyncClient(timeout=30) as http:
        assert (await http.put(where, content=b"12345")).status_code in (401, 404)
    assert not shared.door._house.all
    assert not (brief.state_dir / "users").exists()


async def test_what_is_kept_on_disk_is_apart_and_holds_no_token(shared: Group, brief: Settings) -> None:
    for user in ("anna", "bert"):
        async with shared.client(user, "2026-07-28") as client:
            await listed(client, TOOL)
            await client.call_tool(TOOL, {"do": "echo"})
    folders = sorted(one.name for one in (brief.state_dir / "users").iterdir())
    assert folders == sorted(mark(shared, user) for user in ("anna", "bert"))
    kept = b"".join(one.read_bytes() for one in brief.state_dir.rglob("*") if one.is_file())
    assert not any(token.encode() in kept for token in shared.accounts.tokens)


async def test_a_token_that_ended_is_replaced_by_the_callers_next_one(shared: Group) -> None:
    async with shared.client("anna", "2026-07-28") as client:
        await listed(client, TOOL)
    before = len(shared.accounts.tokens)
    newer = shared.token("anna", jti="newer")
    async with http_client(shared.url, newer, "2026-07-28") as client:
        await client.call_tool("list_jobs", {})
    assert newer in shared.accounts.tokens[before:]


async def test_tokens_are_exchanged_and_the_platform_never_sees_the_callers_own(
    urls: dict[str, str], issuer: Issuer, brief: Settings
) -> None:
    def seats(connect: Callable[..., IVCAP]) -> Seats:
        return ExchangeSeats(connect, Exchange(issuer.url, "ivcap-mcp", "client-secret", audience="the-platform"))

    async with group(urls, issuer, brief, seats, audience="the-platform") as shared:
        async with shared.client("anna", "2026-07-28") as anna, shared.client("bert", "2026-07-28") as bert:
            await listed(anna, TOOL)
            ran = await anna.call_tool(TOOL, {"do": "echo"})
            assert "not_found" in await called(bert, "get_job", job=job_of(ran))
        assert len(issuer.exchanged) == 2, "each one's is kept"
        assert {form["audience"] for form in issuer.exchanged} == {"the-platform"}
        seen = [issuer.claims(token) for token in shared.accounts.tokens]
        assert {claims["aud"] for claims in seen} == {"the-platform"}
        assert {claims["sub"] for claims in seen} == {"anna", "bert"}
        assert {claims["act"]["sub"] for claims in seen} == {"ivcap-mcp"}


async def test_an_exchange_that_is_refused_is_said_in_the_tools_answer(
    urls: dict[str, str], issuer: Issuer, brief: Settings
) -> None:
    issuer.refuses = True

    def seats(connect: Callable[..., IVCAP]) -> Seats:
        return ExchangeSeats(connect, Exchange(issuer.url, "ivcap-mcp", "client-secret"))

    async with group(urls, issuer, brief, seats, audience="x") as shared, shared.client("anna", "2026-07-28") as anna:
        said = await called(anna, "list_artifacts")
        assert "not_authorised" in said
        assert "invalid_grant" in said
        assert "client-secret" not in said
        assert (await anna.list_tools()).tools, "what needs no platform goes on"


async def test_who_asks_too_much_is_told_when_to_come_back_and_others_are_served(
    urls: dict[str, str], issuer: Issuer, brief: Settings
) -> None:
    asked = {"jsonrpc": "2.0", "id": 7, "method": "ping"}
    async with group(urls, issuer, brief, limits=Allowance(rate=6, burst=2, body=2000)) as shared:
        async with httpx.AsyncClient(timeout=30) as http:

            async def post(user: str, **more: Any) -> httpx.Response:
                accept = "application/json, text/event-stream"
                headers = {"authorization": f"Bearer {shared.token(user)}", "accept": accept}
                return await http.post(shared.url, json={**asked, **more}, headers=headers)

            replies = [await post("anna") for _ in range(3)]
            bert = await post("bert", params={"x": "y" * 3000})
    assert replies[2].status_code == 429
    told = replies[2].json()
    assert told["id"] == 7
    assert told["error"]["data"]["retryAfter"] == int(replies[2].headers["retry-after"]) > 0
    assert [reply.status_code == 429 for reply in replies[:2]] == [False, False]
    assert bert.status_code == 413


async def test_callers_beyond_the_room_there_is_replace_who_has_been_idle_longest(shared: Group) -> None:
    tenants = shared.door._house
    tenants._most = 1
    async with shared.client("anna", "2026-07-28") as anna:
        await anna.list_tools()
    async with shared.client("bert", "2026-07-28") as bert:
        await bert.list_tools()
        assert [one.mark for one in tenants.all] == [mark(shared, "bert")]
    async with shared.client("anna", "2026-07-28") as anna:
        await listed(anna, TOOL)


async def test_a_server_that_does_not_start_in_time_is_told_and_not_a_failure(
    shared: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ivcap_mcp.tenants.START", 0.0)
    async with httpx.AsyncClient(timeout=20) as http:
        headers = {"authorization": f"Bearer {shared.token('late')}", "accept": "application/json, text/event-stream"}
        ping = {"jsonrpc": "2.0", "id": 7, "method": "ping"}
        told = await http.post(shared.url, json=ping, headers=headers)
    assert told.status_code == 503
    assert told.headers["retry-after"]
    assert told.json()["id"] == 7


async def test_the_server_of_a_caller_who_is_gone_ends_and_their_job_is_found_again(
    urls: dict[str, str], issuer: Issuer, brief: Settings
) -> None:
    async with group(urls, issuer, brief, idle=0.2) as shared:
        async with shared.client("anna", "2026-07-28") as anna:
            await listed(anna, TOOL)
            given = {"service": TOOL, "input": {"do": "sleep", "seconds": 1}, "wait": 0}
            going = await anna.call_tool("run_service", given)
            assert going.structured_content is not None
        await until(lambda: not shared.door._house.all, "the caller's server ending")
        async with shared.client("anna", "2026-07-28") as anna:
            over = await anna.call_tool("get_job", {"job": going.structured_content["job"], "wait": 20})
            assert "succeeded" in text(over)


async def test_callers_with_the_same_services_have_their_definitions_in_common_and_nothing_else(shared: Group) -> None:
    async with shared.client("anna", "2026-07-28") as anna, shared.client("bert", "2026-07-28") as bert:
        await listed(anna, TOOL)
        await listed(bert, TOOL)
        first, second = [one.server.backend for one in shared.door._house.all]
        assert first.catalog is not second.catalog
        assert first.ivcap is not second.ivcap
        hers, his = first.catalog.all()[0], second.catalog.all()[0]
        # The two platforms describe their tools in aspects of their own.
        assert (hers is his) == (hers.aspect == his.aspect)
