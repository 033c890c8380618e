"""The gate each tool passes alone."""

from __future__ import annotations

from typing import Any

import pytest
from mcp_types import Tool

from ivcap_mcp.gate import admissible


def tool(schema: dict[str, Any], **more: Any) -> Tool:
    return Tool(name=more.pop("name", "a"), input_schema=schema, **more)


def test_an_ordinary_tool_passes() -> None:
    assert admissible(tool({"type": "object", "properties": {"a": {"type": "integer"}}})) is None


@pytest.mark.parametrize("schema", [{}, {"type": ["object", "null"]}, {"type": "array"}])
def test_a_root_that_is_no_object_is_stopped(schema: dict[str, Any]) -> None:
    assert "inputSchema" in (admissible(tool(schema)) or "")


def test_an_output_schema_that_older_clients_refuse_is_stopped() -> None:
    reason = admissible(tool({"type": "object"}, output_schema={"type": "array"}))
    assert reason is not None
    assert reason.startswith("2025-11-25")


def test_text_no_wire_can_carry_is_stopped() -> None:
    assert "JSON" in (admissible(tool({"type": "object", "title": "\ud800"})) or "")


@pytest.mark.parametrize("name", ["", "a b", "x" * 129, "é"])
def test_an_illegal_name_is_stopped(name: str) -> None:
    assert "name" in (admissible(tool({"type": "object"}, name=name)) or "")


def test_a_reason_is_short() -> None:
    assert len(admissible(tool({"type": ["x" * 10_000]})) or "") <= 500
