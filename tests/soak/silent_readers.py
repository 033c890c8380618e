"""Clients that ask and never read what they are told."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import time

from tests.benchmarks.raw_mcp import META
from tests.soak.soak import Soak, Watched, http_server, started
from tests.soak.speaking import INITIALIZE, Post, ask, call_of, hang_up, message, wait_for_tool

MOST = 150
"""MB that a server may grow by, whatever is asked of it and not read: 2,000 listings wait at most, of 50 kB each."""


async def over_http(soak: Soak) -> None:
    """Many listings are asked for on each of many connections; a client that reads is served meanwhile."""
    base, connections, requests = soak.platform(), soak.many(100, 20), 400
    async with http_server(soak, base) as server:
        await wait_for_tool(server)
        before = await server.calm()
        posts = [Post(server) for _ in range(connections)]
        for post in posts:
            await post.__aenter__()

        async def flood(post: Post) -> None:
            try:
                async with asyncio.timeout(10):
                    for number in range(requests):
                        await post.send(message(number, "tools/list", _meta=META))
            except (TimeoutError, ConnectionError):
                return  # it took no more, as it should

        flooding = asyncio.gather(*(flood(post) for post in posts))
        slowest = 0.0
        peak = before["rss_kb"]
        while not flooding.done():
            began = time.monotonic()
            said = await ask(server, call_of(1, 0))
            assert b'"isError":true' not in said
            slowest = max(slowest, time.monotonic() - began)
            peak = max(peak, (await server.state())["rss_kb"])
        for post in posts:
            post.cut(rudely=True)
        after = await server.calm()
        what = f"{connections} HTTP clients that never read: "
        soak.at_most(what + "memory more at its peak", round((peak - before["rss_kb"]) / 1000, 1), MOST, "MB")
        soak.at_most(what + "another client's slowest call", round(slowest, 1), 15, "s")
        soak.at_most(what + "tasks afterwards", after["tasks"], before["tasks"])
        soak.at_most(what + "sockets afterwards", after["sockets"], before["sockets"] + 2)


async def over_stdio(soak: Soak) -> None:
    """One client writes requests for as long as they are taken, and reads nothing; then it goes."""
    base = soak.platform()
    server = started(soak, base, env={}, pipes=True)
    try:
        before = await server.state()
        written = await asyncio.to_thread(_flood, server, soak.many(40, 5))
        after = await server.state()
        what = f"a stdio client that writes {written} requests and never reads: "
        soak.at_most(what + "memory more", round((after["rss_kb"] - before["rss_kb"]) / 1000, 1), MOST, "MB")
    finally:
        hang_up(server)
        began = time.monotonic()
        code = await server.ended()
        soak.exactly(what + "it ends once stdin is closed", code, 0)
        soak.at_most(what + "time to end", round(time.monotonic() - began, 1), 12, "s")


def _flood(server: Watched, seconds: float) -> int:
    stdin = server.process.stdin
    assert stdin is not None
    fcntl.fcntl(stdin, fcntl.F_SETFL, fcntl.fcntl(stdin, fcntl.F_GETFL) | os.O_NONBLOCK)
    first = [INITIALIZE, {"jsonrpc": "2.0", "method": "notifications/initialized"}]
    waiting = b"".join(json.dumps(one).encode() + b"\n" for one in first)
    written, idle = 0, time.monotonic()
    limit = time.monotonic() + seconds
    # It has had enough when it took nothing for a while.
    while time.monotonic() < limit and time.monotonic() - idle < 2:
        if not waiting:
            written += 100
            batch = [message(written + one, "tools/list") for one in range(100)]
            waiting = b"".join(json.dumps(one).encode() + b"\n" for one in batch)
        try:
            taken = os.write(stdin.fileno(), waiting[:65536])
            waiting, idle = waiting[taken:], time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)
    return written
