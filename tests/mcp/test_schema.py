"""How each construct is published, and how inputs get their own names back."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field, RootModel

from ivcap_mcp.schema import SchemaRefused, present, publish, restore
from ivcap_mcp.schemas.shapes import anything


def prop(schema: Any, **more: Any) -> dict[str, Any]:
    """Return a schema of an object with one property `a`."""
    return {"type": "object", "properties": {"a": schema}, **more}


def shown(schema: Any, **more: Any) -> Any:
    """Return how a property is published."""
    return publish(prop(schema, **more)).schema["properties"]["a"]


class Circle(BaseModel):
    kind: Literal["circle"]
    radius: float = Field(gt=0, description="Radius in m")


class Square(BaseModel):
    kind: Literal["square"]
    side: float


class Request(BaseModel):
    """What to draw."""

    jschema: str = Field("urn:example:draw.1", alias="$schema")
    shape: Circle | Square
    title: str | None = None
    at: tuple[int, str] = (1, "m")


class TestProperties:
    @pytest.mark.parametrize(
        ("original", "published"),
        [
            ({"const": "a"}, {"type": "string", "enum": ["a"]}),
            ({"enum": ["a", None]}, {"type": "string", "enum": ["a"]}),
            ({"type": ["integer", "null"], "default": None}, {"type": "integer"}),
            ({"type": ["string", "integer"]}, {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
            ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, {"type": "integer"}),
            ({"oneOf": [{"const": 1}, {"const": 2}]}, {"type": "integer", "enum": [1, 2]}),
            ({}, anything()),
            (True, anything()),
            ({"type": "array"}, {"type": "array", "items": anything()}),
            ({"type": "object"}, {"type": "object", "properties": {}}),
            ({"allOf": [{"type": "integer", "minimum": 1}, {"minimum": 3}]}, {"type": "integer", "minimum": 3}),
            ({"type": "integer", "exclusiveMinimum": 0}, {"type": "integer", "minimum": 1}),
            ({"type": "string", "format": "date", "x-more": 1, "$id": "u:1"}, {"type": "string", "format": "date"}),
            ({"type": "string", "pattern": "^a$"}, {"type": "string", "pattern": "^a$"}),
        ],
    )
    def test_a_construct_is_said_in_a_form_every_client_reads(self, original: Any, published: Any) -> None:
        assert shown(original) == published

    def test_a_tuple_becomes_the_union_of_its_members(self) -> None:
        made = shown({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False})
        assert made["items"] == {"anyOf": [{"type": "integer"}, {"type": "string"}]}
        assert made["maxItems"] == 2
        assert made["description"] == "In order: integer, string."

    def test_a_forbidden_property_is_not_shown(self) -> None:
        assert publish(prop(False)).schema["properties"] == {}

    def test_a_required_property_that_is_not_declared_is_shown(self) -> None:
        assert publish({"type": "object", "required": ["b"]}).schema["properties"] == {"b": anything()}

    @pytest.mark.parametrize(
        ("original", "said"),
        [
            ({"type": "string", "format": "urn"}, 'Format: "urn".'),
            ({"type": "string", "pattern": "(?=a)"}, 'Must match "(?=a)".'),
            ({"type": "number", "exclusiveMinimum": 0}, "Greater than 0."),
            ({"type": "string", "examples": ["x"]}, 'For example: "x".'),
            ({"type": "object", "propertyNames": {"enum": ["x", "y"]}}, 'Keys: "x", "y".'),
        ],
    )
    def test_what_clients_would_drop_is_said_in_words(self, original: Any, said: str) -> None:
        assert shown({**original, "description": "First"})["description"] == f"First. {said}"

    def test_conditions_go_with_a_note(self) -> None:
        published = publish(
            prop({}, **{"if": {"required": ["a"]}, "then": {"required": ["b"]}, "not": {"minProperties": 9}})
        )
        assert published.schema.keys() == {"type", "properties"}
        assert len(published.notes) == 2

    @pytest.mark.parametrize(
        "more",
        [
            {"patternProperties": {"^x": {}}},
            {"allOf": [{"properties": {"b": {}}}]},
        ],
    )
    def test_an_object_is_open_where_what_it_allows_had_to_go(self, more: dict[str, Any]) -> None:
        assert "additionalProperties" not in publish(prop({}, additionalProperties=False, **more)).schema

    def test_an_object_that_is_closed_stays_closed(self) -> None:
        assert publish(prop({}, additionalProperties=False)).schema["additionalProperties"] is False


class TestRoots:
    def test_a_model_of_pydantic_is_published_whole(self) -> None:
        published = publish(Request.model_json_schema())
        schema = published.schema
        assert schema["description"] == "What to draw."
        assert list(schema["properties"]) == ["shape", "title", "at"]
        assert schema["required"] == ["shape"]
        assert schema["properties"]["title"] == {"type": "string"}
        assert [each["description"] for each in schema["properties"]["shape"]["anyOf"]] == ["Circle", "Square"]
        assert published.notes == ()
        assert not published.wrapped

    def test_alternatives_at_the_root_are_folded_and_told_in_words(self) -> None:
        schema = publish(RootModel[Circle | Square].model_json_schema()).schema
        assert schema["properties"]["kind"]["enum"] == ["circle", "square"]
        assert schema["required"] == ["kind"]
        assert schema["description"] == 'Give kind = "circle" and radius, or kind = "square" and side.'

    def test_choices_between_required_properties_are_told_in_words(self) -> None:
        original = {
            "type": "object",
            "description": "D.",
            "properties": {"a": {"type": "integer"}, "b": {}, "c": {}},
            "anyOf": [{"required": ["a"]}, {"required": ["b", "c"]}],
        }
        schema = publish(original).schema
        assert "required" not in schema
        assert schema["description"] == "D. Give a, or b and c."
        assert schema["properties"]["a"] == {"type": "integer"}

    @pytest.mark.parametrize(
        "root", [{"type": "array", "items": {"type": "integer"}}, {"type": "string"}, {"enum": [1]}]
    )
    def test_an_input_that_is_no_object_travels_as_value(self, root: dict[str, Any]) -> None:
        published = publish(root)
        assert published.wrapped
        assert published.schema["required"] == ["value"]
        assert restore({"value": [1]}, published, root) == [1]
        assert present([1], published, root) == {"value": [1]}

    @pytest.mark.parametrize("root", [{}, {"properties": {"a": {}}}, {"$defs": {}}, {"type": ["object", "null"]}])
    def test_a_root_that_leaves_its_type_open_is_an_object(self, root: dict[str, Any]) -> None:
        published = publish(root)
        assert published.schema["type"] == "object"
        assert not published.wrapped
        assert restore({"value": 1}, published, root) == {"value": 1}

    def test_only_an_object_can_be_presented_to_a_tool_that_takes_objects(self) -> None:
        with pytest.raises(ValueError, match="object"):
            present(3, publish({}), {})

    def test_references_inside_the_document_are_followed_however_written(self) -> None:
        original = {
            "type": "object",
            "properties": {
                "a": {"$ref": "#/definitions/x~1y"},
                "b": {"$ref": "#here"},
                "c": {"$ref": "part.json"},
                "d": {"$ref": "part.json#/properties/q"},
            },
            "definitions": {
                "x/y": {"type": "integer"},
                "h": {"$anchor": "here", "type": "string"},
                "p": {
                    "$id": "part.json",
                    "type": "object",
                    "properties": {"q": {"$ref": "#/$defs/own"}},
                    "$defs": {"own": {"type": "boolean"}},
                },
            },
        }
        properties = publish(original).schema["properties"]
        assert properties["a"] == {"type": "integer"}
        assert properties["b"] == {"type": "string"}
        assert properties["c"]["properties"]["q"] == properties["d"] == {"type": "boolean"}

    def test_until_draft_7_nothing_beside_a_reference_counts(self) -> None:
        original = prop({"$ref": "#/definitions/x", "type": "string", "description": "D"})
        original |= {"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"x": {"type": "integer"}}}
        assert publish(original).schema["properties"]["a"] == {"type": "integer", "description": "D"}

    def test_a_refusal_carries_its_reason(self) -> None:
        with pytest.raises(SchemaRefused) as caught:
            publish([])  # type: ignore[arg-type]
        assert caught.value.reason == str(caught.value)


class TestNames:
    original = {
        "type": "object",
        "properties": {
            "a b": {"type": "array", "items": {"type": "object", "properties": {"größe": {"type": "integer"}}}},
            "map": {"type": "object", "additionalProperties": {"type": "integer"}},
            "node": {"$ref": "#/$defs/Node"},
        },
        "required": ["a b"],
        "$defs": {"Node": {"type": "object", "properties": {"the next": {"$ref": "#/$defs/Node"}, "n": {}}}},
    }

    def test_keys_are_portable_at_every_depth(self) -> None:
        schema = publish(self.original).schema
        assert list(schema["properties"]) == ["a_b", "map", "node"]
        assert schema["required"] == ["a_b"]
        assert list(schema["properties"]["a_b"]["items"]["properties"]) == ["grosse"]
        assert schema["properties"]["a_b"]["description"] == 'Called "a b" by the service.'

    def test_their_own_names_come_back_at_every_depth_and_free_keys_stay(self) -> None:
        published = publish(self.original)
        given = {"a_b": [{"grosse": 1}], "map": {"a_b": 1}, "node": {"the_next": {"the_next": {"n": {"a_b": 1}}}}}
        wanted = {"a b": [{"größe": 1}], "map": {"a_b": 1}, "node": {"the next": {"the next": {"n": {"a_b": 1}}}}}
        assert restore(given, published, self.original) == wanted
        assert present(wanted, published, self.original) == given

    def test_a_name_that_was_right_already_is_taken(self) -> None:
        given = {"a b": [{"größe": 1}]}
        assert restore(given, publish(self.original), self.original) == given


class Tagged(BaseModel):
    model_config = ConfigDict(extra="forbid")
    jschema: Literal["urn:t"] = Field(alias="$schema")
    n: int


class TestSchemaProperty:
    def test_it_is_dropped_and_put_back_where_the_original_requires_it(self) -> None:
        class Outer(BaseModel):
            jschema: Literal["urn:o"] = Field(alias="$schema")
            inner: Tagged
            several: list[Tagged]
            maybe: Tagged | None = None

        original = Outer.model_json_schema()
        published = publish(original)
        assert "schema" not in str(published.schema["properties"])
        given = {"inner": {"n": 1}, "several": [{"n": 2}], "maybe": {"n": 3}}
        inner = [{"$schema": "urn:t", "n": n} for n in (1, 2, 3)]
        wanted = {"$schema": "urn:o", "inner": inner[0], "several": [inner[1]], "maybe": inner[2]}
        assert restore(given, published, original) == wanted
        assert present(wanted, published, original) == given

    def test_it_is_accepted_when_given_even_by_the_published_schema(self) -> None:
        original = Tagged.model_json_schema()
        published = publish(original)
        given = {"$schema": "urn:t", "n": 1}
        assert Draft202012Validator(published.schema).is_valid(given)
        assert restore(given, published, original) == given

    def test_it_is_not_filled_in_where_it_is_not_required(self) -> None:
        original = Request.model_json_schema()
        assert "$schema" not in restore({"shape": {}}, publish(original), original)

    def test_it_is_renamed_where_it_tells_alternatives_apart(self) -> None:
        class A(BaseModel):
            jschema: Literal["urn:a"] = Field(alias="$schema")

        class B(BaseModel):
            jschema: Literal["urn:b"] = Field(alias="$schema")

        class Outer(BaseModel):
            either: A | B

        original = Outer.model_json_schema()
        published = publish(original)
        branches = published.schema["properties"]["either"]["anyOf"]
        assert [each["properties"]["schema"]["enum"] for each in branches] == [["urn:a"], ["urn:b"]]
        assert restore({"either": {"schema": "urn:b"}}, published, original) == {"either": {"$schema": "urn:b"}}

    def test_it_is_renamed_where_nothing_says_what_it_must_be(self) -> None:
        original = {"type": "object", "properties": {"$schema": {"type": "string"}}, "required": ["$schema"]}
        published = publish(original)
        assert published.schema["required"] == ["schema"]
        assert restore({"schema": "x"}, published, original) == {"$schema": "x"}
