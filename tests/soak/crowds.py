"""Very many calls at once, and two servers at work on one directory."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from tests.soak.soak import Soak, http_server
from tests.soak.speaking import JOB, Line, ask, call_of, line, wait_for_tool


async def over_http(soak: Soak) -> None:
    """All calls at once, each on a connection of its own."""
    many, base = soak.many(1000, 100), soak.platform()
    async with http_server(soak, base) as server:
        await wait_for_tool(server)
        await asyncio.gather(*(ask(server, call_of(one, 0)) for one in range(many // 2)))  # what is kept fills
        known = len(await soak.settled(base))
        before = await server.calm()
        began = time.monotonic()
        said = await asyncio.gather(*(ask(server, call_of(one, 0)) for one in range(many)))
        took = time.monotonic() - began
        found = await soak.settled(base)
        after = await server.calm()
        told = {match[0].decode() for one in said if (match := JOB.search(one))}
        what = f"{many} calls at once over HTTP: "
        soak.exactly(what + "answers that are errors", sum(b'"isError":true' in one for one in said), 0)
        soak.exactly(what + "jobs of their own that succeeded", sum(found.get(j) == "succeeded" for j in told), many)
        soak.exactly(what + "jobs in all", len(found) - known, many)
        soak.at_most(what + "time", round(took, 1), 60, "s")
        soak.at_most(what + "tasks afterwards", after["tasks"], before["tasks"])
        soak.at_most(what + "sockets afterwards", after["sockets"], before["sockets"] + 4)
        soak.at_most(what + "memory more", round((after["rss_kb"] - before["rss_kb"]) / 1000, 1), 24, "MB")


async def over_stdio(soak: Soak) -> None:
    """All calls at once, on one line."""
    many, base = soak.many(1000, 100), soak.platform()
    known = len(await soak.settled(base))
    async with line(soak, base) as found:
        await found.send(*(call_of(one, 0, modern=False) for one in range(many)))
        said = [await found.answer(one) for one in range(many)]
        ended = await soak.settled(base)
        what = f"{many} calls at once over stdio: "
        soak.exactly(what + "answers that are errors", sum(_bad(one) for one in said), 0)
        good = sum(status == "succeeded" for status in ended.values())
        soak.exactly(what + "jobs that succeeded", good - known, many)
        soak.exactly(what + "lines that are no JSON-RPC", len(found.strays), 0)
        soak.at_most(what + "tasks afterwards", (await found.server.calm())["tasks"], 20)


def _bad(answer: dict[str, Any]) -> bool:
    return "error" in answer or bool(answer["result"].get("isError"))


async def two_servers(soak: Soak) -> None:
    """Two servers start on one fresh directory at the same moment, run jobs, and see each other's."""
    base, each = soak.platform(shared=False), soak.many(100, 25)

    async def at_work(found: Line) -> list[str]:
        await found.send(*(call_of(one, 0.05, modern=False) for one in range(1, each + 1)))
        answers = [await found.answer(one) for one in range(1, each + 1)]
        return [answer["result"].get("_meta", {}).get("ivcap/job", "") for answer in answers if not _bad(answer)]

    async with asyncio.TaskGroup() as group:
        ready = [asyncio.Event(), asyncio.Event()]
        done = asyncio.Event()
        lines: list[Line] = []

        async def hold(number: int) -> None:
            async with line(soak, base) as found:
                lines.append(found)
                ready[number].set()
                await done.wait()

        for number in range(2):
            group.create_task(hold(number))
        for one in ready:
            await one.wait()
        try:
            mine, theirs = await asyncio.gather(at_work(lines[0]), at_work(lines[1]))
            await lines[0].send(call_of(900, 0, modern=False, tool="get_job", job=theirs[0], wait=20))
            seen = await lines[0].answer(900)
        finally:
            done.set()
    found = await soak.settled(base)
    what = f"two servers on one directory, {each} calls each: "
    soak.exactly(what + "jobs of their own", len({*mine, *theirs}), 2 * each)
    soak.exactly(what + "jobs that succeeded", sum(status == "succeeded" for status in found.values()), 2 * each)
    soak.exactly(what + "one reads the other's job", '"succeeded"' in json.dumps(seen), True)
