"""Subscriptions in both eras: told what changed, told nothing else, and nothing left behind."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import mcp_types as t
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from ivcap_client import IVCAP
from ivcap_mcp import Settings
from ivcap_mcp.server import IvcapServer
from tests.mcp.clients import listed, until
from tests.mcp.hosting import client_at, hosted
from tests.mcp.tasking import listening

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]

MODERN = "2026-07-28"
TOOL = "rehearsal"
SCHEMA = "urn:test:schema:note.1"
NOWHERE = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return dataclasses.replace(settings, poll=0.1, most_subscriptions=5)


class Heard:
    """URIs of updates, by the means of either era."""

    def __init__(self) -> None:
        self.uris: list[str] = []

    async def __call__(self, message: Any) -> None:
        if isinstance(message, t.ResourceUpdatedNotification):
            self.uris.append(str(message.params.uri))


@asynccontextmanager
async def subscribed(client: Client, heard: Heard, *uris: str) -> AsyncIterator[None]:
    """A subscription as the client's era has it; over when the block is left."""
    if client.protocol_version != MODERN:
        for uri in uris:
            await client.session.subscribe_resource(uri)
        yield
        for uri in uris:
            await client.session.unsubscribe_resource(uri)
        return

    async def read(subscription: Any) -> None:
        async for event in subscription:
            heard.uris.append(event.uri)

    async with client.listen(resource_subscriptions=list(uris)) as subscription, anyio.create_task_group() as group:
        assert set(subscription.honored.resource_subscriptions or ()) == set(uris)
        group.start_soon(read, subscription)
        yield
        group.cancel_scope.cancel()


@asynccontextmanager
async def heard_by(server: IvcapServer, mode: str) -> AsyncIterator[tuple[Client, Heard]]:
    heard = Heard()
    # A modern client hands the events of its streams to this handler as well: there it would hear everything twice.
    async with Client(server, mode=mode, message_handler=None if mode == MODERN else heard) as client:
        yield client, heard


async def ordered(client: Client, **arguments: Any) -> str:
    """A job that was ordered and goes on."""
    await listed(client, TOOL)
    told = await client.call_tool("run_service", {"service": TOOL, "input": arguments, "wait": 0})
    return str(told.structured_content["job"])


async def nothing_left(server: IvcapServer) -> None:
    await until(lambda: not server.followers.followed, "the followers' end")
    await until(lambda: not server.backend.watchers.watched, "the watchers' end")
    await until(lambda: server.backend.changes.bus.listening == 0, "the bus being empty")


async def test_a_job_is_announced_when_its_status_changes_and_can_be_read_then(server: IvcapServer, mode: str) -> None:
    async with heard_by(server, mode) as (client, heard):
        job = await ordered(client, seconds=1, steps=5)
        async with subscribed(client, heard, job):
            await until(lambda: server.followers.followed, "the follower")

            async def over() -> bool:
                read = (await client.read_resource(job)).contents[0]
                assert isinstance(read, t.TextResourceContents)
                return '"succeeded"' in read.text

            await until(lambda: heard.uris, "an update")
            if not await over():
                await until(lambda: len(heard.uris) == 2, "the update that tells the end")
                assert await over()
            assert set(heard.uris) == {job}
            assert len(heard.uris) <= 2  # it began, it ended: steps are no change of its status
        await nothing_left(server)


async def test_an_aspect_is_announced_when_it_is_retracted(server: IvcapServer, mode: str) -> None:
    async with heard_by(server, mode) as (client, heard):
        made = await client.call_tool("add_aspect", {"entity": "urn:test:a", "schema": SCHEMA, "content": {"a": 1}})
        urn = made.structured_content["aspect"]
        async with subscribed(client, heard, urn):
            assert heard.uris == []
            await server.backend.ivcap.retract_aspect_async(urn)
            await until(lambda: heard.uris, "the update")
            assert heard.uris == [urn]
        await nothing_left(server)


@pytest.mark.parametrize("kind", ["artifact", "other"])
async def test_an_entity_is_announced_when_something_new_is_stated_about_it(
    server: IvcapServer, mode: str, kind: str
) -> None:
    async with heard_by(server, mode) as (client, heard):
        entity = f"urn:test:thing:{uuid.uuid4()}"
        if kind == "artifact":
            stored = await client.call_tool("upload_artifact", {"name": "a.txt", "text": "a"})
            entity = stored.structured_content["artifact"]
        first = {"entity": entity, "schema": SCHEMA, "content": {"a": 1}}
        await client.call_tool("add_aspect", first)
        async with subscribed(client, heard, entity):
            await client.call_tool("add_aspect", {**first, "content": {"a": 2}})
            await until(lambda: heard.uris, "the update")
            assert heard.uris == [entity]
        await nothing_left(server)


async def test_what_cannot_be_read_cannot_be_subscribed_to(server: IvcapServer, mode: str) -> None:
    hidden = [f"urn:ivcap:{kind}:{NOWHERE}" for kind in ("job", "aspect", "artifact", "service")]
    hidden += ["urn:test:nothing-is-stated", "https://example.org/", "urn:ivcap:job:../../x", "x" * 5000]
    async with heard_by(server, mode) as (client, _):
        if mode == MODERN:
            async with client.listen(resource_subscriptions=hidden, tools_list_changed=True) as stream:
                assert not stream.honored.resource_subscriptions
                assert stream.honored.tools_list_changed
                assert not server.followers.followed
            return
        for uri in hidden:
            with pytest.raises(MCPError) as refused:
                await client.session.subscribe_resource(uri)
            assert refused.value.error.code == -32002
        assert not server.followers.followed


