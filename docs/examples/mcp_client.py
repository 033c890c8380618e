"""A Python MCP client: start the server, find a tool, call it, read what it made."""

import sys

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from ivcap_mcp import examples

TOOL = str(examples.path("rehearsal.py"))
OPTIONS = ["--local-dir", "study", "--service", TOOL]
SERVER = StdioServerParameters(command=sys.executable, args=["-m", "ivcap_mcp", *OPTIONS])


async def tell(progress: float, total: float | None, message: str | None) -> None:
    if message and message.startswith("Part"):
        print(f"  {message}")


async def main() -> None:
    async with Client(stdio_client(SERVER)) as client:
        # A new service's environment is built first; its tool is listed once that is done.
        while not any(tool.name == "rehearsal" for tool in (await client.list_tools()).tools):
            await anyio.sleep(0.5)

        asked = {"outcome": "artifact", "steps": 2, "seconds": 1}
        result = await client.call_tool("rehearsal", asked, progress_callback=tell)
        found = result.structured_content
        while "next" in found:  # the job takes longer than a call may: go on as the answer says
            result = await client.call_tool(found["next"]["tool"], found["next"]["arguments"])
            found = result.structured_content
            found = found.get("result", found)
        print(found["outcome"], found["artifact"].rpartition(":")[0])

        contents = (await client.read_resource(found["artifact"])).contents[0]
        print(contents.mime_type)


anyio.run(main)
