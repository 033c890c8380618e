"""The SDK's own client against our server, as users have it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests.benchmarks.bench import LONG

OURS = (sys.executable, "-m", "ivcap_mcp")


@asynccontextmanager
async def client(options: Sequence[str], env: dict[str, str], *, wants: str | None = None) -> AsyncIterator[Client]:
    """A client on stdio, once `wants` is among the tools."""
    python, *args = OURS
    with open(os.devnull, "w") as quiet:  # noqa: ASYNC230 - nothing that blocks
        server = StdioServerParameters(command=python, args=[*args, *options], env=env)
        async with Client(stdio_client(server, errlog=quiet), cache=None) as found:
            if wants is not None:
                with anyio.fail_after(LONG):
                    while wants not in [tool.name for tool in (await found.list_tools()).tools]:  # noqa: ASYNC110
                        await anyio.sleep(0.1)
            yield found


@dataclass(slots=True)
class Call:
    """One tool call: when it was sent and answered (wall clock), the job it became, what it said."""

    sent: float
    job: str = ""
    answered: float = 0.0
    result: Any = None


async def call(found: Client, tool: str, arguments: dict[str, Any], on_job: Any = None) -> Call:
    """Call a tool; the job's URN is taken from the first progress message."""
    told = Call(time.time())

    async def progress(progress: float, total: float | None, message: str | None) -> None:
        if not told.job and message and "urn:ivcap:job:" in message:
            told.job = next(word for word in message.split() if word.startswith("urn:ivcap:job:"))
            if on_job is not None:
                on_job(told.job)

    told.result = await found.call_tool(tool, arguments, progress_callback=progress)
    told.answered = time.time()
    if told.result.is_error:
        raise RuntimeError(f"a call failed: {told.result.content}")
    return told
