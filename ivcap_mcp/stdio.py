"""Serving over standard input and output. stdout carries JSON-RPC and nothing else."""

from __future__ import annotations

import logging
import os
import signal
import sys
from contextlib import suppress
from typing import Any

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from ivcap_mcp.draining import CountedWrites, DrainedReads, Pending

log = logging.getLogger("ivcap_mcp.stdio")

DRAIN = 3.0
"""Seconds for which answers are still given after the client closed its side; jobs go on in any case."""


async def serve_stdio(server: Server[Any]) -> None:
    """Serve one client until it closes the line, or a signal ends the process. Jobs go on either way."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_end_on_signal)
        await _serve(server)
        tasks.cancel_scope.cancel()


async def _serve(server: Server[Any]) -> None:
    try:
        async with stdio_server() as (read, write):
            pending = Pending()
            reads = DrainedReads(read, pending, DRAIN, on_end=lambda: _ending(server))
            writes = CountedWrites(write, pending)
            await server.run(reads, writes, server.create_initialization_options())
    except* BrokenPipeError:
        # A client that died closes both its ends; an answer that was on its way then is not a failure of ours.
        log.info("the client stopped reading")


def _ending(server: Server[Any]) -> None:
    """Tell calls apart that are cancelled from those that end with the server: these cancel no job."""
    backend = getattr(server, "backend", None)
    if backend is not None:
        backend.stopping = True


async def _end_on_signal() -> None:
    """End with code 0 on SIGINT and SIGTERM.

    The thread that reads stdin cannot be interrupted, so the process is left at once: nothing is owed, since every
    write is complete when it is acknowledged and the journal is synced before a job is ordered.
    """
    # Windows has no signal receiver; there a client ends us by closing stdin.
    with suppress(NotImplementedError), anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            sys.stderr.flush()
            os._exit(0)
