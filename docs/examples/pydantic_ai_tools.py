"""An agent of pydantic-ai gets every IVCAP service as a tool; here one tool is called without a model."""

import asyncio

from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset


async def main() -> None:
    ivcap = MCPToolset(StdioTransport("ivcap-mcp", []))  # or MCPToolset("http://127.0.0.1:8000/mcp", headers={…})
    agent = Agent(toolsets=[ivcap])  # with a model: await agent.run("How fast does CO2 grow?", model="…")
    async with agent:
        print(sorted(tool.name for tool in await ivcap.list_tools())[:3])
        print(await ivcap.direct_call_tool("list_artifacts", {"limit": 1}))


asyncio.run(main())
