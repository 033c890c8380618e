"""`ivcap-mcp demo`: the main job from end to end, exactly as a client such as Claude or Cursor would do it."""

from __future__ import annotations

import argparse
import base64
import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import mcp_types as t
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters, stdio_client

from ivcap_client.exception import ConfigError
from ivcap_mcp import examples
from ivcap_mcp.cli.bar import Bar

TOOL = "co2_trend"
DATA = "data/mauna_loa_co2.csv"
PATIENCE = 300.0
"""Seconds for the sample tool's environment to be built, which happens once per machine."""


class DemoFailed(Exception):
    """A step did not do what it shows."""


def run(given: argparse.Namespace) -> int:
    """Walk through it; 0 only if every step really happened."""
    try:
        out = given.out or Path(tempfile.mkdtemp(prefix="ivcap-mcp-demo-"))
        out = out.expanduser().absolute()
        out.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"the demo cannot use {given.out or tempfile.gettempdir()}: {error}") from None
    try:
        anyio.run(partial(_over_stdio, out))
    except DemoFailed as error:
        sys.stderr.write(f"\nThe demo stopped: {error}\n")
        return 1
    except BaseExceptionGroup as group:
        failed = _first(group) or _server_ended(group, out)
        if failed is None:
            raise
        sys.stderr.write(f"\nThe demo stopped: {failed}\n")
        return 1
    return 0


def server_parameters(out: Path, environment: Mapping[str, str]) -> StdioServerParameters:
    """How a client starts the server, with the demo's own directory and the sample tool."""
    kept = {
        key: value for key, value in environment.items() if not key.startswith("IVCAP_") or key.endswith("_CACHE_DIR")
    }
    arguments = ["-m", "ivcap_mcp", "--local-dir", str(out / "store"), "--service", str(examples.path(f"{TOOL}.py"))]
    arguments += ["--allow-root", str(examples.path(DATA).parent)]
    kept |= {"IVCAP_STATE_DIR": str(out / "state")}
    return StdioServerParameters(command=sys.executable, args=arguments, env=kept, cwd=out)


async def _over_stdio(out: Path) -> None:
    _title("ivcap-mcp demo: a real analysis, run as a job by an MCP client")
    print(f"Everything stays in {out}")
    parameters = server_parameters(out, os.environ)
    _step(1, "Start the server over stdio and connect, as Claude or Cursor would")
    print(f"  {Path(sys.executable).name} {' '.join(parameters.args)}")
    with open(out / "server.log", "w", encoding="utf-8") as log:  # noqa: ASYNC230 - a child writes to it, we do not
        async with Client(stdio_client(parameters, errlog=log)) as client:
            await walk(client, out)
    _step(8, "Use it from your own client")
    print("Add this to your client's MCP configuration (for Claude Desktop: claude_desktop_config.json):\n")
    command = str(Path(sys.executable).parent / "ivcap-mcp")
    print(json.dumps({"mcpServers": {"ivcap": {"command": command}}}, indent=2))
    print("\nThen add the sample tool, or one of yours, for that server:\n")
    # By its whole path too: after `make demo` the command is in an environment that is not on the PATH.
    print(f"  {shlex.join([command, 'services', 'add', str(examples.path(f'{TOOL}.py'))])}")


