"""Rows about tool calls that become jobs."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

import anyio
import httpx

from ivcap_client._local import launch
from tests.benchmarks import raw_rest, sdk_client
from tests.benchmarks.bench import Bench, Platform
from tests.benchmarks.figures import Figure, at_least, at_most, bounded

NAME = "trivial"
SECONDS = 3.0
"""Length of a job where waiting for it is what is measured."""


@asynccontextmanager
async def _embedded(bench: Bench, base: Path) -> AsyncIterator[tuple[Any, httpx.AsyncClient]]:
    """Our server over the embedded platform, and raw requests to the same runner."""
    options = ["--local-dir", str(base), "--service", raw_rest.SERVICE]
    try:
        async with (
            sdk_client.client(options, bench.env(base), wants=NAME) as ours,
            raw_rest.runner(base) as raw,
        ):
            yield ours, raw
    finally:
        launch.stop_runner(base, force=True)


@asynccontextmanager
async def _deployed(bench: Bench, platform: Platform) -> AsyncIterator[tuple[Any, httpx.AsyncClient]]:
    """Our server over a platform reached by HTTP, and raw requests to the same platform."""
    await anyio.to_thread.run_sync(_described, platform)
    env = bench.deployment(bench.fresh("home"), platform)
    async with sdk_client.client([], env, wants=NAME) as ours, raw_rest.pool(platform.url) as raw:
        yield ours, raw


def _described(platform: Platform) -> None:
    """Wait until the platform's service says what it is."""
    from tests.benchmarks.bench import until

    asked = {"entity": raw_rest.URN, "schema": "urn:sd-core:schema.ai-tool.1"}

    def found() -> bool | None:
        reply = httpx.get(f"{platform.url}/1/aspects", params=asked, trust_env=False)
        return bool(reply.json()["items"]) or None

    until(found, "the trivial tool's description")


async def _raw_job(raw: httpx.AsyncClient) -> float:
    started = time.perf_counter()
    job = (await raw_rest.submit(raw, 0))["job-id"]
    await raw_rest.follow(raw, job)
    assert (await raw_rest.read(raw, job))["status"] == "succeeded"
    return time.perf_counter() - started


def call(bench: Bench) -> list[Figure]:
    """A call of a job that does nothing, in turns with the same by hand."""

    async def main() -> list[Figure]:
        base = bench.fresh("call")
        async with _embedded(bench, base) as (ours, raw):
            mine, theirs = [], []
            for number in range(bench.many(60, 15) + 3):
                seconds = await _raw_job(raw)
                started = time.perf_counter()
                await sdk_client.call(ours, NAME, {"seconds": 0})
                if number >= 3:
                    theirs.append(seconds)
                    mine.append(time.perf_counter() - started)
        what = "tool call of a job that does nothing, stdio | httpx: POST, events, GET"
        return [at_most(what, mine, theirs, times=1.3, plus=0.010)]

    return anyio.run(main)


async def _lags(ours: Any, raw: httpx.AsyncClient, jobs: int, *, reader: bool) -> tuple[list[float], list[float]]:
    """How long after the platform the client, and a bare reader of the same streams, know that a job has ended."""
    mine: list[float] = []
    theirs: list[float] = []

    async def one(number: int) -> None:
        await anyio.sleep(number * 0.2)
        seen: list[float] = []

        async def read(job: str) -> None:
            seen.append(await raw_rest.follow(raw, job))

        async with anyio.create_task_group() as readers:
            start = (lambda job: readers.start_soon(read, job)) if reader else None
            told = await sdk_client.call(ours, NAME, {"seconds": SECONDS}, on_job=start)
        ended = await raw_rest.finished_at(raw, told.job)
        mine.append(told.answered - ended)
        theirs.extend(at - ended for at in seen)

    async with anyio.create_task_group() as tasks:
        for number in range(jobs):
            tasks.start_soon(one, number)
    return mine, theirs


def lag(bench: Bench) -> list[Figure]:
    """From the platform's result to the client's answer."""

    async def main() -> list[Figure]:
        jobs = bench.many(9, 5)
        async with _embedded(bench, bench.fresh("lag")) as (ours, raw):
            embedded = await _lags(ours, raw, jobs, reader=True)
        with bench.platform(bench.fresh("lag"), services=[raw_rest.SERVICE]) as platform:
            async with _deployed(bench, platform) as (ours, raw):
                streamed = await _lags(ours, raw, jobs, reader=True)
        with bench.platform(bench.fresh("lag"), services=[raw_rest.SERVICE], events=False) as platform:
            async with _deployed(bench, platform) as (ours, raw):
                polled, _ = await _lags(ours, raw, jobs, reader=False)
        what = "3 s job: platform has the result → client has the answer"
        note = f"medians of {jobs} jobs, started 0.2 s apart"
        return [
            at_most(f"{what}; embedded | reader of the events", *embedded, times=2, plus=0.05, note=note),
            at_most(f"{what}; deployment | reader of the events", *streamed, times=2, plus=0.05, note=note),
            bounded(f"{what}; events refused, polling", median(polled) * 1000, most=500, unit="ms", note=note),
        ]

    return anyio.run(main)


