"""The SDK's low-level server and nothing else: what ours is compared with.

`python -m tests.benchmarks.bare_server TOOLS.json [--http]`: the tools of the file in one page; calling any of them
answers with two words.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import anyio
import mcp_types as t
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server


def build(tools: list[t.Tool]) -> Server[Any]:
    by_name = {tool.name: tool for tool in tools}

    async def listed(ctx: Any, params: Any) -> t.ListToolsResult:
        return t.ListToolsResult(tools=tools, ttl_ms=60_000, cache_scope="private")

    async def called(ctx: Any, params: t.CallToolRequestParams) -> t.CallToolResult:
        return t.CallToolResult(content=[t.TextContent(text="no-op")], structured_content={"done": True})

    def schema(name: str) -> Any:
        return by_name[name].input_schema

    return Server("bare", version="1", get_tool_input_schema=schema, on_list_tools=listed, on_call_tool=called)


async def stdio(server: Server[Any]) -> None:
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


async def http(server: Server[Any]) -> None:
    import socket

    import uvicorn

    bound = socket.create_server(("127.0.0.1", 0))
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as uvicorn has it when it binds by itself
    print(json.dumps({"url": f"http://127.0.0.1:{bound.getsockname()[1]}/mcp"}), flush=True)
    config = uvicorn.Config(server.streamable_http_app(), http="h11", log_config=None, access_log=False)
    await uvicorn.Server(config).serve([bound])


def main() -> None:
    tools = [t.Tool.model_validate(tool) for tool in json.loads(Path(sys.argv[1]).read_bytes())]
    anyio.run(http if "--http" in sys.argv else stdio, build(tools))


if __name__ == "__main__":
    main()
