"""What holds for every schema and every input it accepts."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from jsonschema import Draft202012Validator
from mcp_types import Tool

from ivcap_mcp.arguments import check, understand
from ivcap_mcp.gate import admissible
from ivcap_mcp.schema import present, publish, restore

from .schema_pairs import Pair, roots

quick = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def problems(schema: Any) -> list[str]:
    """Return what clients would refuse about a published schema, whatever its root."""
    found = []
    if "$ref" in schema or "allOf" in schema or "oneOf" in schema or "const" in schema:
        found.append(f"keyword: {sorted(schema)}")
    if isinstance(schema.get("type"), list):
        found.append("a list of types")
    if schema.get("type") == "array" and "items" not in schema:
        found.append("array without items")
    if schema.get("type") == "object" and "properties" not in schema:
        found.append("object without properties")
    if len(schema.get("description", "")) > 500:
        found.append("long description")
    if None in schema.get("enum", ()) or schema.get("default", 0) is None:
        found.append("null offered")
    properties = schema.get("properties", {})
    found += [f"required but unknown: {name}" for name in schema.get("required", ()) if name not in properties]
    found += [f"key {name!r}" for name in properties if not name.replace("-", "_").replace(".", "_").isidentifier()]
    inner = [*properties.values(), *schema.get("anyOf", ())]
    inner += [schema[key] for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]
    for each in inner:
        found += problems(each) if isinstance(each, dict) else [f"boolean schema in {schema}"]
    return found


@quick
@given(roots)
def test_what_is_published_is_readable_by_every_client(pair: Pair) -> None:
    schema = publish(pair.document()).schema
    Draft202012Validator.check_schema(schema)
    assert schema["type"] == "object"
    assert "anyOf" not in schema
    assert problems(schema) == []
    assert admissible(Tool(name="a", input_schema=schema)) is None


@quick
@given(roots)
def test_publishing_changes_nothing_it_was_given_and_nothing_twice(pair: Pair) -> None:
    original = pair.document()
    before = copy.deepcopy(original)
    published = publish(original)
    assert original == before
    assert publish(published.schema).schema == published.schema
    assert publish(copy.deepcopy(original)) == published
    assert json.loads(json.dumps(published.schema)) == published.schema


@quick
@given(roots)
def test_every_input_the_service_accepts_can_be_given_through_the_tool(pair: Pair) -> None:
    original = pair.document()
    assume(pair.is_fair())
    published = publish(original)
    assume(published.wrapped or isinstance(pair.value, dict))  # arguments are objects where the type is left open
    arguments = present(pair.value, published, original)
    before = copy.deepcopy(arguments)
    wrong = [error.message for error in Draft202012Validator(published.schema).iter_errors(arguments)]
    assert wrong == []
    value = understand(arguments, published, original)
    assert arguments == before
    assert value == pair.value
    assert check(value, original, published=published) == []


@quick
@given(roots)
def test_names_that_were_right_already_stay(pair: Pair) -> None:
    original = pair.document()
    published = publish(original)
    if isinstance(pair.value, dict) and not published.wrapped and not set(published.renames) & set(str(pair.value)):
        once = restore(pair.value, published, original)
        assert restore(once, published, original) == once
