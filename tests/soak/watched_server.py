"""The server as users start it, which also says over a port of its own what it holds.

`SOAK_STATE=FILE python -m tests.soak.watched_server OPTIONS…`: the options of `ivcap-mcp`. The file gets the number of
a loopback port; whoever connects is sent one line of JSON. `SOAK_SESSION_IDLE` makes forgotten HTTP sessions end sooner
than after the half hour of the SDK.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partialmethod
from pathlib import Path
from typing import Any

from ivcap_mcp.backend import Backend
from ivcap_mcp.server import IvcapServer

_running = Backend.running


def _state(backend: Backend) -> dict[str, Any]:
    gc.collect()
    links = [_link(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")]
    status = Path("/proc/self/status").read_text()
    rss = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return {
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        # Not the one that lists them, and not those of the local platform's index, of which each thread has its own.
        "files": sum("/index.sqlite" not in link for link in links) - 1,
        "sockets": sum(link.startswith("socket:") for link in links),
        "rss_kb": rss,
        "watched": len(backend.watchers.watched),
        "peers": len(backend.changes._peers),
        "listening": backend.changes.bus.listening,
        "names": sorted(_name(task) for task in asyncio.all_tasks()),
    }


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except FileNotFoundError:
        return ""


def _name(task: asyncio.Task[Any]) -> str:
    return getattr(task.get_coro(), "__qualname__", "?")


@asynccontextmanager
async def _watched(backend: Backend, server: object = None) -> AsyncIterator[dict[str, Any]]:
    async def tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(json.dumps(_state(backend)).encode() + b"\n")
        await writer.drain()
        writer.close()

    async with _running(backend, server) as told:
        asked = await asyncio.start_server(tell, "127.0.0.1", 0)
        async with asked:
            place = Path(os.environ["SOAK_STATE"])
            place.with_suffix(".part").write_text(str(asked.sockets[0].getsockname()[1]))
            place.with_suffix(".part").replace(place)
            yield told


def main() -> None:
    setattr(Backend, "running", _watched)  # noqa: B010 - only this process measures itself
    idle = os.environ.get("SOAK_SESSION_IDLE")
    if idle:
        app = partialmethod(IvcapServer.streamable_http_app, session_idle_timeout=float(idle))
        setattr(IvcapServer, "streamable_http_app", app)  # noqa: B010 - as above
    from ivcap_mcp.cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
