"""The packages of the vendors read our schemas, each in an environment of its own; no model is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivcap_mcp.profiles import render
from ivcap_mcp.schema import publish
from ivcap_mcp.tools import BUILTINS
from tests.interop.venvs import facts, python_with
from tests.mcp.schema_constructs import CONSTRUCTS

GOOGLE = ("google-genai==3.4.0",)
OPENAI = ("openai==3.54.0", "openai-agents==0.24.0")
ANTHROPIC = ("anthropic==2.12.0",)
JUDGES = {"gemini": GOOGLE, "openai": OPENAI, "openai-strict": OPENAI, "claude": ANTHROPIC}


@pytest.mark.parametrize("target", JUDGES)
def test_a_vendors_package_takes_every_construct_and_every_built_in_tool(target: str, tmp_path: Path) -> None:
    shown = {name: render(publish(original).schema, target) for name, original in CONSTRUCTS.items()}
    shown |= {tool.definition.name: render(tool.definition.input_schema, target) for tool in BUILTINS}
    assert facts(python_with(*JUDGES[target]), "schema_judge.py", tmp_path, target=target, schemas=shown) == {}


@pytest.mark.parametrize(
    ("target", "refused"), [("gemini", {"array", "scalars"}), ("openai-strict", {"map", "scalars", "array"})]
)
def test_the_judges_refuse_what_was_not_rendered_for_them(target: str, refused: set[str], tmp_path: Path) -> None:
    shown = {name: CONSTRUCTS[name] for name in refused}
    said = facts(python_with(*JUDGES[target]), "schema_judge.py", tmp_path, target=target, schemas=shown)
    assert said.keys() == refused
