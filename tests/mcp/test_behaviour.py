"""A platform that fails at any one step, in any way: each tool still answers, in time, in words, without the token."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import mcp_types as t
import pytest
from mcp import Client

from ivcap_client import IVCAP
from ivcap_client.auth import BearerAuth
from ivcap_mcp import Settings, build_server
from ivcap_mcp.tools import BUILTINS
from tests.mcp.clients import listed, text
from tests.mcp.faults import FAULTS
from tests.mcp.outside import ARTIFACT, ASPECT, JOB, SERVICE, TOKEN, TOOL, Fault, Outside, outside

pytestmark = pytest.mark.anyio

MAX_WAIT = 2.0
AT_ONCE = 6
SHARE = 6

CALLS: dict[str, dict[str, Any]] = {
    TOOL: {"upto": 3},
    "run_service": {"service": SERVICE, "input": {"upto": 3}},
    "search_services": {"query": "count"},
    "describe_service": {"service": SERVICE},
    "get_job": {"job": JOB, "wait": 1},
    "list_jobs": {},
    "cancel_job": {"job": JOB},
    "explain_job": {"job": JOB},
    "trace_lineage": {"urn": ARTIFACT},
    "list_artifacts": {},
    "get_artifact": {"artifact": ARTIFACT},
    "preview_artifact": {"artifact": ARTIFACT},
    "read_artifact": {"artifact": ARTIFACT},
    "upload_artifact": {"name": "a.csv", "text": "x\n1\n"},
    "query_aspects": {"entity": ARTIFACT},
    "get_aspect": {"aspect": ASPECT},
    "update_aspect": {"entity": ARTIFACT, "schema": "urn:x:schema:y", "content": {"a": 2}},
    "retract_aspect": {"aspect": ASPECT},
    "search_datafabric": {"query": "x(A)?"},
    "add_aspect": {"entity": ARTIFACT, "schema": "urn:x:schema:y", "content": {"a": 1}},
}
"""A call of each tool that the platform answers rightly unless it is spoilt."""
NAMES = [TOOL, *(tool.definition.name for tool in BUILTINS)]


@asynccontextmanager
async def connected(platform: Outside, folder: Path) -> AsyncIterator[Client]:
    settings = Settings(state_dir=folder / "state", max_wait=MAX_WAIT, default_wait=1.5, refresh=60, first_list=1)
    async with (
        IVCAP(platform.url, auth=BearerAuth(TOKEN), timeout=1.0) as ivcap,
        Client(build_server(ivcap, settings)) as client,
    ):
        yield client


async def steps_of(tool: str, folder: Path) -> list[str]:
    """The steps a call takes on a platform where all is well."""
    async with outside() as platform, connected(platform, folder) as client:
        await listed(client, TOOL)
        platform.asked.clear()
        result = await client.call_tool(tool, CALLS[tool])
        assert not result.is_error, text(result)
        return platform.steps


def check(result: t.CallToolResult, what: str) -> None:
    """What holds for every answer, good or bad."""
    said = text(result)
    assert TOKEN not in result.model_dump_json(), what
    if result.is_error:
        assert re.match(r"[a-z_]+: ", said), f"{what}: {said}"
        assert not said.startswith("internal:"), f"{what}: {said}"
        assert result.structured_content is None, what
        assert 'File "' not in said, f"{what}: {said}"
        assert len(said) < 12_000, what
    else:
        assert result.structured_content is not None, what


async def broken(tool: str, step: str, fault: Fault, folder: Path, what: str) -> None:
    """Call a tool on a platform that is spoilt at one step, and then look whether the server is still well."""
    async with outside() as platform, connected(platform, folder) as client:
        await listed(client, TOOL)
        platform.spoilt, platform.fault = step, fault
        with anyio.move_on_after(MAX_WAIT + 30) as limit:
            result = await client.call_tool(tool, CALLS[tool])
        assert not limit.cancelled_caught, f"{what}: no answer in time"
        check(result, what)
        platform.spoilt = ""
        with anyio.fail_after(30):
            assert TOOL in {one.name for one in (await client.list_tools()).tools}, what


def test_each_built_in_tool_is_tried() -> None:
    assert set(NAMES) <= set(CALLS)


def tools_for(fault: str) -> list[str]:
    """The tools tried with a fault: all of them in `make soak`, else one in six, another set for each fault."""
    if os.environ.get("IVCAP_TEST_FULL"):
        return NAMES
    number = list(FAULTS).index(fault)
    return NAMES[number % SHARE :: SHARE]


def test_the_faults_together_try_every_tool() -> None:
    assert {tool for fault in FAULTS for tool in tools_for(fault)} == set(NAMES)


@pytest.mark.parametrize("name", FAULTS)
async def test_a_platform_that_fails_at_any_step_gets_a_clean_answer_out_of_every_tool(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="ivcap_mcp")
    failed: list[str] = []
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def one(tool: str, step: str, number: int) -> None:
        what = f"{tool}, {step}: {name}"
        async with limiter:
            try:
                await broken(tool, step, FAULTS[name](), tmp_path / str(number), what)
            except (AssertionError, Exception) as error:
                failed.append(f"{what}: {error!r}"[:1000])

    tools = tools_for(name)
    planned = [(tool, step) for tool in tools for step in [*await steps_of(tool, tmp_path / tool), "*"]]
    async with anyio.create_task_group() as tasks:
        for number, (tool, step) in enumerate(planned):
            tasks.start_soon(one, tool, step, number)
    assert not failed, "\n".join(failed)
    assert len(planned) >= 2 * len(tools)
    assert TOKEN not in caplog.text
