# It runs in an environment of its own.
# mypy: disable-error-code="import-not-found"
"""pydantic-ai: its toolset, and an agent whose model is scripted, so that no model is asked. Prints facts as JSON."""

import asyncio
import json
import os
from typing import Any

from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

ASKED = json.loads(os.environ["JUDGE"])


def toolset() -> MCPToolset[None]:
    if "url" in ASKED:
        return MCPToolset(ASKED["url"], headers=ASKED["headers"], tool_error_behavior="failed")
    transport = StdioTransport(ASKED["command"], ASKED["args"], env=ASKED["env"], keep_alive=False)
    return MCPToolset(transport, tool_error_behavior="failed")


async def main() -> None:
    facts: dict[str, Any] = {}

    def scripted(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        facts["offered"] = {tool.name: tool.parameters_json_schema for tool in info.function_tools}
        if len(messages) == 1:
            return ModelResponse(parts=[ToolCallPart("rehearsal", {"steps": 2, "echo": "by an agent"})])
        facts["returned"] = [getattr(part, "content", None) for part in messages[-1].parts]
        return ModelResponse(parts=[TextPart("done")])

    async with toolset() as tools:
        facts["tools"] = [tool.name for tool in await tools.list_tools()]
        facts["called"] = await tools.direct_call_tool("rehearsal", {"echo": {"a": 1}})
        try:
            facts["failed"] = await tools.direct_call_tool("rehearsal", {"outcome": "value_error"})
        except Exception as error:
            facts["error"] = str(error)
        agent = Agent(FunctionModel(scripted), toolsets=[tools])
        facts["output"] = (await agent.run("rehearse")).output
    print(json.dumps(facts, default=str))


asyncio.run(main())