async def test_subscriptions_are_limited(server: IvcapServer, mode: str) -> None:
    async with heard_by(server, mode) as (client, _):
        made = [
            (await client.call_tool("add_aspect", {"entity": "urn:test:b", "schema": SCHEMA, "content": {"n": n}}))
            for n in range(7)
        ]
        urns = [one.structured_content["aspect"] for one in made]
        if mode == MODERN:
            async with client.listen(resource_subscriptions=urns) as stream:
                assert len(stream.honored.resource_subscriptions or ()) == 5
        else:
            for urn in urns[:5]:
                await client.session.subscribe_resource(urn)
            await client.session.subscribe_resource(urns[0])  # again: the same subscription
            with pytest.raises(MCPError) as refused:
                await client.session.subscribe_resource(urns[5])
            assert refused.value.error.code == t.INVALID_PARAMS
            assert len(server.followers.followed) == 5
            await client.session.unsubscribe_resource(urns[0])
            await client.session.subscribe_resource(urns[5])
    await nothing_left(server)


async def test_subscribers_of_both_eras_share_one_watcher_and_leave_none(server: IvcapServer) -> None:
    one, two = Heard(), Heard()
    async with hosted(server) as url:
        async with (
            client_at(url, MODERN) as modern,
            client_at(url, "legacy", message_handler=two) as legacy,
        ):
            job = await ordered(modern, seconds=300)
            async with subscribed(modern, one, job), subscribed(modern, one, job), subscribed(legacy, two, job):
                await until(lambda: server.followers.followed, "the follower")
                assert server.backend.watchers.watched == {job}
                assert len(server.followers.followed) == 1
                await server.backend.ivcap.job(job, await service_of(server.backend.ivcap, job)).cancel_async()
                await until(lambda: len(one.uris) >= 2 and two.uris, "everybody being told")
            await nothing_left(server)
            await legacy.session.subscribe_resource(await an_aspect(modern))
            assert server.followers.followed
        # The client ends its session on leaving; one that only vanishes is given up with it, after the SDK's own time.
        await nothing_left(server)


async def test_streams_that_are_cut_off_leave_nothing_behind(server: IvcapServer) -> None:
    async with hosted(server) as url:
        async with client_at(url, MODERN) as client:
            aspect, job = await an_aspect(client), await ordered(client, seconds=300)
        for _ in range(10):
            async with client_at(url, MODERN) as client, listening(client, resource_subscriptions=[aspect, job]):
                await until(lambda: len(server.followers.followed) == 2, "the followers")
        await nothing_left(server)
        assert server.subscriptions.open == 0
        await server.backend.ivcap.job(job, await service_of(server.backend.ivcap, job)).cancel_async()


async def test_a_stateless_server_refuses_an_older_clients_subscription_that_it_could_not_keep(
    server: IvcapServer,
) -> None:
    async with hosted(server, stateless=True) as url, client_at(url, "legacy") as client:
        with pytest.raises(MCPError, match="keeps no sessions"):
            await client.session.subscribe_resource(await an_aspect(client))
        await nothing_left(server)


async def test_the_end_of_the_server_ends_streams_in_good_order(server: IvcapServer) -> None:
    async with Client(server, mode=MODERN) as client:
        aspect = await an_aspect(client)
        async with client.listen(resource_subscriptions=[aspect]) as stream:
            server.backend.changes.close()
            assert [event async for event in stream] == []  # a graceful end, which is no error
        await nothing_left(server)


async def an_aspect(client: Client) -> str:
    made = await client.call_tool("add_aspect", {"entity": "urn:test:c", "schema": SCHEMA, "content": {"a": 1}})
    return str(made.structured_content["aspect"])


async def service_of(ivcap: IVCAP, job: str) -> str:
    return str((await ivcap.get_job_async(job)).service)


async def test_nothing_is_followed_for_a_client_that_stopped_reading_and_it_goes_on_when_it_reads_again(
    server: IvcapServer,
) -> None:
    ivcap = server.backend.ivcap
    made = await ivcap.add_aspect_async(f"urn:test:{uuid.uuid4()}", {"a": 1}, schema=SCHEMA)
    async with hosted(server) as url, httpx2.AsyncClient(timeout=60) as http:
        headers = {"accept": "application/json, text/event-stream"}

        async def post(method: str, params: dict[str, Any], number: int | None = None) -> httpx2.Response:
            body = {"jsonrpc": "2.0", "method": method, "params": params} | ({"id": number} if number else {})
            return await http.post(url, json=body, headers=headers)

        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        headers["mcp-session-id"] = (await post("initialize", hello, 1)).headers["mcp-session-id"]
        await post("notifications/initialized", {})

        async def heard(stream: httpx2.Response) -> str:
            async for line in stream.aiter_lines():
                if "resources/updated" in line:
                    return line
            return ""

        async with http.stream("GET", url, headers=headers) as stream:
            assert (await post("resources/subscribe", {"uri": made.urn}, 2)).status_code == 200
            await until(lambda: server.followers.followed, "the follower")
            assert stream.status_code == 200
        await until(lambda: not server.followers.followed, "the end of following for nobody")
        await ivcap.retract_aspect_async(made.urn)
        async with http.stream("GET", url, headers=headers) as stream:
            with anyio.fail_after(30):
                assert made.urn in await heard(stream)
        await nothing_left(server)
