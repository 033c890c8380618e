"""Tools of the old library generation, run by our platform and called over MCP with the Python SDK's client."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import mcp_types as t
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters

from tests.interop.place import NEWEST, OLD, Place, place, rewrite

CALLS: dict[str, dict[str, Any]] = {
    "steps": {"steps": 4, "seconds": 0.4, "echo": {"a": [1, None]}},
    "value_error": {"outcome": "value_error"},
    "image": {"outcome": "image"},
    "text": {"outcome": "text"},
    "artifact": {"outcome": "artifact", "size_mb": 0.1},
    "die": {"outcome": "die"},
    "after_death": {"echo": "alive again"},
}
LIMIT = 100.0
"""Seconds all the calls may take together."""


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    home: Path = tmp_path_factory.mktemp("old")
    script = home / "rehearsal_old.py"
    rewrite(script, NEWEST, OLD)
    with place(home, f"rehearsal_old={script}") as found:
        found.described("rehearsal")
        yield found


async def call(client: Client, given: dict[str, Any]) -> tuple[t.CallToolResult, list[float]]:
    told: list[float] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append(progress)

    answer = await client.call_tool("rehearsal", given, progress_callback=hear)
    assert isinstance(answer, t.CallToolResult)
    return answer, told


@pytest.fixture(scope="module")
def answers(old: Place) -> dict[str, tuple[t.CallToolResult, list[float]]]:
    """What each call gave, and the progress told meanwhile."""
    seen: dict[str, tuple[t.CallToolResult, list[float]]] = {}

    async def calls() -> None:
        _, *arguments = old.command("serve")
        server = StdioServerParameters(command=sys.executable, args=arguments, env=old.own)
        with anyio.fail_after(LIMIT):
            async with Client(server) as client:
                for name, given in CALLS.items():
                    seen[name] = await call(client, given)

    anyio.run(calls)
    return seen


def text(answer: t.CallToolResult) -> str:
    return "\n".join(block.text for block in answer.content if isinstance(block, t.TextContent))


def test_its_steps_arrive_as_progress_and_its_result_as_an_object(answers: dict[str, Any]) -> None:
    answer, told = answers["steps"]
    assert len(told) >= 4
    assert told == sorted(set(told))
    assert answer.structured_content["echo"] == {"a": [1, None]}
    assert answer.structured_content["steps"] == 4


def test_its_error_is_an_error_with_the_reason(answers: dict[str, Any]) -> None:
    answer, _ = answers["value_error"]
    assert answer.is_error
    assert "the input was refused, as asked" in text(answer)
    assert "Traceback" not in text(answer)


def test_its_image_is_shown(answers: dict[str, Any]) -> None:
    answer, _ = answers["image"]
    assert [block.mime_type for block in answer.content if isinstance(block, t.ImageContent)] == ["image/png"]


def test_its_text_is_a_result(answers: dict[str, Any]) -> None:
    answer, _ = answers["text"]
    assert not answer.is_error
    assert "CO₂" in str(answer.structured_content["result"])


def test_its_artifact_is_linked(answers: dict[str, Any]) -> None:
    answer, _ = answers["artifact"]
    (link,) = [block for block in answer.content if isinstance(block, t.ResourceLink)]
    assert str(link.uri) == answer.structured_content["artifact"]
    assert link.size == 100_000


def test_its_death_fails_the_job_and_not_the_next_one(answers: dict[str, Any]) -> None:
    answer, _ = answers["die"]
    assert answer.is_error
    assert "urn:ivcap:job:" in text(answer)
    after, _ = answers["after_death"]
    assert after.structured_content["echo"] == "alive again"
