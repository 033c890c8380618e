"""Input schemas with one thing in each that services really use; snapshots and vendors' packages judge what we show."""

from __future__ import annotations

from typing import Any

TEXT: dict[str, Any] = {"type": "string"}
TREE = {"type": "object", "properties": {"name": TEXT, "kids": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}}}


def one(schema: Any, required: bool = True, **more: Any) -> dict[str, Any]:
    """An object with one property `x`."""
    return {"type": "object", "properties": {"x": schema}, **({"required": ["x"]} if required else {}), **more}


CONSTRUCTS: dict[str, dict[str, Any]] = {
    "scalars": {
        "type": "object",
        "description": "Draw a circle.",
        "properties": {
            "name": {"type": "string", "description": "Its name", "minLength": 1, "maxLength": 40},
            "radius": {"type": "number", "exclusiveMinimum": 0},
            "count": {"type": "integer", "exclusiveMinimum": 0, "maximum": 9, "default": 1},
            "filled": {"type": "boolean", "default": False},
        },
        "required": ["name", "radius"],
    },
    "optional_nullable": one({"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}, required=False),
    "optional_text_with_default": one({"type": "string", "default": "VV"}, required=False),
    "formats": {
        "type": "object",
        "properties": {
            "day": {"type": "string", "format": "date"},
            "at": {"type": "string", "format": "date-time"},
            "where": {"type": "string", "format": "uri", "pattern": "^https:"},
            "odd": {"type": "string", "format": "ivcap-urn"},
        },
        "required": ["day"],
    },
    "enum": one({"enum": ["fast", "slow"], "type": "string", "default": "fast"}),
    "enum_of_numbers": one({"enum": [1, 2, 4], "type": "integer"}),
    "enum_of_mixed": one({"enum": ["auto", 1, 2.5, None]}),
    "enum_with_empty_text": one({"enum": ["", "a"]}),
    "const": one({"const": "urn:example:draw"}),
    "type_list": one({"type": ["string", "integer", "null"]}),
    "any_of_objects": one({
        "anyOf": [
            {"type": "object", "title": "Circle", "properties": {"radius": {"type": "number"}}, "required": ["radius"]},
            {"type": "object", "title": "Square", "properties": {"side": {"type": "number"}}, "required": ["side"]},
        ],
        "description": "What to draw.",
    }),
    "discriminated_root": {
        "oneOf": [
            {"type": "object", "properties": {"kind": {"const": "circle"}, "radius": {"type": "number"}},
             "required": ["kind", "radius"]},
            {"type": "object", "properties": {"kind": {"const": "square"}, "side": {"type": "number"}},
             "required": ["kind", "side"]},
        ],
    },
    "all_of": one({"allOf": [{"type": "integer", "minimum": 3}, {"maximum": 9}]}),
    "reference": {
        **one({"$ref": "#/$defs/Box", "description": "The region"}),
        "$defs": {"Box": {"type": "object", "properties": {"west": {"type": "number"}}, "required": ["west"]}},
    },
    "recursion": {**one({"$ref": "#/$defs/Tree"}), "$defs": {"Tree": TREE}},
    "array": one({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 5, "uniqueItems": True}),
    "array_of_anything": one({"type": "array"}),
    "tuple": one({"type": "array", "prefixItems": [{"type": "number"}, TEXT], "items": False}),
    "map": one({"type": "object", "additionalProperties": {"type": "number"}, "description": "Weights by name"}),
    "open_object": one({"type": "object"}),
    "open_object_with_properties": one({"type": "object", "properties": {"a": TEXT}, "additionalProperties": True}),
    "anything": one({"description": "Any value"}),
    "anything_optional": one({}, required=False),
    "nested_optional": one(one({"type": "array", "items": one(TEXT, required=False)}, required=False)),
    "schema_property": {
        "type": "object",
        "properties": {"$schema": {"type": "string", "const": "urn:example:draw.1"}, "a-b.c/d": TEXT},
        "required": ["$schema", "a-b.c/d"],
    },
    "conditional": one(TEXT, required=False, **{"if": {"required": ["x"]}, "then": {"minProperties": 1}}),
    "not_an_object": {"type": "array", "items": TEXT},
    "no_properties": {"type": "object", "properties": {}},
    "multiple_of": one({"type": "number", "multipleOf": 0.5, "minimum": 0, "exclusiveMaximum": 10}),
}  # fmt: skip
