"""Bad days while 100 jobs run: replicas killed, the network cut for a minute, the platform stopped and started.

Three replicas with nothing in common but their token, behind a client that goes to the next one with each call.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.mcp.outside import SERVICE
from tests.soak import deployment
from tests.soak.callers import Access, Failed, Server, call, free_port, server, token, up
from tests.soak.soak import Soak

JOBS = 100
REPLICAS = 3
CUT = 60.0
PATIENCE = 420.0
PASSING = ("connection_lost", "no_connection", "timeout", "platform_failed", "unreadable_answer", "not_found")
"""Codes that tell a caller to try again: nothing is known of the job, or not yet."""


class Cable:
    """The network between servers and platform, which can be cut."""

    def __init__(self, upstream: int) -> None:
        self._upstream, self.whole = upstream, True
        self._lines: set[asyncio.StreamWriter] = set()
        self._passing: set[asyncio.Task[None]] = set()
        self.port = 0

    @asynccontextmanager
    async def laid(self) -> AsyncIterator[Cable]:
        laid = await asyncio.start_server(self._taken, "127.0.0.1", 0, backlog=512)
        self.port = laid.sockets[0].getsockname()[1]
        async with laid:
            try:
                yield self
            finally:
                self.cut()
                await asyncio.gather(*self._passing)

    def cut(self) -> None:
        """From now on nothing goes through, and what was on its way is lost."""
        self.whole = False
        for line in list(self._lines):
            line.transport.abort()

    def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up: asyncio.StreamWriter | None = None
        try:
            if self.whole:
                there, up = await asyncio.open_connection("127.0.0.1", self._upstream)
                self._lines |= {writer, up}
                await asyncio.gather(_pass(reader, up), _pass(there, writer))
        except OSError:
            pass  # the platform is away, or the cable was cut: the connection ends, which is all that is seen of it
        finally:
            for one in (writer, up):
                if one is not None:
                    self._lines.discard(one)
                    one.transport.abort()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
    with suppress(OSError):
        writer.write_eof()


async def chaos(soak: Soak) -> None:
    folder, port, secret = soak.fresh("deployment"), free_port(), token()
    scale, told = soak.scale, Counter[str]()
    platform = deployment.started(folder, port)
    try:
        async with Cable(port).laid() as cable:
            options = ("--allow-host", "127.0.0.1")
            where = f"http://127.0.0.1:{cable.port}"
            replicas = [await server(soak, where, *options, token=secret) for _ in range(REPLICAS)]
            turn = itertools.cycle(Access(one.url, secret) for one in replicas)
            began = time.monotonic()
            waiting = asyncio.gather(*(_answered(number, turn, scale, told) for number in range(JOBS)))
            try:
                await _sleep_until(began + 5 * scale)
                await _killed(replicas[0], 3 * scale)
                await _sleep_until(began + 12 * scale)
                cable.cut()
                await asyncio.sleep(CUT * scale)
                cable.whole = True
                await asyncio.sleep(3 * scale)
                platform.terminate()
                platform.wait(15)
                await asyncio.sleep(10 * scale)
                platform = deployment.started(folder, port)
                await _killed(replicas[1], 2 * scale)
                await _killed(replicas[2], 2 * scale)
                answers = await asyncio.wait_for(waiting, PATIENCE)
            finally:
                waiting.cancel()
                codes = [one.end() for one in replicas]
    finally:
        platform.kill()
        platform.wait()
    _judged(soak, folder, answers, replicas, codes, told, time.monotonic() - began)


def _judged(
    soak: Soak,
    folder: Path,
    answers: list[Any],
    replicas: list[Server],
    codes: list[int],
    told: Counter[str],
    took: float,
) -> None:
    ordered = [json.loads(line) for line in (folder / "jobs").read_text().splitlines()]
    each = Counter(job["request"]["caller"] for job in ordered)
    what = f"{JOBS} jobs, {REPLICAS} replicas killed, network cut {CUT * soak.scale:g} s, platform restarted: "
    soak.exactly(what + "answers that are the caller's own", sum(one == f"c{n}" for n, one in enumerate(answers)), JOBS)
    soak.exactly(what + "jobs that were run", len(each), JOBS)
    soak.exactly(what + "jobs that were run twice", sum(count > 1 for count in each.values()), 0)
    soak.check(what + "time until all had theirs", "recorded", f"{took:.0f} s", True)
    soak.check(
        what + "told meanwhile", "recorded", ", ".join(f"{n} {code}" for code, n in told.most_common()) or "-", True
    )
    soak.exactly(what + "tracebacks in the logs", sum(one.log.count("Traceback") for one in replicas), 0)
    soak.exactly(what + "exit codes at the end", codes, [0] * REPLICAS)


async def _killed(replica: Server, away: float) -> None:
    """Kill it, and start it again a little later."""
    replica.kill()
    await asyncio.sleep(away)
    replica.start()
    await up(replica)


async def _sleep_until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.monotonic()))


async def _answered(number: int, turn: Any, scale: float, told: Counter[str]) -> object:
    """What a caller gets in the end, who does what the answers say and does not give up."""
    seconds = random.Random(number).uniform(20, 100) * scale
    given = {"seconds": seconds, "caller": f"c{number}"}
    order = {"service": SERVICE, "input": given, "key": f"soak-{number}", "wait": 20}
    tool, asked = "run_service", order
    await asyncio.sleep(random.Random(number).uniform(0, 3) * scale)
    while True:
        try:
            found = await call(next(turn), number + 1, tool, **asked)
        except Failed as refused:
            code, text = str(refused).partition(":")[::2]
            told[code] += 1
            if code == "outcome_unknown" and (submission := _submission(text)):
                tool, asked = "get_job", {"job": submission, "wait": 20}
            elif code == "not_found" and tool == "get_job" and not str(asked["job"]).startswith("urn:"):
                tool, asked = "run_service", order  # another replica's submission: the key finds the job
            elif code not in PASSING:
                return f"refused: {refused}"[:500]
        except OSError:
            told["no answer"] += 1
        else:
            if found.get("status") in (None, "succeeded") and "caller" in (found.get("result") or found):
                return (found.get("result") or found)["caller"]
            if "job" in found:
                tool, asked = "get_job", {"job": found["job"], "wait": 20}
                continue
        await asyncio.sleep(0.5)


def _submission(text: str) -> str | None:
    found = re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", text)
    return found[0] if found else None
