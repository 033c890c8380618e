"""`ivcap-mcp call`: one tool call, as a client would make it, with its progress on the terminal."""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import mcp_types as t
from mcp import Client
from mcp.shared.exceptions import MCPError

from ivcap_client.exception import ConfigError
from ivcap_mcp.cli.bar import Bar
from ivcap_mcp.cli.serve import prepared
from ivcap_mcp.cli.tools import described
from ivcap_mcp.errors import as_result
from ivcap_mcp.server import IvcapServer
from ivcap_mcp.tools.services import not_ready

MOST_TRIES = 5
"""How often a service may be found being prepared after it was waited for."""
UNREACHED = frozenset({"not_authorised", "no_connection", "connection_lost"})
"""Codes of errors that mean no connection, or no authorisation."""


def run(given: argparse.Namespace) -> int:
    """Call it; print the result; exit code 1 if it failed, 3 if the platform was not reached or knows us not."""
    arguments = _arguments(given)
    server, _ = prepared(given, stdio=True)
    result = anyio.run(partial(_called, server, given, arguments))
    if given.json:
        shown = result.structured_content if result.structured_content is not None else {"error": _text(result)}
        print(json.dumps(shown, ensure_ascii=False, indent=2))
    elif result.is_error:
        sys.stderr.write(_text(result) + "\n")
    else:
        print(_text(result))
        for block in result.content:
            if isinstance(block, t.ResourceLink):
                print(f"{block.uri}  {block.name}  {block.mime_type or ''}  {block.size or 0} bytes")
    if not result.is_error:
        return 0
    return 3 if _text(result).partition(":")[0] in UNREACHED else 1


async def _called(server: IvcapServer, given: argparse.Namespace, arguments: dict[str, Any]) -> t.CallToolResult:
    async with server.backend.ivcap, Client(server) as client:
        with Bar(given.tool) as bar:
            result = await _answered(server, client, given.tool, arguments, bar)
            first = result.structured_content or {}
            job = first.get("job") if not result.is_error else None
            if job and isinstance(first.get("note"), str) and first.get("next", {}).get("tool") == "get_job":
                bar.say(first["note"])  # said of this call: the answer of get_job does not repeat it
            # Unlike a model, a person who asked for one thing waits for it.
            while (
                not given.no_wait and job and (result.structured_content or {}).get("next", {}).get("tool") == "get_job"
            ):
                wait = int(server.backend.settings.max_wait)
                result = await client.call_tool(
                    "get_job", {"job": job, "wait": wait}, progress_callback=bar.on_progress
                )
                if result.is_error or (result.structured_content or {}).get("status") == "succeeded":
                    break
        return result


async def _answered(
    server: IvcapServer, client: Client, tool: str, arguments: dict[str, Any], bar: Bar
) -> t.CallToolResult:
    """The answer of a tool whose service is ready, or has failed.

    A service that failed before may just be tried again, and be ready by now: that is no answer to somebody who waits.
    """
    for _ in range(MOST_TRIES):
        await described(server)
        try:
            result = await client.call_tool(tool, arguments, progress_callback=bar.on_progress)
        except MCPError as error:
            if server.backend.catalog.failure is not None:
                raise server.backend.catalog.failure from None
            if (stated := await not_ready(server.backend, tool)) is None:
                ends = "" if error.message.endswith("?") else "."
                raise ConfigError(f"{error.message}{ends} {await _instead(server)}") from None
            result = as_result(stated)
        if not (result.is_error and _text(result).startswith("not_ready:")):
            break
    return result


async def _instead(server: IvcapServer) -> str:
    """What to say to who called a tool that there is not: it may be of a service that is none yet."""
    told = [f"{one['name']} is no tool: {one['state']}: {one['message']}." for one in await server.backend.states()]
    return " ".join([*told[:3], "`ivcap-mcp tools` lists what there is"])


def _arguments(given: argparse.Namespace) -> dict[str, Any]:
    """The arguments of the call.

    Raises:
        ConfigError: They are not what the command line takes; the message shows the form.
    """
    found: dict[str, Any] = {}
    if given.input is not None:
        text = given.input
        try:
            if text == "-":
                text = sys.stdin.read()
            elif text.startswith("@"):
                text = Path(text[1:]).read_text(encoding="utf-8")
            value = json.loads(text)
        except (OSError, ValueError) as error:
            raise ConfigError(f"--input: no JSON could be read ({error})") from None
        if not isinstance(value, dict):
            raise ConfigError("--input: a JSON object is wanted, such as '{\"name\": 1}'")
        found |= value
    for pair in given.arg:
        name, equals, text = pair.partition("=")
        if not name or not equals:
            raise ConfigError(f"--arg {pair!r}: NAME=VALUE is wanted")
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    if given.no_wait and given.tool in ("run_service", "get_job"):
        found["wait"] = 0
    return found


def _text(result: t.CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, t.TextContent))
