"""Published schemas as the hosts of different models take them.

What `ivcap_mcp.schema` publishes already suits every client we know; Claude and OpenAI's functions take it as it is.
OpenAI's strict mode and Gemini take less: what they have no keyword for is said in words, and an object whose
properties are not known travels as JSON text. All of it is pure; whatever was shown, calls are checked against the
original schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import mcp_types as t

from ivcap_client.schemas.keywords import Node

from .schemas.shapes import described, is_anything, shown

PROFILES: Final = ("claude", "openai", "openai-strict", "gemini", "plain")

_HOSTS: Final = (
    ("claude", re.compile(r"claude|anthropic", re.IGNORECASE)),
    ("openai", re.compile(r"openai|chatgpt|codex", re.IGNORECASE)),
    ("gemini", re.compile(r"gemini|vertex|antigravity|google", re.IGNORECASE)),
)
_AS_TEXT: Final = "JSON text of an object."
_LIST_AS_TEXT: Final = "JSON text of an array."
_ANY_AS_TEXT: Final = "An object or an array is given as JSON text."
_DEEPEST: Final = 9
"""OpenAI: objects and arrays within the root, which is a level itself; ten are allowed."""
_MOST_VALUES: Final = 250
_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "minLength": "At least {} characters.",
        "maxLength": "At most {} characters.",
        "minProperties": "At least {} properties.",
        "maxProperties": "At most {} properties.",
        "multipleOf": "A multiple of {}.",
        "exclusiveMinimum": "More than {}.",
        "exclusiveMaximum": "Less than {}.",
        "uniqueItems": "Each item once.",
        "format": "Format: {}.",
        "pattern": "Pattern: {}",
        "default": "Default: {}.",
        "enum": "One of: {}.",
    }
)


def chosen(setting: str | None, client: str | None) -> str:
    """The profile for a client.

    Args:
        setting: What `--schema-profile` says; it holds for every client.
        client: The name the client gave itself. Strict mode is never guessed: it changes what may be left out.
    """
    if setting is not None:
        return setting
    return next((profile for profile, name in _HOSTS if client and name.search(client)), "plain")


def of(setting: str | None, session: Any) -> str:
    """The profile of whoever is at the other end of a session."""
    params = getattr(session, "client_params", None)
    return chosen(setting, params.client_info.name if params is not None else None)


class Profiled:
    """Tool definitions with their schemas as a profile has them, each made once."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], tuple[t.Tool, t.Tool]] = {}

    def tool(self, tool: t.Tool, profile: str) -> t.Tool:
        """The definition for a profile."""
        kept = self._made.get((profile, tool.name))
        if kept is None or kept[0] is not tool:
            kept = tool, tool.model_copy(update={"input_schema": render(tool.input_schema, profile)})
            self._made[profile, tool.name] = kept
        return kept[1]


def render(schema: Mapping[str, Any], profile: str) -> dict[str, Any]:
    """A published schema for one target; the root stays an object. The schema is not changed.

    Raises:
        ValueError: There is no such profile.
    """
    if profile not in PROFILES:
        raise ValueError(f"schema profile {profile!r}: one of {', '.join(PROFILES)} is wanted")
    if profile == "openai-strict":
        return _strict_object(schema, 0)
    if profile == "gemini":
        return _gemini_object(schema)
    return dict(schema)


def taken(given: Mapping[str, Any], schema: Mapping[str, Any], profile: str) -> dict[str, Any]:
    """Arguments that were written for a rendered schema, as the published one has them.

    In strict mode null stands for what was left out. Where anything may be given, text that is a JSON object or array
    is one, for neither target has another way to give it. Other profiles change nothing.
    """
    if profile not in ("openai-strict", "gemini"):
        return dict(given)
    found = _taken(dict(given), schema, nulls=profile == "openai-strict")
    return found if isinstance(found, dict) else dict(given)


def _taken(value: Any, schema: Any, *, nulls: bool) -> Any:
    if not isinstance(schema, Mapping):
        return value
    if isinstance(value, str) and (is_anything(dict(schema)) or not schema) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    branches = [each for each in schema.get("anyOf", ()) if each.get("type") == _kind(value)] or [schema]
    if isinstance(value, list):
        return [_taken(each, branches[0].get("items"), nulls=nulls) for each in value]
    if not isinstance(value, dict):
        return value
    declared: dict[str, Any] = {name: each for one in branches for name, each in one.get("properties", {}).items()}
    wanted = set(branches[0].get("required", ())).intersection(*(one.get("required", ()) for one in branches))
    return {
        name: _taken(each, declared.get(name), nulls=nulls)
        for name, each in value.items()
        if not (nulls and each is None and name in declared and name not in wanted)
    }


def _kind(value: Any) -> str:
    return "object" if isinstance(value, dict) else "array" if isinstance(value, list) else ""


