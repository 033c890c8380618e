"""`--read-only`: nothing that changes anything is listed, offered or done, by whatever way it is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from ivcap_client import IVCAP
from ivcap_client.auth import BearerAuth
from ivcap_mcp import Settings, build_server
from ivcap_mcp.entries import is_reading
from ivcap_mcp.instructions import instructions
from ivcap_mcp.tools import BUILTINS
from tests.mcp.clients import text
from tests.mcp.hosting import client_at, hosted
from tests.mcp.outside import ARTIFACT, JOB, SERVICE, TOKEN, TOOL, Outside, outside
from tests.mcp.tasking import Tasking, ask
from tests.mcp.test_behaviour import CALLS

pytestmark = pytest.mark.anyio

READING = {tool.definition.name for tool in BUILTINS if is_reading(tool.definition)}
CHANGING = {
    "run_service", "cancel_job", "upload_artifact", "add_aspect", "update_aspect", "retract_aspect",
}  # fmt: skip


@pytest.fixture
async def platform() -> AsyncIterator[Outside]:
    async with outside() as found:
        yield found


@pytest.fixture
async def server(platform: Outside, tmp_path: Path) -> AsyncIterator[Any]:
    settings = Settings(state_dir=tmp_path / "state", refresh=60, first_list=5, max_wait=5, read_only=True)
    async with IVCAP(platform.url, auth=BearerAuth(TOKEN)) as ivcap:
        yield build_server(ivcap, settings)


def test_every_built_in_tool_says_whether_it_changes_anything() -> None:
    assert {tool.definition.name for tool in BUILTINS} == READING | CHANGING


async def test_only_tools_that_read_are_listed(server: Any, mode: str) -> None:
    async with Client(server, mode=mode) as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}
        prompts = {prompt.name for prompt in (await client.list_prompts()).prompts}
    assert listed == READING
    assert "run_service" not in prompts


async def test_calls_that_change_something_are_refused_and_nothing_is_asked_of_the_platform(
    server: Any, platform: Outside, mode: str
) -> None:
    async with Client(server, mode=mode) as client:
        await client.list_tools()
        for name in (TOOL, *sorted(CHANGING)):
            refused = await client.call_tool(name, CALLS[name])
            assert refused.is_error, name
            assert text(refused).startswith("read_only: "), text(refused)
            assert "--read-only" in text(refused)
    assert {one.method for one in platform.asked} == {"GET"}


async def test_reading_goes_on(server: Any, platform: Outside) -> None:
    async with Client(server) as client:
        for name in sorted(READING - {"search_datafabric"}):
            result = await client.call_tool(name, CALLS[name])
            assert not result.is_error, text(result)
            assert "run_service" not in text(result), name
    assert {one.method for one in platform.asked} == {"GET"}


async def test_what_a_change_is_prompted_or_completed_with_is_not_there(server: Any) -> None:
    async with Client(server) as client:
        with pytest.raises(MCPError, match="Unknown prompt"):
            await client.get_prompt("run_service", {"service": SERVICE})
        for name, given in (("look_into_artifact", {"artifact": ARTIFACT}), ("explain_failed_job", {"job": JOB})):
            assert (await client.get_prompt(name, given)).messages


async def test_a_task_is_not_cancelled(server: Any, platform: Outside) -> None:
    platform.job["status"] = "executing"
    async with hosted(server) as url, client_at(url, "2026-07-28", [Tasking()]) as client:
        with pytest.raises(MCPError, match="--read-only"):
            await ask(client.session, "cancel", JOB)
    assert {one.method for one in platform.asked} == {"GET"}


async def test_an_upload_address_of_another_server_takes_nothing(server: Any, platform: Outside) -> None:
    async with hosted(server) as url, httpx2.AsyncClient() as http:
        path, _ = server.backend.handoffs.path(ARTIFACT, 3)
        refused = await http.put(url.removesuffix("/mcp") + path, content=b"abc")
    assert refused.status_code == 403
    assert "--read-only" in refused.text
    assert {one.method for one in platform.asked} <= {"GET"}


@pytest.mark.parametrize("local", [True, False])
def test_instructions_name_no_tool_that_is_not_there(local: bool) -> None:
    told = instructions(Settings(read_only=True, local=local))
    assert len(told) <= 2_000
    assert "--read-only" in told
    assert not [name for name in CHANGING if name in told]
