"""A server that is told to end while jobs run."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

from tests.soak.soak import Soak, http_server
from tests.soak.speaking import Post, ask, call_of, line, wait_for_tool


async def sigterm(soak: Soak) -> None:
    """Over both transports; the next server picks the jobs up."""
    base = soak.platform()
    jobs = [await _over_http(soak, base), await _over_stdio(soak, base)]
    async with http_server(soak, base) as server:
        await wait_for_tool(server)
        said = [await ask(server, call_of(1, 0, tool="get_job", job=job, wait=30)) for job in jobs]
    done = sum(b'\\"status\\": \\"succeeded\\"' in one for one in said)
    soak.exactly("SIGTERM mid-job: results read from the next server", done, len(jobs))


async def _over_http(soak: Soak, base: Path) -> str:
    async with http_server(soak, base) as server:
        await wait_for_tool(server)
        async with Post(server) as post:
            await post.send(call_of(1, 4))
            job = (await post.job()).decode()
            server.process.send_signal(signal.SIGTERM)
            await _told(soak, "HTTP", server.ended(12))
    return job


async def _over_stdio(soak: Soak, base: Path) -> str:
    async with line(soak, base) as found:
        await found.send(call_of(1, 4, modern=False))
        job = await found.job(1)
        found.server.process.send_signal(signal.SIGTERM)
        await _told(soak, "stdio", found.server.ended(12))
    return job


async def _told(soak: Soak, name: str, ending: object) -> None:
    began = time.monotonic()
    assert asyncio.iscoroutine(ending)
    code = await ending
    soak.exactly(f"SIGTERM mid-job over {name}: exit code", code, 0)
    soak.at_most(f"SIGTERM mid-job over {name}: time to end", round(time.monotonic() - began, 1), 8, "s")
