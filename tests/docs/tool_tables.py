"""The built-in tools on `docs/reference/tools.md`, made from their definitions.

`python -m tests.docs.tool_tables` rewrites them.
"""

from __future__ import annotations

import json
from typing import Any

import mcp_types as t

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


def rewritten(page: str) -> str:
    """The page with the part between the marks as it must be."""
    before, mark, rest = page.partition("<!-- tools -->\n")
    _, end, after = rest.partition("<!-- end tools -->")
    text = "\n".join(section(builtin.definition) for builtin in BUILTINS)
    return f"{before}{mark}\n{text}\n{end}{after}"


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
