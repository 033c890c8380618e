# It runs in an environment of its own.
# mypy: disable-error-code="import-not-found"
"""langchain-mcp-adapters: tools as LangChain has them, invoked directly. Prints facts as JSON."""

import asyncio
import json
import os
from typing import Any

from langchain_mcp_adapters.client import MultiServerMCPClient

ASKED = json.loads(os.environ["JUDGE"])


def connection() -> dict[str, Any]:
    if "url" in ASKED:
        return {"transport": "streamable_http", "url": ASKED["url"], "headers": ASKED["headers"]}
    return {"transport": "stdio", "command": ASKED["command"], "args": ASKED["args"], "env": ASKED["env"]}


async def invoke(tool: Any, given: dict[str, Any]) -> dict[str, Any]:
    message = await tool.ainvoke({"type": "tool_call", "id": "1", "name": tool.name, "args": given})
    return {"status": message.status, "content": message.content, "artifact": message.artifact}


async def main() -> None:
    client = MultiServerMCPClient({"ivcap": connection()})
    tools = {tool.name: tool for tool in await client.get_tools()}
    rehearsal = tools["rehearsal"]
    facts = {
        "tools": list(tools),
        "schema": rehearsal.tool_call_schema,
        "called": await invoke(rehearsal, {"steps": 2, "echo": {"a": 1}}),
        "failed": await invoke(rehearsal, {"outcome": "value_error"}),
    }
    print(json.dumps(facts, default=str))


asyncio.run(main())
