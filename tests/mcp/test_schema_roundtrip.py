"""What holds for every schema and every input it accepts: schemas as services write them, each with such an input."""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from mcp_types import Tool

from ivcap_mcp.arguments import check, example, understand
from ivcap_mcp.gate import admissible
from ivcap_mcp.schema import present, publish, restore

NAMES = ["a", "b", "kind", "input-urn", "$schema", "a b", "größe", "日本", "x" * 70, "schema", "a_b", "a/b"]


@dataclass(frozen=True)
class Pair:
    """A schema, the definitions it refers to, and a value that fits."""

    schema: Any
    value: Any
    defs: dict[str, Any] = field(default_factory=dict)

    def is_fair(self) -> bool:
        """Say whether the service's own validator accepts the value.

        Two things it cannot judge are put in its words: a reference to elsewhere, and a tuple of an older draft.
        """
        return bool(Draft202012Validator(_judged(self.document())).is_valid(self.value))

    def document(self) -> dict[str, Any]:
        """Return the schema as a document of its own."""
        schema = self.schema if isinstance(self.schema, dict) else {"allOf": [self.schema]}
        return {**schema, "$defs": self.defs} if self.defs else schema


def _judged(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_judged(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if str(schema.get("$ref")).startswith("https:"):
        return {}
    return {"prefixItems" if k == "items" and isinstance(v, list) else k: _judged(v) for k, v in schema.items()}


words = st.text("abc xyz-é", max_size=6)


def _fixed(schema: dict[str, Any], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Pair]:
    return values.map(lambda value: Pair(schema, value))


leaves = st.one_of(
    _fixed({"type": "string"}, words),
    _fixed(
        {"type": "string", "minLength": 2, "maxLength": 4, "description": "short\u202e"},
        st.text("ab", min_size=2, max_size=4),
    ),
    _fixed({"type": "string", "pattern": "^a+$", "format": "odd"}, st.text("a", min_size=1, max_size=3)),
    _fixed({"type": "string", "pattern": "(?<!b)a$"}, st.text("a", min_size=1, max_size=3)),
    _fixed({"type": "string", "format": "date"}, st.just("2025-01-31")),
    _fixed({"type": "integer"}, st.integers(-9, 9)),
    _fixed({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 9.5}, st.integers(1, 9)),
    _fixed({"type": "number", "exclusiveMinimum": 0}, st.floats(0.5, 9)),
    _fixed({"type": "number", "multipleOf": 0.5, "maximum": 4}, st.sampled_from([0.5, 1, 4.0])),
    _fixed({"type": "boolean", "default": True}, st.booleans()),
    _fixed({"enum": ["a", 1, True, 2.5, None], "title": "Any of these"}, st.sampled_from(["a", 1, True, 2.5])),
    _fixed({"const": "fixed", "type": "string"}, st.just("fixed")),
    _fixed({"const": {"a": [1]}}, st.just({"a": [1]})),
    _fixed({"type": ["string", "integer", "null"], "default": None}, st.sampled_from(["a", 3])),
    _fixed({"type": ["object", "array"]}, st.sampled_from([{}, {"a": 1}, [], [{}]])),
    _fixed({}, st.sampled_from([1, "a", [1, [2]], {"a": {"b": 1}}, False])),
    st.sampled_from([1, "a", {"x": []}]).map(lambda value: Pair(True, value)),
    _fixed({"type": "object"}, st.sampled_from([{}, {"free key": 1}])),
    _fixed({"type": "array"}, st.sampled_from([[], [1, "a"]])),
    _fixed({"properties": {"a": {"type": "integer"}}}, st.sampled_from([{"a": 1}, "a", 3, [1]])),
    _fixed({"minimum": 3, "minLength": 2}, st.sampled_from([3, "ab", [], {}])),
    _fixed({"not": {"type": "string"}}, st.sampled_from([3, []])),
    _fixed({"$ref": "https://example.org/elsewhere"}, st.sampled_from([1, "a"])),
)


@st.composite
def _objects(draw: st.DrawFn, inner: st.SearchStrategy[Pair]) -> Pair:
    pairs = {name: draw(inner) for name in draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True))}
    defs = {name: each for pair in pairs.values() for name, each in pair.defs.items()}
    given = [name for name in pairs if draw(st.booleans())]
    required = [name for name in given if draw(st.booleans())]
    schema: dict[str, Any] = {"type": "object", "properties": {name: pair.schema for name, pair in pairs.items()}}
    value = {name: pairs[name].value for name in given}
    if "$schema" in pairs and draw(st.booleans()):
        schema["properties"]["$schema"] = {"const": "urn:x", "type": "string"}
        value["$schema"] = "urn:x"
        required = [*required, *(["$schema"] if "$schema" not in required else [])]
    states_required: bool = draw(st.booleans())
    if required or states_required:
        schema["required"] = required
    form: int = draw(st.integers(0, 8))
    match form:
        case 0:
            schema["additionalProperties"] = False
        case 1:
            rest = draw(inner)
            schema["additionalProperties"] = rest.schema
            defs |= rest.defs
            value["free key"] = rest.value
        case 2:
            schema |= {"patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": False}
            value["x-1"] = 1
        case 3:
            value["free key"] = 1
        case 4:
            schema["required"] = [*required, "undeclared"]
            value["undeclared"] = 1
        case 5:
            schema |= {"minProperties": len(value), "maxProperties": len(value)}
        case 6:
            schema |= {"if": {"required": ["a"]}, "then": {"minProperties": 1}, "propertyNames": {"maxLength": 90}}
    return Pair(schema, value, defs)