def hundred(bench: Bench) -> list[Figure]:
    """Many jobs at once, on a deployment, so that requests can be counted."""

    async def main() -> list[Figure]:
        jobs = bench.many(100, 100)
        bare = await _bare_driver(bench, jobs)
        with bench.platform(bench.fresh("hundred"), services=[raw_rest.SERVICE]) as platform:
            async with _deployed(bench, platform) as (ours, raw):
                await sdk_client.call(ours, NAME, {"seconds": 0})  # the tool runs
                before = len(platform.seen())
                calls: list[sdk_client.Call] = []

                async def one() -> None:
                    calls.append(await sdk_client.call(ours, NAME, {"seconds": SECONDS}))

                async with anyio.create_task_group() as tasks:
                    for _ in range(jobs):
                        tasks.start_soon(one)
                requests = len(platform.seen()) - before
                lags = [told.answered - await raw_rest.finished_at(raw, told.job) for told in calls]
        spent = sum(told.answered - told.sent for told in calls)
        lasted = max(told.answered for told in calls) - min(told.sent for told in calls)
        note = f"{jobs} jobs; all answered after {lasted:.1f} s; median {median(lags):.3f} s"
        per_job = f"{requests} requests, {requests / jobs:.1f} a job, {spent:.0f} job seconds"
        what = f"{jobs} concurrent 3 s jobs"
        return [
            bounded(f"{what}: slowest answer | bare driver", max(lags), most=0.5, unit="s", peer=max(bare), note=note),
            bounded(f"{what}: requests per job and second", requests / spent, most=2, unit="requests/s", note=per_job),
        ]

    return anyio.run(main)


async def _bare_driver(bench: Bench, jobs: int) -> list[float]:
    """The tool by itself, asked by plain httpx: seconds from its result to our having it."""
    found: list[float] = []
    with bench.child([sys.executable, str(raw_rest.TOOL)], bench.env(bench.fresh("home"))) as told:
        async with raw_rest.pool(f"http://127.0.0.1:{told['port']}") as raw:

            async def one() -> None:
                reply = await raw.post("/", json={"seconds": SECONDS})
                found.append(time.time() - reply.json()["at"])

            async with anyio.create_task_group() as tasks:
                for _ in range(jobs):
                    tasks.start_soon(one)
    return found


def throughput(bench: Bench) -> list[Figure]:
    """Calls per second through our server, and by POSTs that wait for the result, with the same concurrency."""

    async def main() -> list[Figure]:
        calls, concurrency, rounds = bench.many(400, 100), 16, bench.many(3, 2)
        with bench.platform(bench.fresh("throughput"), services=[raw_rest.SERVICE]) as platform:
            async with _deployed(bench, platform) as (ours, raw):

                async def ask_ours() -> None:
                    await sdk_client.call(ours, NAME, {"seconds": 0})

                async def post_held() -> None:
                    assert "at" in await raw_rest.submit(raw, 0, hold=20)

                async def post() -> None:
                    assert "job-id" in await raw_rest.submit(raw, 0)

                rates: dict[Any, list[float]] = {ask_ours: [], post_held: [], post: []}
                for _ in range(rounds):
                    for work, found in rates.items():
                        await _rate(work, concurrency, concurrency)
                        found.append(await _rate(work, calls, concurrency))
        mine, held, bare = (median(found) for found in rates.values())
        what = "service-tool calls per second, trivial tool | POSTs held for the result"
        note = f"concurrency {concurrency}, medians of {rounds} × {calls}; POSTs with Timeout: 0 alone: {bare:.0f}/s"  # noqa: RUF001
        return [at_least(what, mine, held, times=0.7, unit="calls/s", note=note)]

    return anyio.run(main)


async def _rate(work: Any, calls: int, concurrency: int) -> float:
    left = iter(range(calls))

    async def worker() -> None:
        for _ in left:
            await work()

    started = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for _ in range(concurrency):
            tasks.start_soon(worker)
    return calls / (time.perf_counter() - started)
