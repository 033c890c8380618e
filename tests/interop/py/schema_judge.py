"""A vendor's own package reads the schemas in `JUDGE`; prints what it says of each, or nothing where it is content."""

from __future__ import annotations

import json
import os
from typing import Any


def gemini(schema: dict[str, Any]) -> str:
    """google-genai: its model of a schema knows no other keywords; its converter refuses what Gemini has not."""
    from google.genai import types

    parameters = types.Schema.model_validate(schema)
    types.FunctionDeclaration(name="tool", description="A tool.", parameters=parameters)
    converted = types.Schema.from_json_schema(
        json_schema=types.JSONSchema.model_validate(schema), raise_error_on_unsupported_field=True
    )
    lost = set(parameters.properties or {}) ^ set(converted.properties or {})
    return f"lost: {sorted(lost)}" if lost else ""


def openai_strict(schema: dict[str, Any]) -> str:
    """openai and openai-agents: what they would do to make it strict must have been done."""
    import copy

    from agents.strict_schema import ensure_strict_json_schema
    from openai.lib._pydantic import _ensure_strict_json_schema

    first = _ensure_strict_json_schema(copy.deepcopy(schema), path=(), root=schema)
    second = ensure_strict_json_schema(copy.deepcopy(schema))
    return "" if first == schema == second else f"would be changed to {json.dumps(second)}"


def openai(schema: dict[str, Any]) -> str:
    """openai: the type of a function's definition."""
    from openai.types.chat import ChatCompletionFunctionToolParam
    from pydantic import TypeAdapter

    tool = {"type": "function", "function": {"name": "tool", "parameters": schema, "strict": False}}
    TypeAdapter(ChatCompletionFunctionToolParam).validate_python(tool)
    return _rooted(schema)


def claude(schema: dict[str, Any]) -> str:
    """anthropic: the type of a tool's definition, and the rules for its input schema that the service states."""
    import re

    from anthropic.types import ToolParam
    from pydantic import TypeAdapter

    TypeAdapter(ToolParam).validate_python({"name": "tool", "input_schema": schema})
    odd = [key for key in schema["properties"] if not re.fullmatch(r"[a-zA-Z0-9_.-]{1,64}", key)]
    return f"keys it refuses: {odd}" if odd else _rooted(schema)


def _rooted(schema: dict[str, Any]) -> str:
    odd = {"anyOf", "oneOf", "allOf", "$ref"} & schema.keys()
    return f"{odd} at the root" if odd or schema["type"] != "object" else ""


def main() -> None:
    asked = json.loads(os.environ["JUDGE"])
    judge = {"gemini": gemini, "openai-strict": openai_strict, "openai": openai, "claude": claude}[asked["target"]]
    said = {}
    for name, schema in asked["schemas"].items():
        try:
            said[name] = judge(schema)
        except Exception as error:
            said[name] = f"{type(error).__name__}: {error}"[:500]
    print(json.dumps({name: told for name, told in said.items() if told}))


if __name__ == "__main__":
    main()
