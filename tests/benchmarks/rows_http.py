"""The row about calls over Streamable HTTP that cost the platform nothing."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from statistics import median
from typing import Any

import anyio

from ivcap_client._local import launch
from tests.benchmarks import raw_mcp, raw_rest, sdk_client
from tests.benchmarks.bench import Bench, until
from tests.benchmarks.figures import Figure, at_least

CONCURRENCY = 32


def get_job(bench: Bench) -> list[Figure]:
    """`get_job` of a finished job of the embedded platform, 32 at a time, in turns with a bare no-op tool."""
    base = bench.fresh("get-job")
    env = bench.env(base)
    options = ["--local-dir", str(base), "--service", raw_rest.SERVICE]

    async def finished() -> Any:
        async with sdk_client.client(options, env, wants="trivial") as ours:
            told = await sdk_client.call(ours, "trivial", {"seconds": 0})
            tools = (await ours.list_tools()).tools
            return told.job, [tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in tools]

    try:
        job, tools = anyio.run(finished)
        file = bench.fresh("tools") / "tools.json"
        file.write_text(json.dumps(tools))
        calls, rounds = bench.many(1500, 300), bench.many(5, 3)
        bare = [sys.executable, "-m", "tests.benchmarks.bare_server", str(file), "--http"]
        with bench.child(bare, env) as told, _serving(bench, options, env) as url:

            def rate(where: str, arguments: dict[str, Any], count: int) -> float:
                work = raw_mcp.calls_per_second(where, "get_job", arguments, concurrency=CONCURRENCY, calls=count)
                return asyncio.run(work)

            mine, theirs = [], []
            for number in range(rounds + 1):
                count = calls if number else CONCURRENCY
                peer, own = rate(told["url"], {"job": job}, count), rate(url, {"job": job}, count)
                if number:
                    theirs.append(peer)
                    mine.append(own)
    finally:
        launch.stop_runner(base, force=True)
    note = f"concurrency {CONCURRENCY}, medians of {rounds} × {calls} calls by a client that parses nothing"  # noqa: RUF001
    what = "tools/call get_job (finished, local), HTTP | bare no-op tool"
    return [at_least(what, median(mine), median(theirs), times=0.7, unit="calls/s", note=note)]


class _serving:
    """Our server over HTTP; it says on stderr where."""

    def __init__(self, bench: Bench, options: list[str], env: dict[str, str]) -> None:
        self._log = bench.fresh("log") / "stderr"
        self._command = [*sdk_client.OURS, "--transport", "http", "--port", "0", "--auth", "none", *options]
        self._env = env

    def __enter__(self) -> str:
        with self._log.open("wb") as errors:
            self._process = subprocess.Popen(self._command, stderr=errors, env=self._env)
        return until(self._url, "the server's address")

    def _url(self) -> str | None:
        words = [word.rstrip(";") for word in self._log.read_text().split() if word.startswith("http://")]
        return words[0] if words and words[0].endswith("/mcp") else None

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)
