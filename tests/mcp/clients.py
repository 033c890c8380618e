"""Clients and server processes for tests: everything as an MCP client starts and calls it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx
import mcp_types as t
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

PATIENCE = 90.0
"""Seconds that anything may take: the first run builds the tool's environment."""


async def until(claim: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Wait until a claim, or an awaitable one, is true; return what it gave."""
    end = time.monotonic() + patience
    while True:
        found = claim()
        if hasattr(found, "__await__"):
            found = await found
        if found:
            return found
        assert time.monotonic() < end, f"{what} did not happen within {patience} s"
        await anyio.sleep(0.02)


async def listed(client: Client, name: str) -> t.Tool:
    """The tool of this name, once it is listed."""

    async def there() -> t.Tool | None:
        return next((tool for tool in (await client.list_tools()).tools if tool.name == name), None)

    found: t.Tool = await until(there, f"the tool {name} being listed")
    return found


def text(result: t.CallToolResult) -> str:
    """What a model reads of a result."""
    return "\n".join(block.text for block in result.content if isinstance(block, t.TextContent))


@dataclass
class Told:
    """Records progress messages."""

    steps: list[tuple[float, float | None, str]] = field(default_factory=list)

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        self.steps.append((progress, total, message or ""))

    @property
    def values(self) -> list[float]:
        return [step[0] for step in self.steps]

    @property
    def messages(self) -> list[str]:
        return [step[2] for step in self.steps]


@dataclass
class Served:
    """The server as a process."""

    base: Path
    folder: Path
    services: list[str]
    extra: list[str] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def arguments(self, *more: str) -> list[str]:
        named = [part for service in self.services for part in ("--service", service)]
        return ["-m", "ivcap_mcp", *more, "--local-dir", str(self.base), *named, *self.extra]

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    @asynccontextmanager
    async def stdio(self, mode: str, *more: str) -> AsyncIterator[Client]:
        """A client that started the server over stdio."""
        parameters = StdioServerParameters(
            command=sys.executable, args=self.arguments(*more), env=self.environment(), cwd=self.folder
        )
        with open(self.log, "a", encoding="utf-8") as log:  # noqa: ASYNC230 - a child writes to it
            async with Client(stdio_client(parameters, errlog=log), mode=mode) as client:
                yield client

    @asynccontextmanager
    async def http(self, mode: str, *more: str) -> AsyncIterator[Client]:
        """A client of a server over HTTP, which ends with the block."""
        process, url, token = await self.started(*more)
        try:
            async with http_client(url, token, mode) as client:
                yield client
        finally:
            end(process)

    async def started(self, *more: str) -> tuple[subprocess.Popen[bytes], str, str | None]:
        """A server over HTTP: its process, URL and token, as it prints them."""
        with open(self.log, "ab") as log:  # noqa: ASYNC230 - a child writes to it
            process = subprocess.Popen(  # noqa: ASYNC220 - starting it does not wait
                [sys.executable, *self.arguments("serve", "--transport", "http", "--port", "0", *more)],
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=self.environment(),
                cwd=self.folder,
            )
        try:
            told = await until(lambda: self._snippet(process), "the server printing how to reach it")
        except BaseException:
            end(process)
            raise
        entry = told["mcpServers"]["ivcap"]
        token = entry.get("headers", {}).get("Authorization", "").removeprefix("Bearer ")
        return process, entry["url"], token or None

    def _snippet(self, process: subprocess.Popen[bytes]) -> Any:
        said = self.log.read_text(encoding="utf-8")
        assert process.poll() is None, said
        found = re.search(r"^\{$.*?^\}$", said, re.MULTILINE | re.DOTALL)
        return json.loads(found[0]) if found else None


@asynccontextmanager
async def http_client(url: str, token: str | None, mode: str, **options: Any) -> AsyncIterator[Client]:
    """A client over Streamable HTTP."""
    import httpx2

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode, **options) as client,
    ):
        yield client


def end(process: subprocess.Popen[Any]) -> None:
    """End a process and wait for it."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


def raw(url: str, **more: Any) -> httpx.Response:
    """One plain HTTP request."""
    return httpx.request(url=url, timeout=10, **more)
