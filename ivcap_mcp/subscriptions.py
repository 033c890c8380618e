"""Subscriptions of both eras: `resources/subscribe` on a connection, `subscriptions/listen` as a stream of its own.

Only what the caller can read is followed, and only so much of it. Whatever ends a subscription (unsubscribing, closing
the stream, losing the connection, the end of the server) also ends what was watched for it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import mcp_types as t
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import SUBSCRIPTION_ID_META_KEY, ResourceUpdated
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import event_matches, event_to_notification

from ivcap_client import Job
from ivcap_client.exception import IvcapError
from ivcap_client.later import later
from ivcap_client.urns import kind_of
from ivcap_mcp import followers, tasks
from ivcap_mcp.changes import Event, Peer, TaskChanged
from ivcap_mcp.errors import ToolError, no_resource
from ivcap_mcp.followers import Follow, Followers, Key

if TYPE_CHECKING:
    from ivcap_mcp import resources
    from ivcap_mcp.backend import Backend
    from ivcap_mcp.tasks import Tasks
else:
    resources = later("ivcap_mcp.resources")

log = logging.getLogger("ivcap_mcp.subscriptions")

Context = ServerRequestContext[Any, Any]
T = TypeVar("T")
MOST_STREAMS = 1000
"""Listen streams at the same time."""
MOST_WAITING = 1000
"""Events that wait for a client to read them; one that does not read loses its stream and can listen again."""
AT_ONCE = 10
"""URNs of one request that are looked up at the same time."""


class Subscriptions:
    """Who wants to hear of what."""

    def __init__(self, backend: Backend, held: Followers, of_tasks: Tasks) -> None:
        self._backend, self._followers, self._tasks = backend, held, of_tasks
        self._streams: set[MemoryObjectSendStream[Event]] = set()
        self.sessions = True
        backend.changes.on_gone(self._gone)
        backend.changes.on_away(self._away)
        backend.changes.on_close(self.close)

    # Legacy

    async def subscribe(self, ctx: Context, params: t.SubscribeRequestParams) -> t.EmptyResult:
        """`resources/subscribe`.

        Raises:
            MCPError: There is no such resource, or nowhere to tell the client of it.
        """
        if not self.sessions:
            raise MCPError(
                t.METHOD_NOT_FOUND,
                "This server keeps no sessions, so it can tell of no change: read it again, or wait with get_job",
            )
        peer, uri = self._backend.changes.peer(ctx.session), str(params.uri)
        if uri in peer.uris:
            return t.EmptyResult()
        if len(peer.uris) >= self._backend.settings.most_subscriptions:
            raise MCPError(t.INVALID_PARAMS, f"No more than {len(peer.uris)} subscriptions: unsubscribe from others")
        try:
            follow = await self._follow(uri)
        except IvcapError as error:
            raise MCPError(t.INTERNAL_ERROR, str(error)) from None
        if follow is None:
            raise no_resource(uri, ctx.protocol_version)
        # Looking it up took a while: the client may have gone, or asked the same again.
        if not peer.gone and uri not in peer.uris:
            peer.uris.add(uri)
            self._hold(peer, uri, follow)
        return t.EmptyResult()

    async def unsubscribe(self, ctx: Context, params: t.UnsubscribeRequestParams) -> t.EmptyResult:
        """`resources/unsubscribe`."""
        peer, uri = self._backend.changes.peer(ctx.session), str(params.uri)
        peer.uris.discard(uri)
        self._release(peer, uri)
        return t.EmptyResult()

    def _hold(self, peer: Peer, uri: str, follow: Follow) -> None:
        if uri not in peer.held and not peer.away:
            peer.held.add(uri)
            self._followers.hold(("resource", uri), follow)

    def _release(self, peer: Peer, uri: str) -> None:
        if uri in peer.held:
            peer.held.discard(uri)
            self._followers.release(("resource", uri))

    def _gone(self, peer: Peer) -> None:
        for uri in list(peer.held):
            self._release(peer, uri)
        peer.uris.clear()

    def _away(self, peer: Peer) -> None:
        """Nothing is followed for a client that could not be told. One that reads again goes on where it was."""
        if not peer.away:
            self._backend.tasks.start_soon(self._back, peer)
            return
        for uri in list(peer.held):
            self._release(peer, uri)

    async def _back(self, peer: Peer) -> None:
        """Follow again what a client subscribed to before it stopped reading; what happened meanwhile is not known,
        so each is announced once.
        """
        wanted = [uri for uri in peer.uris if uri not in peer.held]
        for uri, follow in (await self._looked_up(wanted, self._follow)).items():
            if uri in peer.uris and not peer.gone:
                self._hold(peer, uri, follow)
        for uri in wanted:
            if uri in peer.uris and not peer.away and not peer.gone:
                await self._backend.changes.told(peer, uri)

    # Modern

    async def listen(self, ctx: Context, params: t.SubscriptionsListenRequestParams) -> t.SubscriptionsListenResult:
        """`subscriptions/listen`: acknowledges what is honoured, then passes on events until one side ends it."""
        if ctx.request_id is None:
            raise MCPError(t.INVALID_REQUEST, "subscriptions/listen needs a request id")
        if len(self._streams) >= MOST_STREAMS:
            raise MCPError(t.INTERNAL_ERROR, "Too many streams are open on this server")
        asked = params.notifications
        uris, ids = _some(asked.resource_subscriptions, self._limit), _some(_task_ids(ctx, asked), self._limit)
        send, receive = anyio.create_memory_object_stream[Event](MOST_WAITING)

        def deliver(event: Event) -> None:
            if not (event.task in ids if isinstance(event, TaskChanged) else event_matches(asked, uris, event)):
                return
            try:
                send.send_nowait(event)
            except anyio.ClosedResourceError:
                return  # the stream is ending
            except anyio.WouldBlock:
                log.warning("a client does not read its subscription %r, which ends", ctx.request_id)
                self._streams.discard(send)
                send.close()

        # From here on nothing is missed: what happens while the URNs are looked up waits in the stream.
        leave = self._backend.changes.bus.subscribe(deliver)
        self._streams.add(send)
        try:
            await self._stream(ctx, asked, uris, ids, receive)
        finally:
            leave()
            self._streams.discard(send)
            send.close()
            receive.close()
        return t.SubscriptionsListenResult(_meta={SUBSCRIPTION_ID_META_KEY: ctx.request_id})

    async def _stream(
        self,
        ctx: Context,
        asked: t.SubscriptionFilter,
        uris: frozenset[str],
        ids: frozenset[str],
        events: MemoryObjectReceiveStream[Event],
    ) -> None:
        meta: dict[str, Any] = {SUBSCRIPTION_ID_META_KEY: ctx.request_id}
        follows: dict[str, Follow] = await self._looked_up(uris, self._follow)
        jobs: dict[str, Job] = await self._looked_up(ids, self._tasks.find)
        honoured = t.SubscriptionFilter(
            tools_list_changed=asked.tools_list_changed or None,
            prompts_list_changed=asked.prompts_list_changed or None,
            resources_list_changed=asked.resources_list_changed or None,
            resource_subscriptions=sorted(follows) or None,
            **({"taskIds": sorted(jobs)} if jobs else {}),
        )
        keys: list[Key] = [("resource", uri) for uri in follows] + [("task", urn) for urn in jobs]
        for uri, follow in follows.items():
            self._followers.hold(("resource", uri), follow)
        for urn, job in jobs.items():
            self._followers.hold(("task", urn), partial(self._tasks.follow, job))
        try:
            acknowledged = t.SubscriptionsAcknowledgedNotification(
                params=t.SubscriptionsAcknowledgedNotificationParams(notifications=honoured, _meta=meta)
            )
            await ctx.session.send_notification(acknowledged, related_request_id=ctx.request_id)
            for urn, job in jobs.items():
                if job.ended:  # nothing more will happen to it that could be announced
                    await tasks.notify(ctx, TaskChanged(urn, await self._tasks.state(job)), meta)
            async for event in events:
                if isinstance(event, TaskChanged):
                    if event.task in jobs:
                        await tasks.notify(ctx, event, meta)
                elif not isinstance(event, ResourceUpdated) or event.uri in follows:
                    told = event_to_notification(event, meta)
                    await ctx.session.send_notification(told, related_request_id=ctx.request_id)
        finally:
            for key in keys:
                self._followers.release(key)

    def close(self) -> None:
        """End all streams in good order."""
        for stream in list(self._streams):
            stream.close()

    @property
    def open(self) -> int:
        """How many streams are open."""
        return len(self._streams)

    @property
    def _limit(self) -> int:
        return self._backend.settings.most_subscriptions

    async def _looked_up(self, urns: Iterable[str], look: Callable[[str], Awaitable[T | None]]) -> dict[str, T]:
        """What was found of these; what cannot be read is left out."""
        found: dict[str, T] = {}
        limit = anyio.CapacityLimiter(AT_ONCE)

        async def one(urn: str) -> None:
            async with limit:
                try:
                    value = await look(urn)
                except IvcapError as error:
                    log.info("nobody can subscribe to %s now: %s", urn, error)
                    return
            if value is not None:
                found[urn] = value

        async with anyio.create_task_group() as group:
            for urn in urns:
                group.start_soon(one, urn)
        return found

    async def _follow(self, uri: str) -> Follow | None:
        """How to follow a resource; `None` if there is no such resource, or not for this caller."""
        backend = self._backend
        match kind_of(uri):
            case "job":
                try:
                    job = await backend.job(uri, patience=0)
                except ToolError:
                    return None
                return partial(followers.follow_job_status, backend, job)
            case "aspect":
                if not await resources.exists(backend, uri):
                    return None
                return partial(followers.follow_aspect, backend, uri)
            case _:
                if not await resources.exists(backend, uri):
                    return None
                return partial(followers.follow_entity, backend, uri, await followers.stated(backend, uri))


def _some(asked: object, most: int) -> frozenset[str]:
    """The first `most` texts of a list that came from outside."""
    texts = [one for one in asked if isinstance(one, str)] if isinstance(asked, list) else []
    return frozenset(list(dict.fromkeys(texts))[:most])


def _task_ids(ctx: Context, asked: t.SubscriptionFilter) -> object:
    """The tasks extension's part of the filter, from clients that declared the extension."""
    return (asked.model_extra or {}).get("taskIds") if tasks.declared(ctx) else None
