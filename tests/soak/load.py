"""A group at work on one process: 200 people with accounts of their own, five calls a minute each, for ten minutes."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from typing import Any

from tests.soak import deployment
from tests.soak.callers import AUDIENCE, Access, Issuer, Server, call, free_port, server
from tests.soak.soak import Soak
from tests.soak.speaking import _ALIKE

USERS = 200
CALLS = 5
MINUTES = 10.0
MOST_GROWTH = 10
"""Percent of memory that the last third may have more than the third before it."""


async def load(soak: Soak) -> None:
    """Each caller's minute: two jobs of 0.2 s, a search, two lists."""
    users, minutes = max(5, round(USERS * min(1.0, soak.scale * 2))), MINUTES * soak.scale
    folder, port = soak.fresh("deployment"), free_port()
    platform = deployment.started(folder, port)
    took: dict[str, list[float]] = {}
    errors: list[str] = []
    memory: list[float] = []
    try:
        async with Issuer().serving() as issuer:
            options = ["--auth", "oauth", "--issuer", issuer.url, "--jwks-url", f"{issuer.url}/keys"]
            options += ["--public-url", AUDIENCE, "--audience", AUDIENCE, "--act-as", "same-audience"]
            found = await server(soak, f"http://127.0.0.1:{port}", *options, "--allow-host", "127.0.0.1")
            until = time.monotonic() + minutes * 60
            people = [Access(found.url, issuer.token(f"user-{number}")) for number in range(users)]
            watching = asyncio.create_task(_watch(found, memory))
            await asyncio.gather(*(_person(one, until, took, errors) for one in people))
            watching.cancel()
            code = found.end()
    finally:
        platform.kill()
        platform.wait()
    every = sorted(second for some in took.values() for second in some)
    what = f"{users} users, {CALLS} calls a minute each, {minutes:g} min: "
    soak.at_most(what + "errors", len(errors), 0)
    for name, some in sorted(took.items()):
        p50, p95 = statistics.median(some), sorted(some)[int(len(some) * 0.95)]
        soak.check(what + name, "recorded", f"p50 {p50 * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms", True)
    soak.check(what + "calls", "recorded", f"{len(every)}, {len(every) / minutes / 60:.1f} a second", True)
    third = len(memory) // 3
    middle, last = statistics.mean(memory[third : 2 * third]), statistics.mean(memory[2 * third :])
    soak.check(what + "memory", "recorded", f"{memory[0]:.0f}, {middle:.0f}, {last:.0f} MB", True)
    soak.at_most(what + "memory of the last third more", round((last / middle - 1) * 100, 1), MOST_GROWTH, "%")
    soak.exactly(what + "tracebacks in the log", found.log.count("Traceback"), 0)
    soak.exactly(what + "exit code", code, 0)
    for one in errors[:5]:
        print(f"  {one[:300]}")


async def _watch(found: Server, memory: list[float]) -> None:
    while True:
        memory.append(found.rss())
        await asyncio.sleep(1)


async def _person(one: Access, until: float, took: dict[str, list[float]], errors: list[str]) -> None:
    while time.monotonic() < until:
        # Five calls at moments of this minute, as people make them: not in step with the others.
        minute = min(until, time.monotonic() + 60) - time.monotonic()
        moments = sorted(random.uniform(0, minute) for _ in range(max(1, round(CALLS * minute / 60))))
        began = time.monotonic()
        for number, moment in enumerate(moments):
            await asyncio.sleep(max(0.0, began + moment - time.monotonic()))
            asked: tuple[str, Any] = {
                0: ("waiting", {"seconds": 0.2 + next(_ALIKE) * 1e-6}),
                1: ("search_services", {"query": "wait for something"}),
                2: ("list_jobs", {}),
                3: ("waiting", {"seconds": 0.2 + next(_ALIKE) * 1e-6}),
                4: ("list_jobs", {"limit": 5}),
            }[number % CALLS]
            start = time.monotonic()
            try:
                await call(one, number + 1, asked[0], **asked[1])
            except Exception as problem:
                errors.append(f"{asked[0]}: {problem!r}")
            else:
                took.setdefault(asked[0], []).append(time.monotonic() - start)
        await asyncio.sleep(max(0.0, began + minute - time.monotonic()))
