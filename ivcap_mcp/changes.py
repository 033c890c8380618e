"""Tells clients that a list changed, by the means each protocol era has."""

from __future__ import annotations

import logging
from typing import Any

import anyio
from mcp.server.context import ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged

log = logging.getLogger("ivcap_mcp.changes")


class Changes:
    """Modern clients listen on a subscription; legacy ones are sent notifications on their connection."""

    def __init__(self) -> None:
        self.bus = InMemorySubscriptionBus()
        self.listen = ListenHandler(self.bus)
        self._sessions: dict[int, ServerSession] = {}

    async def joined(self, ctx: ServerRequestContext[Any, Any], params: object) -> None:
        """A legacy client finished its handshake; its connection is remembered until it closes."""
        # The SDK has no public hook for the end of a connection: this is the one place that reaches inside it.
        connection = ctx.session._connection
        key = id(connection)
        self._sessions[key] = ctx.session
        connection.exit_stack.callback(self._sessions.pop, key, None)

    async def tools_changed(self) -> None:
        """Announce that `tools/list` would answer otherwise now."""
        await self.bus.publish(ToolsListChanged())
        for session in list(self._sessions.values()):
            try:
                with anyio.move_on_after(2):
                    await session.send_tool_list_changed()
            except (anyio.ClosedResourceError, anyio.BrokenResourceError):
                log.debug("a client had gone when the tool list changed")
