"""Schemas that were made, or have gone wrong, so as to break whoever reads them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ivcap_mcp.arguments import check, example, understand
from ivcap_mcp.schema import SchemaRefused, publish
from ivcap_mcp.schemas.shapes import anything


def prop(schema: Any, **more: Any) -> dict[str, Any]:
    """Return a schema of an object with one property `a`."""
    return {"type": "object", "properties": {"a": schema}, **more}


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = prop(schema)
    return schema


def test_a_schema_of_200_levels_is_shown_to_a_depth() -> None:
    published = publish(nested(200))
    Draft202012Validator.check_schema(published.schema)
    assert any("deeper" in note for note in published.notes)
    assert check({"a": {"a": 1}}, nested(200))


def test_a_schema_nested_without_end_is_refused() -> None:
    with pytest.raises(SchemaRefused, match="nested"):
        publish(nested(2_000))


def test_a_schema_that_contains_itself_as_an_object_is_refused() -> None:
    schema: dict[str, Any] = {"type": "object"}
    schema["properties"] = {"a": schema}
    with pytest.raises(SchemaRefused):
        publish(schema)


def test_a_schema_over_256_kilobytes_is_refused_with_its_size() -> None:
    with pytest.raises(SchemaRefused, match=r"\d+ bytes") as caught:
        publish({"type": "object", "description": "x" * 1_000_000})
    assert "262144" in caught.value.reason


@pytest.mark.parametrize("schema", [{"type": "object", "x": {1, 2}}, {"type": "object", "default": object()}])
def test_what_is_not_json_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(SchemaRefused, match="JSON"):
        publish(schema)


def test_a_long_description_is_cut_and_stripped() -> None:
    schema = prop({"type": "string", "description": "w \u202e\u200b" * 20_000})
    text = publish(schema).schema["properties"]["a"]["description"]
    assert len(text) <= 500
    assert "\u202e" not in text
    assert text.endswith("…")


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}},
        {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {"not": {"$ref": "#"}, "$ref": "#/not"},
    ],
)
def test_references_that_never_end_are_left_out_with_a_note(schema: dict[str, Any]) -> None:
    published = publish(schema)
    assert published.schema == {"type": "object", "properties": {}}
    assert any("never end" in note for note in published.notes)
    check({"a": 1}, schema)


@pytest.mark.parametrize(
    "reference",
    [
        *("https://example.org/s.json", "#/$defs/none", "#nowhere", "other.json#/a", "file:///etc/passwd", "http://["),
        *("#/properties/b/enum/0", "#/%zz", "urn:x:y", 7),
    ],
)
def test_a_reference_that_leads_nowhere_is_open_and_noted_and_never_fetched(reference: Any) -> None:
    schema = prop({"$ref": reference}, required=["a"])
    schema["properties"]["b"] = {"enum": ["x"]}
    published = publish(schema)
    assert published.schema["properties"]["a"] == anything()
    assert any("reference" in note for note in published.notes)
    assert check({"a": [1]}, schema) == []
    assert sorted(each.field for each in check({"b": 1}, schema)) == ["a", "b"]


def test_recursion_is_shown_once_and_checked_all_the_way() -> None:
    schema = {
        "$ref": "#/$defs/Node",
        "$defs": {"Node": prop({"type": "array", "items": {"$ref": "#/$defs/Node"}}, required=["a"])},
    }
    published = publish(schema)
    assert published.schema["properties"]["a"]["items"] == {"type": "object", "properties": {}}
    assert [each.field for each in check({"a": [{"a": [{}]}]}, schema)] == ["a[0].a[0].a"]


def test_recursion_through_several_types_stays_open_to_all_of_them() -> None:
    schema = prop({"$ref": "#/$defs/J"})
    schema["$defs"] = {"J": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"$ref": "#/$defs/J"}}]}}
    items = publish(schema).schema["properties"]["a"]["anyOf"][1]["items"]
    assert Draft202012Validator(items).is_valid("x")
    assert Draft202012Validator(items).is_valid([["x"]])


def test_references_that_multiply_are_shown_less_deep_or_not_at_all() -> None:
    defs = {
        f"d{i}": {"type": "object", "properties": {k: {"$ref": f"#/$defs/d{i + 1}"} for k in "abcdef"}}
        for i in range(30)
    }
    schema = {"$ref": "#/$defs/d0", "$defs": {**defs, "d30": {"type": "string"}}}
    published = publish(schema)
    assert len(json.dumps(published.schema)) < 256 * 1024
    assert any("large" in note for note in published.notes)


def test_alternatives_that_multiply_end_the_check_and_not_the_server() -> None:
    defs = {f"d{i}": {"anyOf": [{"$ref": f"#/$defs/d{i + 1}"}] * 2} for i in range(40)}
    schema = prop({"$ref": "#/$defs/d0"}, required=["b"])
    schema["$defs"] = {**defs, "d40": {"type": "integer"}}
    assert isinstance(check({"a": "x"}, schema), list)
    publish(schema)
    example(schema)


def test_a_chain_of_thousands_of_references_is_followed_or_left_open() -> None:
    defs = {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(4_000)}
    schema = prop({"$ref": "#/$defs/d0"})
    schema["$defs"] = {**defs, "d4000": {"type": "integer"}}
    assert publish(schema).schema["properties"]["a"] == {"type": "integer"}
    assert check({"a": 1}, schema) == []


def test_many_alternatives_and_a_large_value_do_not_fill_the_memory() -> None:
    schema = prop({"anyOf": [{"type": "integer", "minimum": i} for i in range(4_000)]})
    assert len(check({"a": ["x" * 900_000]}, schema)) <= 1


@pytest.mark.parametrize("pattern", ["^(a+)+$", "(a|aa)+$", "(.*)*x", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_a_pattern_that_would_never_end_is_matched_in_linear_time(pattern: str) -> None:
    schema = prop({"type": "string", "pattern": pattern}, patternProperties={pattern: {}}, additionalProperties=False)
    assert check({"a": "a" * 50_000 + "!"}, schema)


@pytest.mark.parametrize("pattern", ["(?=a)b", "(a)\\1", "[", "(?<!x)y", "x" * 5_000, "\\p{L}{1000}{1000}", "\ud800"])
def test_a_pattern_the_engine_refuses_is_not_checked_and_not_published(pattern: str) -> None:
    schema = prop({"type": "string", "pattern": pattern})
    assert check({"a": "anything"}, schema) == []
    assert "pattern" not in publish(schema).schema["properties"]["a"]


@pytest.mark.parametrize(
    "broken",
    [
        {"type": "text"},
        {"type": ["string", 3]},
        {"required": "a"},
        {"properties": []},
        {"properties": {"b": 3}},
        {"items": 3, "type": "array"},
        {"minimum": "3"},
        {"enum": "abc"},
        {"enum": []},
        {"anyOf": {}},
        {"anyOf": []},
        {"anyOf": [3, "x"]},
        {"multipleOf": 0},
        {"minLength": -1},
        {"pattern": 3},
        {"patternProperties": {"[": {}}},
        {"maximum": float("inf")},
        {"const": float("nan")},
        {"dependencies": {"a": ["b"], "c": {"required": ["d"]}}},
        {"$id": 3, "$anchor": [], "$schema": {}},
        {"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 1, "exclusiveMinimum": True},
        {"default": [[[]]], "title": 3, "description": None},
        {"maximum": 10**400},
    ],
)
def test_malformed_keywords_are_left_out(broken: dict[str, Any]) -> None:
    for schema in (broken, prop(broken)):
        published = publish(schema)
        Draft202012Validator.check_schema(published.schema)
        json.dumps(published.schema, allow_nan=False)
        for value in ({}, {"a": 1}, {"a": "x"}, {"a": [1]}, {"a": {"b": 1.5}}):
            check(understand(value, published, schema), schema)
        example(schema)


def test_values_with_invisible_characters_are_not_altered_but_not_listed() -> None:
    schema = prop({"enum": ["a\u200b", "b"]})
    assert publish(schema).schema["properties"]["a"] == {"type": "string"}
    assert check({"a": "a\u200b"}, schema) == []
    assert check({"a": "a"}, schema)


def test_keys_with_invisible_characters_are_renamed() -> None:
    schema = {"type": "object", "properties": {"a\u202e": {"type": "integer"}, "\ud800": {}}}
    published = publish(schema)
    json.dumps(published.schema, ensure_ascii=False).encode()
    assert all(name.isascii() for name in published.schema["properties"])


def test_no_service_can_give_a_substitute_name_to_another_property() -> None:
    schema = {"type": "object", "properties": {"a b": {"type": "integer"}, "a_b": {"type": "string"}, "a/b": {}}}
    published = publish(schema)
    assert len(published.schema["properties"]) == 3
    assert published.schema["properties"]["a_b"] == {"type": "string"}
