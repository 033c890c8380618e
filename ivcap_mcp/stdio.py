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
                    reads, writes = DrainedReads(read, write, pending, DRAIN), CountedWrites(write, pending)
                    await server.run(reads, writes, server.create_initialization_options())
                    tasks.start_soon(_give_up)
        except* BrokenPipeError:
            log.info("the client does not listen any more; jobs go on")
        tasks.cancel_scope.cancel()


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