async def walk(client: Client, out: Path) -> dict[str, Any]:
    """The main job, step by step, with any connected client.

    Returns:
        The structured result of the analysis.

    Raises:
        DemoFailed: A step did not do what it should.
    """
    info = client.server_info
    told = f"{info.name} {info.version}" if info else "the server"
    print(f"  connected to {told}, protocol {client.protocol_version}")
    _step(2, "Find the tools")
    tools = await _tools(client)
    for tool in tools:
        mark = "service " if tool.name == TOOL else "built-in"
        print(f"  {mark}  {tool.name:<18} {_line(tool.description)}")

    _step(3, "Upload a data file as an artifact: weekly CO2 at Mauna Loa, 1958 to 2001")
    uploaded = await _called(client, "upload_artifact", {"path": str(examples.path(DATA)), "content_type": "text/csv"})
    series = uploaded["artifact"]
    print(f"  {uploaded['name']}, {uploaded['size']} bytes -> {series}")

    _step(4, f"Call the service's tool {TOOL}; progress comes from the running job")
    steps: list[str] = []
    with Bar(TOOL, sys.stdout) as bar:

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            steps.append(message or "")
            bar.show(progress, total, message or "")

        began = time.monotonic()
        result = await client.call_tool(TOOL, {"series": series, "harmonics": 3}, progress_callback=on_progress)
        found = await _finished(client, result, on_progress)
    print(f"  done in {time.monotonic() - began:.1f} s, {len(steps)} progress messages")
    _must(len(steps) >= 3, "no progress was told")

    _step(5, "The structured result")
    for key, value in found.items():
        if not key.startswith("$") and not isinstance(value, (list, dict)):
            print(f"  {key:<32} {value}")
    _must(1.0 < float(found.get("trend_mean_ppm_per_year", 0)) < 2.0, "the trend is not what is known of these data")

    _step(6, "Read the plot it made, as a resource")
    plot = await client.read_resource(found["plot"])
    blob = plot.contents[0]
    _must(isinstance(blob, t.BlobResourceContents), "the plot came as text")
    assert isinstance(blob, t.BlobResourceContents)
    image = base64.b64decode(blob.blob)
    _must(image.startswith(b"\x89PNG"), "the plot is no PNG")
    saved = out / "co2_trend.png"
    await anyio.Path(saved).write_bytes(image)
    print(f"  {found['plot']}, {len(image)} bytes\n  saved to {saved}")

    _step(7, "Ask what is known about the data file now")
    known = await _called(client, "query_aspects", {"entity": series})
    for aspect in known["aspects"]:
        print(f"  {aspect['schema']}\n    {_line(json.dumps(aspect['content'], ensure_ascii=False), 110)}")
    _must(any(found["plot"] in json.dumps(a) for a in known["aspects"]), "no aspect names the plot")
    return found


async def _tools(client: Client) -> list[t.Tool]:
    """The tools, once the sample tool is among them: the first time its environment is built."""
    until = time.monotonic() + PATIENCE
    with Bar("preparing the sample tool", sys.stdout) as bar:
        while True:
            tools = (await client.list_tools()).tools
            if any(tool.name == TOOL for tool in tools):
                return tools
            found = await client.call_tool("search_services", {"query": ""})
            _must(not found.is_error, f"search_services failed: {_text(found)}")
            warning = found.structured_content.get("warning")
            _must(warning is None, str(warning))
            state = found.structured_content.get("preparing") or []
            told = "; ".join(str(one.get("message") or one.get("state")) for one in state) or "starting"
            bar.show(0, None, f"its environment is built once per machine: {told}")
            _must(
                not any(one.get("state") == "failed" for one in state), f"the sample tool could not be prepared: {told}"
            )
            _must(time.monotonic() < until, f"the sample tool was not ready after {PATIENCE:.0f} s: {told}")
            await anyio.sleep(0.25)


async def _called(client: Client, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    _must(not result.is_error, f"{tool} failed: {_text(result)}")
    structured: dict[str, Any] = result.structured_content
    return structured


async def _finished(client: Client, result: t.CallToolResult, progress: Any) -> dict[str, Any]:
    """The job's result, whether the call brought it or only a handle."""
    _must(not result.is_error, f"{TOOL} failed: {_text(result)}")
    found: dict[str, Any] = result.structured_content
    while "next" in found and found.get("status") != "succeeded":
        again = await client.call_tool("get_job", {"job": found["job"], "wait": 45}, progress_callback=progress)
        _must(not again.is_error, f"get_job failed: {_text(again)}")
        told: dict[str, Any] = again.structured_content
        found = told["result"] if told.get("status") == "succeeded" else told
    return found


def _text(result: t.CallToolResult) -> str:
    return " ".join(block.text for block in result.content if isinstance(block, t.TextContent))


def _first(group: BaseExceptionGroup[BaseException]) -> DemoFailed | None:
    found = group.subgroup(DemoFailed)
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]  # type: ignore[assignment]
    return found if isinstance(found, DemoFailed) else None


def _server_ended(group: BaseExceptionGroup[BaseException], out: Path) -> DemoFailed | None:
    """Why the server is gone, in its own last words; `None` if it is not."""
    if group.subgroup(lambda error: isinstance(error, MCPError) and "closed" in str(error)) is None:
        return None
    words = (out / "server.log").read_text(encoding="utf-8", errors="replace").split("\n")
    told = [line for line in words if line.strip()]
    return DemoFailed(f"the server ended: {told[-1] if told else 'without a word'}")


def _must(claim: bool, otherwise: str) -> None:
    if not claim:
        raise DemoFailed(otherwise)


def _line(text: str | None, most: int = 90) -> str:
    first = " ".join((text or "").split())
    return first if len(first) <= most else first[: most - 1] + "…"


def _title(text: str) -> None:
    print(f"\n{text}\n{'=' * len(text)}", flush=True)


def _step(number: int, text: str) -> None:
    print(f"\n{number}. {text}", flush=True)
