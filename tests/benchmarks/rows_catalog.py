"""Rows about the catalogue: what it costs the platform, a listing, a start."""

from __future__ import annotations

import json
import sys
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio

from ivcap_client._local import launch
from ivcap_client._local.store import Store
from tests.benchmarks import raw_mcp, raw_rest, sdk_client
from tests.benchmarks.bench import Bench, until
from tests.benchmarks.figures import Figure, at_most, bounded

SCHEMA = "urn:sd-core:schema.ai-tool.1"
SERVICES = 1000


def stated(base: Path, count: int) -> None:
    """Let a directory state `count` services, each with a tool description of about 2 kB."""
    store = Store(base)
    for number in range(count):
        properties = {
            f"parameter_{at}": {"type": "string", "description": f"Parameter {at} says something. " * 5, "title": "P"}
            for at in range(8)
        }
        content = {
            "$schema": SCHEMA,
            "name": f"service_{number:04d}",
            "description": f"Service {number} computes something from what it is given. " * 4,
            "fn_schema": {"type": "object", "properties": properties, "required": ["parameter_0"]},
        }
        urn = f"urn:ivcap:service:{uuid.uuid5(uuid.NAMESPACE_DNS, str(number))}"
        store.aspects.add(urn, SCHEMA, content)
    store.close()


def counts(bench: Bench) -> list[Figure]:
    """Requests, not times: 1,000 services read for the first time, and compared again without a change."""

    async def main() -> list[Figure]:
        base = bench.fresh("counts")
        stated(base, SERVICES)
        with bench.platform(base) as platform:
            home = bench.fresh("home")
            async with sdk_client.client(["--tools", "all"], bench.deployment(home, platform)) as ours:
                with anyio.fail_after(60):
                    while await _listed(ours) < SERVICES:  # noqa: ASYNC110 - another process's progress
                        await anyio.sleep(0.2)
                cold = len(platform.seen())
                paths = {path for _, _, path in platform.seen()}
                # An unknown name is looked up once more before it counts as unknown: that is one refresh.
                try:
                    await ours.call_tool("no_such_tool", {})
                except Exception as refused:  # the SDK's error for an unknown tool
                    told = type(refused).__name__
                again = len(platform.seen()) - cold
        note = f"{SERVICES} services; paths asked: {', '.join(sorted(paths))}"
        return [
            bounded("cold catalogue of 1,000 services", cold, most=21, unit="requests", note=note),
            bounded(
                "refresh without change", again, most=1, unit="requests", note=f"caused by an unknown tool: {told}"
            ),
        ]

    return anyio.run(main)


async def _listed(ours: Any) -> int:
    names, cursor = 0, None
    while True:
        page = await ours.list_tools(cursor=cursor)
        names += len(page.tools)
        cursor = page.next_cursor
        if not cursor:
            return names


def warm(bench: Bench) -> list[Figure]:
    """`tools/list` of 1,000 tools by a server that knows them, in turns with a bare server that has the same list."""
    base = bench.fresh("warm")
    stated(base, SERVICES)
    with bench.platform(base) as platform:
        command = [*sdk_client.OURS, "--tools", "all"]
        env = bench.deployment(bench.fresh("home"), platform)
        with raw_mcp.line(command, env) as ours:
            tools = until(lambda: _all(ours, SERVICES), "1,000 tools")
            file = _kept(bench, tools)
            with raw_mcp.line([sys.executable, "-m", "tests.benchmarks.bare_server", str(file)], env) as bare:
                mine, theirs = [], []
                for number in range(bench.many(25, 7) + 1):
                    _, peer = raw_mcp.pages(bare)
                    _, own = raw_mcp.pages(ours)
                    if number:
                        theirs.append(peer)
                        mine.append(own)
    note = f"{len(tools)} tools, {file.stat().st_size / 1e6:.1f} MB; ours in pages, the bare server's in one"
    return [at_most("warm tools/list, 1,000 tools, stdio | bare SDK server", mine, theirs, times=1.1, note=note)]


def _all(ours: raw_mcp.Line, wanted: int) -> list[dict[str, Any]] | None:
    tools, _ = raw_mcp.pages(ours)
    return tools if len(tools) >= wanted else None


def _kept(bench: Bench, tools: list[dict[str, Any]]) -> Path:
    file = bench.fresh("tools") / "tools.json"
    file.write_text(json.dumps(tools))
    return file


def start(bench: Bench) -> list[Figure]:
    """From starting the process to the first list of tools, with and without what an earlier start left."""
    base, twenty = bench.fresh("start"), bench.fresh("start")
    env = bench.env(base)
    local = [*sdk_client.OURS, "--local-dir", str(base), "--service", raw_rest.SERVICE]
    try:
        with raw_mcp.line(local, env) as ours:
            until(lambda: _with_service(ours), "the trivial tool")
            embedded = _kept(bench, raw_mcp.pages(ours)[0])
        stated(twenty, 20)
        with bench.platform(twenty) as platform:
            kept = bench.deployment(bench.fresh("home"), platform)
            with raw_mcp.line(sdk_client.OURS, kept) as ours:
                remote = _kept(bench, until(lambda: _all(ours, 20), "20 tools"))
            bare = [sys.executable, "-m", "tests.benchmarks.bare_server"]
            kinds: dict[str, Any] = {
                "bare, embedded's list": lambda: ([*bare, str(embedded)], env),
                "embedded": lambda: (local, env),
                "bare, deployment's list": lambda: ([*bare, str(remote)], env),
                "cached": lambda: (sdk_client.OURS, kept),
                "first": lambda: (sdk_client.OURS, bench.deployment(bench.fresh("home"), platform)),
            }
            took: dict[str, list[float]] = {kind: [] for kind in kinds}
            sizes: dict[str, set[int]] = {kind: set() for kind in kinds}
            for number in range(bench.many(11, 5) + 1):
                for kind, how in kinds.items():
                    seconds, count = _first_list(*how())
                    if number:
                        took[kind].append(seconds)
                        sizes[kind].add(count)
    finally:
        launch.stop_runner(base, force=True)
    what = "start → first tools/list, stdio"
    wanted = {kind: len(json.loads((embedded if "embedded" in kind else remote).read_bytes())) for kind in kinds}
    one, other = took["bare, embedded's list"], took["bare, deployment's list"]

    def note(kind: str) -> str:
        complete = sizes[kind] == {wanted[kind]}
        listed = f"{'' if complete else 'NOT COMPLETE: '}{sorted(sizes[kind])} of {wanted[kind]} tools"
        return f"medians of {len(one)}; {listed}"

    found = [
        at_most(f"{what}; embedded | bare SDK server", took["embedded"], one, times=1.1, note=note("embedded")),
        at_most(f"{what}; cached catalogue | bare", took["cached"], other, times=1.1, note=note("cached")),
        at_most(f"{what}; first contact | bare", took["first"], other, times=1.4, note=note("first")),
    ]
    # A list without the services would be fast, and is not what was promised.
    return [replace(figure, met=figure.met and "NOT" not in figure.note) for figure in found]


def _with_service(ours: raw_mcp.Line) -> bool | None:
    return any(tool["name"] == "trivial" for tool in raw_mcp.pages(ours)[0]) or None


def _first_list(command: Any, env: dict[str, str]) -> tuple[float, int]:
    started = time.perf_counter()
    with raw_mcp.line(command, env) as server:
        server.ask("server/discover")
        reply, _ = server.ask("tools/list")
        seconds = time.perf_counter() - started
    return seconds, len(json.loads(reply)["result"]["tools"])
