"""The digest of the platform's published API description: names, types and statuses, without its prose.

`python -m tests.described.digest FILE` writes `published.json` from a description (OpenAPI 3, version 0.48).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

DIGEST = Path(__file__).parent / "published.json"

_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
_KEPT = ("type", "format", "enum", "required", "minimum", "maximum", "nullable", "$ref", "additionalProperties")


def published() -> dict[str, Any]:
    """The digest, which is an OpenAPI description itself."""
    found: dict[str, Any] = json.loads(DIGEST.read_text())
    return found


def digest(told: dict[str, Any]) -> dict[str, Any]:
    """Keep of a description what a program can check."""
    paths = {
        path: {method: _operation(one) for method, one in sorted(item.items()) if method in _METHODS}
        for path, item in sorted(told["paths"].items())
    }
    schemas = {name: _schema(one) for name, one in sorted(told["components"]["schemas"].items())}
    info = {"title": told["info"]["title"], "version": told["info"]["version"]}
    return {"openapi": "3.0.3", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _operation(told: dict[str, Any]) -> dict[str, Any]:
    parameters = [
        {
            "name": one["name"],
            "in": one["in"],
            "required": bool(one.get("required")),
            "schema": _schema(one.get("schema")),
        }
        for one in told.get("parameters", ())
    ]
    found: dict[str, Any] = {"parameters": parameters} if parameters else {}
    if "requestBody" in told:
        found["requestBody"] = {"required": True, "content": _content(told["requestBody"])}
    found["responses"] = {
        status: {"description": "", **({"content": _content(one)} if one.get("content") else {})}
        for status, one in sorted(told["responses"].items())
    }
    return found


def _content(told: dict[str, Any]) -> dict[str, Any]:
    return {kind: {"schema": _schema(one.get("schema"))} for kind, one in told.get("content", {}).items()}


def _schema(told: Any) -> dict[str, Any]:
    if not isinstance(told, dict):
        return {}
    found = {key: told[key] for key in _KEPT if key in told}
    if "properties" in told:
        found["properties"] = {name: _schema(one) for name, one in told["properties"].items()}
    if "items" in told:
        found["items"] = _schema(told["items"])
    for key in ("anyOf", "oneOf", "allOf"):
        if key in told:
            found[key] = [_schema(one) for one in told[key]]
    return found


def written(value: dict[str, Any]) -> str:
    """The digest as text, a path or schema in a line."""
    parts = {**value, "paths": None, "components": None}
    head = json.dumps({key: one for key, one in parts.items() if one is not None})[:-1]

    def lines(table: dict[str, Any]) -> str:
        return ",\n".join(
            f"{json.dumps(name)}: {json.dumps(one, separators=(',', ':'))}" for name, one in table.items()
        )

    schemas = value["components"]["schemas"]
    return (
        f'{head}, "paths": {{\n{lines(value["paths"])}\n}}, "components": {{"schemas": {{\n{lines(schemas)}\n}}}}}}\n'
    )


if __name__ == "__main__":
    DIGEST.write_text(written(digest(json.loads(Path(sys.argv[1]).read_text()))))
