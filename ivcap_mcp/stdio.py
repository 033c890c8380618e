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
from ivcap_mcp.lines import own_stdin

log = logging.getLogger("ivcap_mcp.stdio")

DRAIN = 3.0
"""Seconds for which answers are still given after the client closed its side; jobs go on in any case."""


async def serve_stdio(server: Server[Any]) -> None:
    """Serve one client until it closes the line, or a signal ends the process. Jobs go on either way."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_end_on_signal)
        try:
            with own_stdin() as lines:
                async with stdio_server(stdin=lines) as (read, write):
                    pending = Pending()
                    reads = DrainedReads(read, write, pending, DRAIN, on_end=lambda: _ending(server))
                    writes = CountedWrites(write, pending)
                    await server.run(reads, writes, server.create_initialization_options())
                    tasks.start_soon(_give_up)
        except* BrokenPipeError:
            # A client that died closes both its ends; an answer that was on its way then is not a failure of ours.
            log.info("the client stopped reading; jobs go on")
        tasks.cancel_scope.cancel()


def _ending(server: Server[Any]) -> None:
    """Tell calls apart that are cancelled from those that end with the server: these cancel no job."""
    backend = getattr(server, "backend", None)
    if backend is not None:
        backend.stopping = True


async def _give_up() -> None:
    """Leave although an answer is still being written: the client closed its side and does not read either.

    The thread that writes it cannot be interrupted.
    """
    await anyio.sleep(1)
    log.info("the client does not read what it asked for; jobs go on")
    sys.stderr.flush()
    os._exit(0)


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