def _strict(schema: Node, depth: int) -> Node:
    if not schema or is_anything(schema):
        plain: Node = {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]}
        return _said(_with(plain, schema, ("default",)), schema, _ANY_AS_TEXT)
    if "anyOf" in schema:
        branches = _distinct([_strict(each, depth) for each in schema["anyOf"]])
        return _said(_with({"anyOf": branches}, schema, ("default",)), schema)
    kind = schema.get("type")
    if kind == "object":
        if not schema.get("properties") or depth >= _DEEPEST:
            return _said({"type": "string"}, schema, _AS_TEXT)
        return _strict_object(schema, depth)
    if kind == "array":
        if depth >= _DEEPEST:
            return _said({"type": "string"}, schema, _LIST_AS_TEXT)
        made = {"type": "array", "items": _strict(schema.get("items", {}), depth + 1)}
        return _said(_with(made, schema, ("uniqueItems", "default"), ("minItems", "maxItems")), schema)
    keep = ("pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
    values: tuple[str, ...] = () if len(schema.get("enum", ())) > _MOST_VALUES else ("enum",)
    words = ("minLength", "maxLength", "default", *(() if values else ("enum",)))
    return _said(_with({"type": kind}, schema, words, (*values, *keep)), schema)


def _strict_object(schema: Mapping[str, Any], depth: int) -> Node:
    required = schema.get("required", ())
    properties = {}
    for name, each in schema.get("properties", {}).items():
        made = _strict(each, depth + 1)
        properties[name] = made if name in required else _or_null(made)
    made = {
        "type": "object", "properties": properties, "required": list(properties), "additionalProperties": False
    }  # fmt: skip
    return _said(_with(made, schema, ("minProperties", "maxProperties")), schema)


def _or_null(schema: Node) -> Node:
    """What may be left out may be null: strict mode asks for every property."""
    branches = schema.get("anyOf") or [{key: value for key, value in schema.items() if key != "description"}]
    made: Node = {"anyOf": [*branches, {"type": "null"}]}
    return described(made, schema.get("description", ""))


def _gemini(schema: Node) -> Node:
    if not schema or is_anything(schema):
        plain: Node = {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]}
        return _alone(_said(_with(plain, schema, ("default",)), schema, _ANY_AS_TEXT))
    if "anyOf" in schema:
        branches = _distinct([_gemini(each) for each in schema["anyOf"]])
        made = _said(_with({"anyOf": branches}, schema, ("default",)), schema)
        return _alone(made) if len(branches) > 1 else _said(branches[0], made)
    kind = schema.get("type")
    if kind == "object":
        if not schema.get("properties"):
            return _said({"type": "string"}, schema, _AS_TEXT)
        return _gemini_object(schema)
    if kind == "array":
        made = {"type": "array", "items": _gemini(schema.get("items", {}))}
        return _said(_with(made, schema, ("uniqueItems",), ("minItems", "maxItems", "default")), schema)
    if kind == "string":
        # Gemini takes no empty value in a list of values, and two formats.
        listed = schema.get("enum")
        values = ("enum",) if listed is None or all(listed) else ()
        forms = ("format",) if schema.get("format") == "date-time" else ()
        keep: tuple[str, ...] = (*values, *forms, "minLength", "maxLength", "pattern", "default")
        words = [key for key in ("enum", "format") if key not in keep]
        return _said(_with({"type": kind}, schema, words, keep), schema)
    made, bounds = {"type": kind}, dict(schema)
    if kind == "integer":
        for strict, plain_bound, step in (("exclusiveMinimum", "minimum", 1), ("exclusiveMaximum", "maximum", -1)):
            if isinstance(bounds.get(strict), int) and plain_bound not in bounds:
                bounds[plain_bound] = bounds.pop(strict) + step
    words = ["enum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"]
    return _said(_with(made, bounds, words, ("minimum", "maximum", "default")), schema)


def _gemini_object(schema: Mapping[str, Any]) -> Node:
    properties = {name: _gemini(each) for name, each in schema.get("properties", {}).items()}
    made: Node = {"type": "object", "properties": properties}
    return _said(_with(made, schema, (), ("required", "minProperties", "maxProperties")), schema)


def _alone(schema: Node) -> Node:
    """Beside alternatives Gemini takes nothing else: what is said of all is said of the first."""
    first, *others = schema["anyOf"]
    return {"anyOf": [_said(first, schema), *others]}


def _with(made: Node, schema: Mapping[str, Any], words: Any = (), keep: Any = ()) -> Node:
    """`made` with the keywords that stay; what others would say is added to the words under `said`."""
    said = [
        _word(key, schema[key]) for key in words if key in schema and (key == "default" or schema[key] is not False)
    ]
    return {**made, **{key: schema[key] for key in keep if key in schema}, "said": said}


def _word(key: str, value: Any) -> str:
    told = shown(value) if isinstance(value, list) and key == "enum" else value
    return _WORDS[key].format(told if isinstance(told, str) else json.dumps(told, ensure_ascii=False))


def _said(made: Node, schema: Mapping[str, Any], *more: str) -> Node:
    said = made.get("said", [])
    rest = {key: value for key, value in made.items() if key != "said"}
    own = " ".join(filter(None, (str(schema.get("description", "")), made.get("description", ""))))
    return described(rest, own, *said, *more)


def _distinct(branches: list[Node]) -> list[Node]:
    """Alternatives, each once, nested ones lifted."""
    flat = [inner for each in branches for inner in (each["anyOf"] if each.keys() == {"anyOf"} else [each])]
    return list({json.dumps(each, sort_keys=True): each for each in flat}.values())
