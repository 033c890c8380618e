"""IVCAP services as LangChain tools; here one tool is called without a model."""

import asyncio

from langchain_mcp_adapters.client import MultiServerMCPClient

SERVERS = {
    "ivcap": {"transport": "stdio", "command": "ivcap-mcp", "args": []},
    # or {"transport": "streamable_http", "url": "http://127.0.0.1:8000/mcp", "headers": {"Authorization": "Bearer …"}}
}


async def main() -> None:
    tools = {tool.name: tool for tool in await MultiServerMCPClient(SERVERS).get_tools()}
    print(sorted(tools)[:3])
    print(await tools["list_artifacts"].ainvoke({"limit": 1}))


asyncio.run(main())