@st.composite
def _arrays(draw: st.DrawFn, inner: st.SearchStrategy[Pair]) -> Pair:
    pairs = draw(st.lists(inner, min_size=1, max_size=3))
    defs = {name: each for pair in pairs for name, each in pair.defs.items()}
    match draw(st.integers(0, 4)):
        case 0:
            schema = {"type": "array", "items": pairs[0].schema, "minItems": 1}
            return Pair(schema, [pairs[0].value] * draw(st.integers(1, 2)), defs)
        case 1:
            schema = {"type": "array", "prefixItems": [pair.schema for pair in pairs], "items": False}
        case 2:
            count = len(pairs)
            schema = {
                "type": "array",
                "prefixItems": [pair.schema for pair in pairs],
                "maxItems": count,
                "minItems": count,
            }
        case 3:
            schema = {"type": "array", "items": [pair.schema for pair in pairs]}  # as older drafts wrote tuples
        case _:
            schema = {"type": "array", "prefixItems": [pair.schema for pair in pairs]}
            return Pair(schema, [*(pair.value for pair in pairs), "more", {"a b": 1}], defs)
    return Pair(schema, [pair.value for pair in pairs], defs)


@st.composite
def _joined(draw: st.DrawFn, inner: st.SearchStrategy[Pair]) -> Pair:
    pairs = draw(st.lists(inner, min_size=1, max_size=3))
    first = pairs[0]
    defs = {name: each for pair in pairs for name, each in pair.defs.items()}
    match draw(st.integers(0, 5)):
        case 0:
            return Pair(
                {"anyOf": [*(pair.schema for pair in pairs), {"type": "null"}], "default": None}, first.value, defs
            )
        case 1:
            return Pair({"oneOf": [pair.schema for pair in pairs], "description": "d" * 600}, first.value, defs)
        case 2:
            return Pair({"allOf": [first.schema], "title": "T"}, first.value, first.defs)
        case 3:
            more = {"properties": {"more": {"type": "integer"}}, "additionalProperties": True}
            value = {**first.value, "more": 1} if isinstance(first.value, dict) else first.value
            return Pair({"allOf": [first.schema, more]}, value, first.defs)
        case _:
            text = json.dumps(first.schema, sort_keys=True).encode()
            name = f"M/{hashlib.sha256(text).hexdigest()[:8]}"
            pointer = f"#/$defs/{name.replace('/', '~1')}"
            return Pair({"$ref": pointer, "description": "referred"}, first.value, {**first.defs, name: first.schema})


pairs = st.recursive(leaves, lambda inner: st.one_of(_objects(inner), _arrays(inner), _joined(inner)), max_leaves=6)
roots = st.one_of(_objects(pairs), _joined(_objects(pairs)), pairs)


quick = settings(max_examples=60)


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


@quick
@given(roots)
def test_an_example_is_accepted_and_the_same_each_time(pair: Pair) -> None:
    original = pair.document()
    made = example(original)
    assert made is None or check(made, original) == []
    assert json.dumps(example(original)) == json.dumps(made)
