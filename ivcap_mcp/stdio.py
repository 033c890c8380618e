"""Serving over standard input and output. stdout carries JSON-RPC and nothing else."""

from __future__ import annotations

import logging
import os
import signal
import sys
from contextlib import suppress
from typing import Any, NoReturn

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
            log.info("the client does not listen any more; jobs go on")
            _leave()
        tasks.cancel_scope.cancel()


def _ending(server: Server[Any]) -> None:
    """Tell calls apart that are cancelled from those that end with the server: these cancel no job."""
    backend = getattr(server, "backend", None)
    if backend is not None:
        backend.stopping = True


async def _give_up() -> None:
    """Leave although an answer is still being written: the client closed its side and does not read either."""
    await anyio.sleep(1)
    log.info("the client does not read what it asked for; jobs go on")
    _leave()


async def _end_on_signal() -> None:
    """End with code 0 on SIGINT and SIGTERM."""
    # Windows has no signal receiver; there a client ends us by closing stdin.
    with suppress(NotImplementedError), anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            _leave()


def _leave() -> NoReturn:
    """End the process at once, with code 0.

    The threads that read and write the line cannot be interrupted. Nothing is owed, since every write is complete when
    it is acknowledged and the journal is synced before a job is ordered.
    """
    sys.stderr.flush()
    os._exit(0)
