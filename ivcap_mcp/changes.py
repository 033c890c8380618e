"""Tells clients what changed, by the means each protocol era has.

Modern clients read a stream of their own (`subscriptions/listen`), which takes events from the bus; legacy clients are
sent notifications on their connection.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
from mcp.server.context import ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.subscriptions import ResourceUpdated, ServerEvent, ToolsListChanged

log = logging.getLogger("ivcap_mcp.changes")

SENDING = 2.0
"""Seconds a legacy client may take to accept a notification; one that does not read holds nobody up for longer."""


@dataclass(frozen=True, slots=True)
class TaskChanged:
    """A task has a new status or message; `told` is what `tasks/get` would answer now."""

    task: str
    told: Mapping[str, Any]


Event = ServerEvent | TaskChanged


class Bus:
    """Events, handed to everyone who listens. A listener must not block and must not raise."""

    def __init__(self) -> None:
        self._listeners: dict[object, Callable[[Event], None]] = {}

    async def publish(self, event: Event) -> None:
        """Hand over an event; ends with a checkpoint, so that streams can write between the events of a burst."""
        for listener in list(self._listeners.values()):
            listener(event)
        await anyio.lowlevel.checkpoint()

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Listen from now on; call what is returned to stop."""
        key = object()
        self._listeners[key] = listener

        def leave() -> None:
            self._listeners.pop(key, None)

        return leave

    @property
    def listening(self) -> int:
        """How many listen now."""
        return len(self._listeners)


@dataclass(eq=False)
class Peer:
    """A legacy client's connection.

    Attributes:
        session: Where its notifications are sent.
        uris: What it subscribed to.
        held: What of that is followed for it now.
        away: It reads no notifications at the moment: over HTTP, the stream for them was closed.
        gone: It has closed.
    """

    session: ServerSession
    uris: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    away: bool = False
    gone: bool = False


class Changes:
    """The one place from which changes are announced."""

    def __init__(self) -> None:
        self.bus = Bus()
        self._peers: dict[int, Peer] = {}
        self._reading: Counter[str] = Counter()
        self._on_gone: list[Callable[[Peer], None]] = []
        self._on_away: list[Callable[[Peer], None]] = []
        self._on_close: list[Callable[[], None]] = []

    def on_gone(self, then: Callable[[Peer], None]) -> None:
        """Call `then` with each legacy connection that closes."""
        self._on_gone.append(then)

    def on_away(self, then: Callable[[Peer], None]) -> None:
        """Call `then` with each legacy connection that stops, or begins again, to read notifications."""
        self._on_away.append(then)

    @contextmanager
    def read_by(self, session: str) -> Iterator[None]:
        """The legacy HTTP client of this session reads its notifications within the block.

        A client that has vanished shows only by that: its session lives on until nobody has asked for long.
        """
        self._reading[session] += 1
        self._now(session, away=False)
        try:
            yield
        finally:
            self._reading[session] -= 1
            if self._reading[session] <= 0:
                del self._reading[session]
                self._now(session, away=True)

    def _now(self, session: str, *, away: bool) -> None:
        for peer in list(self._peers.values()):
            if peer.away != away and peer.session._connection.session_id == session:
                peer.away = away
                for then in self._on_away:
                    then(peer)

    def on_close(self, then: Callable[[], None]) -> None:
        """Call `then` when the server ends."""
        self._on_close.append(then)

    def close(self) -> None:
        """End all streams in good order: an open one would keep an HTTP server alive."""
        for then in self._on_close:
            then()

    async def joined(self, ctx: ServerRequestContext[Any, Any], params: object) -> None:
        """A legacy client finished its handshake; its connection is remembered until it closes."""
        self.peer(ctx.session)

    def peer(self, session: ServerSession) -> Peer:
        """The legacy connection that a request came on."""
        # The SDK has no public identity of a connection and no hook for its end: the one place that reaches inside it.
        connection = session._connection
        key = id(connection)
        if key not in self._peers:
            self._peers[key] = Peer(session)
            connection.exit_stack.callback(self._left, key)
        return self._peers[key]

    def _left(self, key: int) -> None:
        peer = self._peers.pop(key)
        peer.gone = True
        for then in self._on_gone:
            then(peer)

    async def tools_changed(self) -> None:
        """Announce that `tools/list` would answer otherwise now."""
        await self.bus.publish(ToolsListChanged())
        await _sent([peer.session.send_tool_list_changed for peer in self._peers.values()])

    async def resource_updated(self, uri: str) -> None:
        """Announce to who subscribed that reading this resource would give something else now."""
        await self.bus.publish(ResourceUpdated(uri))
        peers = [peer for peer in self._peers.values() if uri in peer.uris and not peer.away]
        await _sent([partial(peer.session.send_resource_updated, uri) for peer in peers])

    async def told(self, peer: Peer, uri: str) -> None:
        """Announce to one legacy client that a resource may have changed."""
        await _sent([partial(peer.session.send_resource_updated, uri)])

    async def task_changed(self, task: str, told: Mapping[str, Any]) -> None:
        """Announce a task's new state; legacy clients have no tasks."""
        await self.bus.publish(TaskChanged(task, told))


async def _sent(sends: list[Callable[[], Awaitable[None]]]) -> None:
    async def one(send: Callable[[], Awaitable[None]]) -> None:
        try:
            await send()
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            log.debug("a client had gone when something was announced")

    with anyio.move_on_after(SENDING):
        async with anyio.create_task_group() as tasks:
            for send in sends:
                tasks.start_soon(one, send)
