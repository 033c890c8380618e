"""The built-in tools and prompts on `docs/reference/tools.md`, made from their definitions.

`python -m tests.docs.tool_tables` rewrites them.
"""

from __future__ import annotations

import json
from typing import Any

import mcp_types as t

from ivcap_mcp.prompts import PROMPTS
from ivcap_mcp.tools import BUILTINS
from tests.docs.pages import DOCS

PAGE = DOCS / "reference" / "tools.md"


def table(tool: t.Tool) -> str:
    """A tool's hints and arguments as Markdown."""
    hints = tool.annotations
    assert hints is not None
    does = "Reads only" if hints.read_only_hint else "Changes something"
    repeat = "safe to repeat" if hints.idempotent_hint else "not safe to repeat"
    lines = [f"{does}; {repeat}.", "", "| Argument | Type | Default | Meaning |", "|---|---|---|---|"]
    properties: dict[str, dict[str, Any]] = tool.input_schema["properties"]
    for name, schema in properties.items():
        default = "required" if name in tool.input_schema["required"] else ""
        if "default" in schema:
            default = f"`{json.dumps(schema['default'])}`"
        lines.append(f"| `{name}` | {_kind(schema)} | {default} | {schema.get('description', '')} |")
    return "\n".join(lines)


def _kind(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}s"
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f"{kind}, {low} to {high}"
    return f"{kind}, from {low}" if low is not None else kind


def section(tool: t.Tool) -> str:
    """A tool as it stands on the page."""
    return f"### {tool.name}\n\n{tool.description}\n\n{table(tool)}\n"


def prompts() -> str:
    """The prompts as a table."""
    lines = ["| Prompt | Arguments | Title |", "|---|---|---|"]
    for prompt in (one.definition for one in PROMPTS):
        given = [f"`{one.name}`{'' if one.required else ' (optional)'}" for one in prompt.arguments or ()]
        lines.append(f"| `{prompt.name}` | {', '.join(given)} | {prompt.title} |")
    return "\n".join(lines) + "\n"


def rewritten(page: str) -> str:
    """The page with the parts between the marks as they must be."""
    parts = {"tools": "\n".join(section(builtin.definition) for builtin in BUILTINS), "prompts": prompts()}
    for name, text in parts.items():
        before, mark, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- end {name} -->")
        page = f"{before}{mark}\n{text}\n{end}{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
