"""What services say of themselves: tool descriptions with any schema, and calls of the tools that come of them."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from types import SimpleNamespace
from typing import Any

from ivcap_client.schemas.reading import read
from ivcap_mcp import Settings, arguments
from ivcap_mcp.catalog import Catalog
from ivcap_mcp.changes import Changes
from ivcap_mcp.gate import admissible
from ivcap_mcp.profiles import PROFILES, Profiled
from ivcap_mcp.text import stripped
from ivcap_mcp.tools import BUILTINS
from tests.fuzz import chance as by
from tests.fuzz.fuzzing import Check, Part

KEYWORDS = (
    "type", "properties", "required", "items", "prefixItems", "additionalProperties", "patternProperties", "enum",
    "const", "anyOf", "oneOf", "allOf", "not", "if", "then", "else", "$ref", "$defs", "definitions", "$id", "$anchor",
    "$dynamicRef", "$schema", "format", "pattern", "minimum", "maximum", "exclusiveMinimum", "multipleOf", "minLength",
    "maxLength", "minItems", "uniqueItems", "default", "title", "description", "nullable", "examples", "a", "b",
)  # fmt: skip
TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
GOOD: tuple[dict[str, Any], ...] = (
    {"type": "object", "properties": {"a": {"type": "integer", "minimum": 0}}, "required": ["a"]},
    {
        "type": "object",
        "$defs": {"p": {"type": "object", "properties": {"x": {"type": "number"}, "next": {"$ref": "#/$defs/p"}}}},
        "properties": {
            "a": {"anyOf": [{"$ref": "#/$defs/p"}, {"type": "null"}], "default": None},
            "b": {"type": "array", "items": {"$ref": "#/$defs/p"}, "maxItems": 5},
        },
    },
    {
        "type": "object",
        "oneOf": [
            {"type": "object", "properties": {"kind": {"const": "a"}, "a": {"type": "string", "pattern": "^x+$"}}},
            {"type": "object", "properties": {"kind": {"const": "b"}, "b": {"enum": [1, "2", None]}}},
        ],
    },
    {
        "properties": {"a": {"type": ["string", "null"], "format": "uri"}, "b": {"not": {"type": "string"}}},
        "patternProperties": {"^x": {"type": "integer"}},
        "additionalProperties": False,
        "if": {"properties": {"a": {"const": "q"}}},
        "then": {"required": ["b"]},
    },
)
UNSEEN = re.compile("[\u202a-\u202e\u2066-\u2069\u200b\ufeff\x00-\x08\x1b]")


def schema(chance: Random, depth: int = 3) -> Any:
    """A schema by chance, which may well be none."""
    if depth <= 0 or chance.random() < 0.2:
        return chance.choice(({"type": chance.choice(TYPES)}, {}, True, False, {"$ref": "#"}, by.scalar(chance)))
    found: dict[str, Any] = {}
    for _ in range(chance.randrange(1, 5)):
        key = chance.choice(KEYWORDS)
        match chance.randrange(4):
            case 0:
                found[key] = schema(chance, depth - 1)
            case 1:
                found[key] = {chance.choice(("a", "b", by.text(chance))): schema(chance, depth - 1) for _ in range(3)}
            case 2:
                found[key] = [schema(chance, depth - 1) for _ in range(chance.randrange(4))]
            case _:
                found[key] = chance.choice(TYPES) if key == "type" else by.scalar(chance)
    return found


def make(chance: Random) -> tuple[list[tuple[str, Any]], list[Any]]:
    """Tool descriptions of a few services, and inputs that are tried on each."""
    told = []
    for number in range(chance.choice((1, 1, 2, 4))):
        urn = f"urn:ivcap:service:00000000-0000-5000-8000-{number:012}"
        given = by.mutated(chance, chance.choice(GOOD), KEYWORDS) if chance.random() < 0.6 else schema(chance, 4)
        content: dict[str, Any] = {
            "name": chance.choice(("counter", "run_service", by.text(chance))),
            "description": by.text(chance),
        }
        content |= {chance.choice(("fn_schema", "fn-schema")): given, "service-id": chance.choice((urn, "", None))}
        told.append((urn, by.mutated(chance, content) if chance.random() < 0.2 else content))
    return told, [by.value(chance, 4, ("a", "b", "kind", "x", "next")) for _ in range(3)]


@asynccontextmanager
async def opened() -> AsyncIterator[Check]:
    builtins = [tool.definition for tool in BUILTINS]
    own = {tool.name for tool in builtins}
    nobody: Any = None

    async def check(tried: tuple[list[tuple[str, Any]], list[Any]]) -> None:
        told, inputs = tried
        catalog = Catalog(nobody, Settings(), Changes(), builtins)
        aspects: dict[str, Any] = {
            urn: SimpleNamespace(id=f"{urn}/a", entity=urn, valid_from=None, record=SimpleNamespace(content=content))
            for urn, content in told
        }
        entries, problems = catalog._build(aspects)
        assert len(entries) + len(problems) >= len({urn for urn, _ in told})
        names = [entry.name for entry in entries]
        assert len(set(names)) == len(names)
        assert not own & set(names), "a service took the name of a built-in tool"
        profiled = Profiled()
        for entry in entries:
            assert re.fullmatch(r"[a-z0-9_]{1,40}", entry.name), entry.name
            assert admissible(entry.tool) is None
            said = json.dumps(entry.tool.model_dump(by_alias=True, mode="json", exclude_none=True))
            assert len(said) < 600_000
            assert not UNSEEN.search(entry.tool.description or "")
            assert stripped(entry.tool.description or "") == (entry.tool.description or "")
            for profile in PROFILES:
                json.dumps(profiled.tool(entry.tool, profile).input_schema)
            arguments.example(entry.original)
            arguments.unchecked(entry.original)
            doc = read(entry.original)
            for given in inputs:
                repaired = arguments.repair(given, doc)
                complaints = arguments.check(repaired, doc, published=entry.published)
                assert len(arguments.complaint_text(entry.name, complaints)) < 12_000
                if isinstance(given, dict):
                    arguments.understand(given, entry.published, doc)

    yield check


PART = Part("catalogues", 15_000, 600, make, opened)
