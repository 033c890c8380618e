"""Clients that go away in the middle of a call, again and again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.soak.soak import Soak, Watched, http_server
from tests.soak.speaking import Post, call_of, hang_up, line, session, wait_for_tool

AT_ONCE = 10
MOST_GROWTH = 32
"""MB of memory that so many broken calls may cost: caches fill, arenas are kept."""


async def modern(soak: Soak) -> None:
    """Over HTTP, in the modern era: each request is a connection, and its end is a cancellation."""
    await _over_http(soak, "HTTP 2026-07-28", _one_modern)


async def legacy(soak: Soak) -> None:
    """Over HTTP, in the legacy era: sessions that nobody ends."""
    sessions: dict[int, asyncio.Task[str]] = {}

    async def one(server: Watched, number: int) -> str | None:
        group = number // 5  # so many calls a session
        if group not in sessions:
            sessions[group] = asyncio.ensure_future(session(server))
        return await _broken(Post(server, await sessions[group], modern=False), number, modern=False)

    await _over_http(soak, "HTTP 2025-11-25", one)


async def _one_modern(server: Watched, number: int) -> str | None:
    return await _broken(Post(server), number, modern=True)


async def _broken(post: Post, number: int, *, modern: bool) -> str | None:
    """A call that is broken off: at once, or when its job is known, which is then returned."""
    async with post:
        await post.send(call_of(number, random.choice((0, 0.2, 0.5)), modern=modern))
        job = await post.job() if number % 3 else None
        post.cut(rudely=number % 2 == 0)
    return job.decode() if job else None


async def _over_http(soak: Soak, name: str, one: Callable[[Watched, int], Awaitable[str | None]]) -> None:
    times = soak.many(500, 50)
    base = soak.platform()
    async with http_server(soak, base, SOAK_SESSION_IDLE="2") as server:
        await wait_for_tool(server)
        jobs: set[str] = set()

        async def broken(first: int, count: int) -> None:
            numbers = iter(range(first, first + count))

            async def worker() -> None:
                for number in numbers:
                    if job := await one(server, number):
                        jobs.add(job)

            await asyncio.gather(*(worker() for _ in range(AT_ONCE)))

        await broken(1, 30)  # pools and caches fill, modules are loaded
        await soak.settled(base)
        before = await server.calm()
        await broken(1000, times)
        found = await soak.settled(base)
        after = await server.calm()
        what = f"{times} broken calls over {name}: "
        soak.exactly(
            what + "jobs that were told and succeeded", sum(found.get(j) == "succeeded" for j in jobs), len(jobs)
        )
        soak.exactly(what + "jobs that did not succeed", sum(status != "succeeded" for status in found.values()), 0)
        for kind, slack in (("tasks", 0), ("sockets", 2), ("files", 2), ("threads", 40), ("watched", 0), ("peers", 0)):
            most = before[kind] + slack if kind not in ("threads", "watched", "peers") else slack
            soak.at_most(what + kind, after[kind], most)
        soak.at_most(what + "memory more", round((after["rss_kb"] - before["rss_kb"]) / 1000, 1), MOST_GROWTH, "MB")
        soak.exactly(what + "tracebacks in the log", server.log.count("Traceback"), 0)


async def stdio(soak: Soak) -> None:
    """Over stdio a client that goes takes its server with it; the jobs stay."""
    base = soak.platform()
    rounds, calls = soak.many(100, 5), soak.many(5, 10)
    codes: list[int | None] = []
    jobs: list[str] = []
    logs: list[str] = []
    numbers = iter(range(rounds))

    async def worker() -> None:
        for number in numbers:
            async with line(soak, base) as found:
                await found.send(*(call_of(one, 0.5, modern=False) for one in range(1, calls + 1)))
                jobs.extend([await found.job(one) for one in range(1, calls + 1)])
                if number % 2:
                    found.deafen()
                hang_up(found.server)
                codes.append(await found.server.ended())
                logs.append(found.server.log)

    await asyncio.gather(*(worker() for _ in range(2)))
    ended = await soak.settled(base)
    what = f"{rounds * calls} broken calls over stdio: "
    soak.exactly(what + "servers that ended by themselves with code 0", codes.count(0), rounds)
    soak.exactly(what + "jobs that succeeded", sum(ended.get(job) == "succeeded" for job in jobs), rounds * calls)
    soak.exactly(what + "tracebacks in the logs", sum(log.count("Traceback") for log in logs), 0)
    soak.exactly(what + "processes of servers that are left", _left(base), 0)


def _left(base: Path) -> int:
    """Server processes over this directory that still run."""
    mark = str(base).encode()
    found = 0
    for one in Path("/proc").iterdir():
        try:
            said = (one / "cmdline").read_bytes() if one.name.isdigit() else b""
        except OSError:
            continue
        found += b"watched_server" in said and mark in said
    return found
