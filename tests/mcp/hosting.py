"""A server over real HTTP in the test's own process: several clients, and a look inside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import uvicorn
from mcp import Client
from mcp.client.extension import ClientExtension
from mcp.client.streamable_http import streamable_http_client

from ivcap_mcp.door import Door
from ivcap_mcp.http import http_app
from ivcap_mcp.server import IvcapServer
from tests.mcp.clients import until


@asynccontextmanager
async def hosted(server: IvcapServer, **options: Any) -> AsyncIterator[str]:
    """The server's address."""
    async with app_hosted(http_app(server, **options)) as url:
        yield url


@asynccontextmanager
async def app_hosted(door: Door) -> AsyncIterator[str]:
    """The address of any app of ours."""
    config = uvicorn.Config(door, port=0, log_config=None, timeout_graceful_shutdown=2)
    web = uvicorn.Server(config)
    # Not its own task group: a cancelled test must still let it shut down in good order.
    running = asyncio.ensure_future(web._serve())
    try:
        await until(lambda: web.started or running.done(), "the server listening")
        port = web.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        door.drain()
        web.should_exit = True
        with anyio.CancelScope(shield=True):
            await running
            # Where clients were slow to leave, the web server gave up on them and left their sockets to the collector.
            for connection in list(web.server_state.connections):
                connection.transport.close()
            await until(lambda: not web.server_state.connections, "the end of all connections")


@asynccontextmanager
async def client_at(
    url: str, mode: str, extensions: Sequence[ClientExtension] = (), **options: Any
) -> AsyncIterator[Client]:
    """A client of it."""
    async with (
        httpx2.AsyncClient(timeout=60) as http,
        Client(
            streamable_http_client(url, http_client=http), mode=mode, extensions=list(extensions), **options
        ) as client,
    ):
        yield client
