"""`ivcap-mcp tools`: what a client would see."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import anyio
import mcp_types as t
from mcp import Client

from ivcap_mcp.cli.serve import prepared
from ivcap_mcp.entries import Problem
from ivcap_mcp.server import IvcapServer
from ivcap_mcp.text import clip


def run(given: argparse.Namespace) -> int:
    """List the tools."""
    server, _ = prepared(given, stdio=True)
    tools, states = anyio.run(partial(_listed, server))
    if given.json:
        print(json.dumps([tool.model_dump(by_alias=True, mode="json", exclude_none=True) for tool in tools], indent=2))
    else:
        _show(tools, server.backend.catalog.problems, states)
    if server.backend.catalog.failure is not None:
        raise server.backend.catalog.failure
    for pattern in server.backend.catalog.unmatched:
        sys.stderr.write(f"ivcap-mcp: no service fits {pattern}\n")
    return 0


def _show(tools: Sequence[t.Tool], problems: Sequence[Problem], states: Sequence[dict[str, Any]]) -> None:
    for tool in tools:
        first = (tool.description or "").strip().splitlines()[0] if tool.description else ""
        print(f"{tool.name:<28} {clip(first, 120)}")
        for name, schema in _parameters(tool):
            print(f"    {name:<26} {schema}")
    for problem in problems:
        print(f"not published: {problem.service}: {problem.reason}")
    for one in states:
        print(f"not published: {one['name']}: {one['state']}: {one['message']}")


async def _listed(server: IvcapServer) -> tuple[list[t.Tool], list[dict[str, Any]]]:
    """The tools, and the services that are none because they are not ready or failed."""
    async with server.backend.ivcap, Client(server) as client:
        await described(server)
        found, cursor = [], None
        while True:
            page = await client.list_tools(cursor=cursor)
            found += page.tools
            cursor = page.next_cursor
            if cursor is None:
                return found, await server.backend.states()


async def described(server: IvcapServer, patience: float = 300.0) -> None:
    """Wait until the services named on the command line are described: a first time their environment is built."""
    with anyio.move_on_after(patience):
        while await server.backend.preparing():
            await anyio.sleep(0.2)
            await server.backend.catalog.refresh()


def _parameters(tool: t.Tool) -> list[tuple[str, str]]:
    properties: dict[str, Any] = tool.input_schema.get("properties") or {}
    required = tool.input_schema.get("required") or []
    found = []
    for name, schema in properties.items():
        kind = schema.get("type") or "any"
        if "enum" in schema:
            kind = " | ".join(map(str, schema["enum"][:8]))
        told = f"{kind}{'' if name in required else ', optional'}: {schema.get('description', '')}"
        found.append((name, clip(told.rstrip(": "), 150)))
    return found
