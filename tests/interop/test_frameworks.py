"""Agent frameworks list and call our tools, each from an environment of its own; no model is asked."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.interop.conftest import Address
from tests.interop.place import ROOT, Place
from tests.interop.venvs import facts, python_with

PYDANTIC_AI = "pydantic-ai-slim[mcp]==2.68.0"
LANGCHAIN = "langchain-mcp-adapters==0.3.2"


@pytest.fixture
def way(platform: Place, address: Address, transport: str) -> dict[str, Any]:
    """How to reach the server."""
    if transport == "http":
        return {"url": address.url, "headers": {"Authorization": f"Bearer {address.token}"}}
    program, *arguments = platform.command("serve")
    return {"command": program, "args": arguments, "env": platform.own}


def test_pydantic_ai_offers_our_tools_to_its_agent_and_calls_them(way: dict[str, Any], tmp_path: Path) -> None:
    seen = facts(python_with(PYDANTIC_AI), "pydantic_ai_agent.py", tmp_path, **way)
    assert {"rehearsal", "get_job", "run_service"} <= set(seen["tools"])
    assert set(seen["offered"]) == set(seen["tools"])
    assert seen["offered"]["rehearsal"]["properties"]["steps"]["type"] == "integer"
    assert "'echo': {'a': 1}" in str(seen["called"])
    assert "the input was refused, as asked" in seen["error"]
    assert "by an agent" in str(seen["returned"])
    assert seen["output"] == "done"


def test_langchain_turns_our_tools_into_its_own_and_invokes_them(way: dict[str, Any], tmp_path: Path) -> None:
    seen = facts(python_with(LANGCHAIN), "langchain_agent.py", tmp_path, **way)
    assert {"rehearsal", "get_job", "run_service"} <= set(seen["tools"])
    called, failed = seen["called"], seen["failed"]
    assert called["status"] == "success"
    assert called["artifact"]["structured_content"]["echo"] == {"a": 1}
    assert called["artifact"]["structured_content"]["steps"] == 2
    assert failed["status"] == "error"
    assert "the input was refused, as asked" in str(failed["content"])


@pytest.mark.parametrize(
    ("example", "needs"), [("pydantic_ai_tools.py", PYDANTIC_AI), ("langchain_tools.py", LANGCHAIN)]
)
def test_the_example_on_the_page_lists_and_calls_our_tools(
    platform: Place, tmp_path: Path, example: str, needs: str
) -> None:
    command = tmp_path / "ivcap-mcp"  # as an installation would put it on the path
    words = shlex.join(platform.command("serve"))
    given = " ".join(f"{name}={shlex.quote(value)}" for name, value in platform.own.items())
    command.write_text(f"#!/bin/sh\nexec env {given} {words}\n")
    command.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{platform.env['PATH']}", "HOME": str(tmp_path)}
    page = ROOT / "docs" / "examples" / example
    done = subprocess.run(
        [python_with(needs), page], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "add_aspect" in done.stdout
    assert "artifacts" in done.stdout
