"""Typical tasks as an agent does them, call by call: they stay as short as they were.

What an agent pays is the calls it makes and the bytes it reads; both are held in `tasks.json`.
`UPDATE_TASKS=1 python -m pytest tests/evals/test_tasks.py` records them anew.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import mcp_types as t
import pytest
from mcp import Client

from ivcap_mcp.server import IvcapServer
from tests.mcp.clients import listed, text
from tests.mcp.conftest import base, server, settings  # noqa: F401 - fixtures

RECORDED = Path(__file__).parent / "tasks.json"
SLACK = 1.1
"""URNs and times differ in length between runs."""
TABLE = "site,day,pm25\n" + "".join(f"S{n % 7},2026-01-{n % 28 + 1:02},{n * 1.5}\n" for n in range(400))


class Agent:
    """Calls tools, and counts."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.calls: list[str] = []
        self.bytes = 0

    async def call(self, tool: str, *, fails: bool = False, **arguments: Any) -> t.CallToolResult:
        done = await self._client.call_tool(tool, arguments)
        assert bool(done.is_error) is fails, text(done)
        self.calls.append(tool)
        self.bytes += len(text(done).encode())
        return done

    async def read(self, tool: str, **arguments: Any) -> dict[str, Any]:
        found: dict[str, Any] | None = (await self.call(tool, **arguments)).structured_content
        assert found is not None
        return found


async def find_and_run(agent: Agent) -> None:
    """An agent that knows nothing finds a service, learns what it takes and runs it."""
    found = await agent.read("search_services", query="something to try how long jobs report progress")
    name = found["services"][0]["tool"]
    told = await agent.read("describe_service", service=name)
    assert told["example"]
    done = await agent.read("run_service", service=name, input={"steps": 1, "seconds": 0, "echo": {"a": 1}})
    assert done["echo"] == {"a": 1}


async def look_at_a_table(agent: Agent) -> None:
    """What columns and rows does a table have?"""
    kept = await agent.read("upload_artifact", name="air.csv", content_type="text/csv", text=TABLE)
    shown = await agent.read("preview_artifact", artifact=kept["artifact"])
    assert "pm25" in json.dumps(shown)


async def why_did_it_fail(agent: Agent) -> None:
    """A run succeeds, the next one fails: what was different?"""
    await agent.call("rehearsal", steps=1, seconds=0)
    failed = await agent.call("rehearsal", fails=True, steps=1, outcome="value_error")
    job = re.search(r"urn:ivcap:job:[0-9a-f-]+", text(failed))
    assert job, text(failed)
    said = await agent.call("explain_job", job=job[0])
    assert "outcome" in text(said)


async def what_used_this(agent: Agent) -> None:
    """Which job used an artifact?"""
    kept = await agent.read("upload_artifact", name="in.csv", content_type="text/csv", text="a\n1\n")
    await agent.call("rehearsal", steps=1, seconds=0, echo={"from": kept["artifact"]})
    used = await agent.call("trace_lineage", urn=kept["artifact"], direction="used_by")
    assert "urn:ivcap:job:" in text(used)


TASKS: dict[str, Callable[[Agent], Awaitable[None]]] = {
    task.__name__: task for task in (find_and_run, look_at_a_table, why_did_it_fail, what_used_this)
}


@pytest.mark.anyio
@pytest.mark.parametrize("task", TASKS)
async def test_a_task_takes_no_more_calls_and_bytes_than_before(task: str, server: IvcapServer) -> None:  # noqa: F811
    async with Client(server) as client:
        await listed(client, "rehearsal")
        agent = Agent(client)
        await TASKS[task](agent)
    held = json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.exists() else {}
    if os.environ.get("UPDATE_TASKS"):
        held[task] = {"calls": agent.calls, "bytes": agent.bytes}
        RECORDED.write_text(json.dumps(held, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    assert agent.calls == held[task]["calls"]
    assert agent.bytes <= SLACK * held[task]["bytes"], f"was {held[task]['bytes']}, is {agent.bytes} bytes"
