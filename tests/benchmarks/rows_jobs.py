"""Rows about the local platform running jobs: how many a second, and how fast what a tool reports can be read."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import median

import anyio
import httpx

from ivcap_client._local.identity import SCHEMA_JOB_STATUS
from ivcap_client._local.store import Store
from tests.benchmarks import raw_rest
from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import Figure, noted
from tests.benchmarks.rows_aspects import durable

CONCURRENCY = 16


def jobs(bench: Bench) -> list[Figure]:
    """Jobs of a tool that does nothing: through the platform, which keeps each safe, and by calling the tool itself."""

    async def main() -> list[Figure]:
        count, rounds = bench.many(400, 60), bench.many(3, 2)
        command = [sys.executable, str(raw_rest.TOOL)]
        with (
            bench.platform(bench.fresh("jobs"), services=[raw_rest.SERVICE]) as platform,
            bench.child(command, bench.env(bench.fresh("home"))) as told,
        ):
            async with raw_rest.pool(platform.url) as ours, raw_rest.pool(f"http://127.0.0.1:{told['port']}") as bare:
                await _run(ours)  # the tool runs
                mine, theirs = [], []
                for _ in range(rounds):
                    mine.append(await _rate(lambda: _run(ours), count))
                    theirs.append(await _rate(lambda: _call(bare), count))
        by_hand = bench.fresh("by-hand")
        began = time.perf_counter()
        for _ in range(20):
            durable(by_hand, b"{}")
        file = (time.perf_counter() - began) / 20
        note = f"POSTs held for the result, {CONCURRENCY} at once, medians of {rounds} × {count}; each job is three"  # noqa: RUF001
        note += f" durable records, and a durable file alone takes {file * 1000:.1f} ms here"
        return [
            noted("jobs/s, trivial tool | calling the tool", median(mine), median(theirs), unit="jobs/s", note=note)
        ]

    return anyio.run(main)


async def _run(raw: httpx.AsyncClient) -> None:
    assert "at" in await raw_rest.submit(raw, 0, hold=20)


async def _call(raw: httpx.AsyncClient) -> None:
    reply = await raw.post("/", json={"seconds": 0})
    assert "at" in reply.json()


async def _rate(work: Callable[[], Awaitable[None]], count: int) -> float:
    left = iter(range(count))

    async def worker() -> None:
        for _ in left:
            await work()

    began = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for _ in range(CONCURRENCY):
            tasks.start_soon(worker)
    return count / (time.perf_counter() - began)


def events(bench: Bench) -> list[Figure]:
    """Events of a job: appended one by one, and read again, against lines of a file."""
    count = bench.many(5_000, 500)
    base = bench.fresh("events")
    store = Store(base)
    job, _ = store.jobs.create(
        service="urn:ivcap:service:x", service_name="x", body=b"{}", content_type="application/json"
    )
    data = {"step": "reading", "text": "some words " * 5}
    began = time.perf_counter()
    for _ in range(count):
        store.jobs.add_event(job, type="ivcap.job.event", schema=SCHEMA_JOB_STATUS, data=data)
    written = time.perf_counter()
    found = store.jobs.events(job)
    read = time.perf_counter()
    assert len(found) == count + 1
    with (base / "lines").open("ab") as file:
        for _ in range(count):
            file.write(json.dumps(found[-1]).encode() + b"\n")
            file.flush()
    bare = time.perf_counter()
    lines = [json.loads(line) for line in (base / "lines").read_bytes().splitlines()]
    end = time.perf_counter()
    assert len(lines) == count
    store.close()
    note = f"{count} events of one job, in order, numbered; not synced each, as the end of a job is"
    return [
        noted(
            "events/s, appended | JSON lines of a file",
            count / (written - began),
            count / (bare - read),
            unit="/s",
            note=note,
        ),
        noted(
            "events/s, read | JSON lines of a file",
            count / (read - written),
            count / (end - bare),
            unit="/s",
            note=note,
        ),
    ]
