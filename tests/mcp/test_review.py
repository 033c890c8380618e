"""What a reviewer says of a service, and the command that asks for it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from ivcap_client.platform import InspectedService
from ivcap_mcp.review import review
from tests.mcp.commands import ivcap_mcp

PLAIN = Path(__file__).parents[1] / "local" / "tools" / "plain_tool.py"
TOOL: dict[str, Any] = {
    "name": "growth",
    "description": "Fit a trend to a series of measurements; gives its slope in units a year.",
    "fn_schema": {
        "type": "object",
        "properties": {"series": {"type": "string", "description": "URN of a CSV artifact."}},
    },
}
GOOD = InspectedService(
    "growth", "urn:ivcap:service:1", "rest", TOOL, {"result-schema": {"type": "object"}}, "", "", 1.0, True
)


def said(seen: InspectedService, **names: str) -> set[tuple[str, str]]:
    return {(one.level, one.about) for one in review(seen, names, {"get_job"})}


def with_tool(**changes: Any) -> InspectedService:
    return dataclasses.replace(GOOD, tool={**TOOL, **changes})


def test_a_good_service_is_left_in_peace() -> None:
    assert said(GOOD) == set()


@pytest.mark.parametrize(
    ("seen", "level", "about"),
    [
        (with_tool(description=""), "error", "description"),
        (with_tool(description="Fits."), "warning", "description"),
        (with_tool(description="long " * 500), "warning", "description"),
        (with_tool(description=TOOL["description"] + "\u202e"), "warning", "description"),
        (with_tool(name="get_job"), "warning", "name"),
        (with_tool(name="x" * 50), "warning", "name"),
        (with_tool(fn_schema={"type": "object", "properties": {"a": {"type": "string"}}}), "warning", "parameters"),
        (with_tool(fn_schema={"type": "object", "properties": {}}), "note", "parameters"),
        (
            with_tool(fn_schema={"type": "object", "properties": {"a": {"description": "x" * 300_000}}}),
            "error",
            "schema",
        ),
        (dataclasses.replace(GOOD, service={}), "warning", "result"),
        (dataclasses.replace(GOOD, steps=False), "warning", "steps"),
        (dataclasses.replace(GOOD, seconds=30.0), "warning", "start"),
        (dataclasses.replace(GOOD, stage="health", failure="was not ready"), "error", "health"),
        (dataclasses.replace(GOOD, stage="start", failure="ended with 3"), "error", "start"),
        (dataclasses.replace(GOOD, stage="environment", failure="no such package"), "error", "environment"),
        (dataclasses.replace(GOOD, stage="description", failure="no fn_schema"), "error", "description"),
        (
            dataclasses.replace(GOOD, parts=({"name": "other", "tool": {**TOOL, "description": ""}, "service": {}},)),
            "error",
            "other: description",
        ),
    ],
)
def test_each_weakness_is_found(seen: InspectedService, level: str, about: str) -> None:
    assert (level, about) in said(seen)


def test_a_name_that_another_service_has_is_told() -> None:
    assert ("warning", "name") in said(GOOD, growth="growth of others")


def test_what_some_vendors_do_not_take_is_told_with_their_name() -> None:
    pattern = {"type": "string", "description": "An id.", "pattern": "^a", "minLength": 2}
    (found, *_) = [
        one
        for one in review(with_tool(fn_schema={"type": "object", "properties": {"id": pattern}}), {}, set())
        if "gemini" in one.message or "openai" in one.message
    ]
    assert found.level == "note"


def test_the_worst_comes_first() -> None:
    seen = with_tool(description="", fn_schema={"type": "object", "properties": {"a": {}}})
    levels = [one.level for one in review(seen, {}, set())]
    assert levels == sorted(levels, key=["error", "warning", "note"].index)


def test_check_starts_the_tool_and_says_what_is_weak(tmp_path: Path) -> None:
    told = ivcap_mcp("services", "check", "--local-dir", str(tmp_path / "s"), f"plain={{python}} {PLAIN}", "--json")
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    assert found["ok"] is True
    assert {one["about"] for one in found["findings"]} == {"description", "parameters", "result", "steps"} - (
        {"steps"} if not any(one["about"] == "steps" for one in found["findings"]) else set()
    )
    assert not (tmp_path / "s").exists()


def test_check_ends_with_1_where_the_tool_does_not_start(tmp_path: Path) -> None:
    told = ivcap_mcp("services", "check", "--local-dir", str(tmp_path), "broken=sh -c 'echo no model file; exit 3'")
    assert told.returncode == 1
    assert "error" in told.stdout
    assert "ended with 3" in told.stdout
    assert "no model file" in told.stdout
    assert "not fit to be deployed" in told.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--local-dir", "/etc/passwd", str(PLAIN)), "/etc/passwd is not a directory"),
        (("--local-dir", "/etc/passwd/below", str(PLAIN)), "/etc/passwd is not a directory"),
        (("/etc/passwd",), "a service is a Python file, a directory, or a .toml file"),
        (("x=/etc/passwd",), "is not a program"),
        (("x=no-such-program --port 1",), "there is no such program"),
        (("/no/such/file.py",), "no such file or directory"),
    ],
)
def test_nonsense_is_refused_before_anything_is_written(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    told = ivcap_mcp("services", "add", *arguments, IVCAP_STATE_DIR=str(tmp_path / "state"))
    assert told.returncode == 2
    assert message in told.stderr
    assert not list(tmp_path.rglob("*.json"))
