"""What is understood, refused and said about the arguments of a call."""

from __future__ import annotations

import difflib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivcap_mcp.arguments import (
    Complaint,
    check,
    complaint_text,
    example,
    repair,
    unchecked,
    undeclared_text,
    understand,
)
from ivcap_mcp.schema import publish

POINT = {"type": "object", "properties": {"x": {"type": "number"}, "y": {"type": "number"}}, "required": ["x"]}


def prop(schema: Any, **more: Any) -> dict[str, Any]:
    """Return a schema of an object with one property `a`."""
    return {"type": "object", "properties": {"a": schema}, **more}


class TestCheck:
    @pytest.mark.parametrize(
        ("schema", "value", "told"),
        [
            ({"type": "integer"}, "x", '`a`: given "x"; wanted an integer'),
            ({"enum": ["x", "y"]}, "z", '`a`: given "z"; wanted one of "x", "y"'),
            ({"const": 3}, 4, "`a`: given 4; wanted 3"),
            ({"type": "number", "minimum": 1, "maximum": 2}, 3, "`a`: given 3; wanted a number, at least 1, at most 2"),
            (POINT, {}, "`a.x`: given nothing; wanted a number (required)"),
            ({"type": "array", "items": POINT}, [{"x": "1"}], '`a[0].x`: given "1"; wanted a number'),
            ({"type": "string", "pattern": "^a"}, "b", '`a`: given "b"; wanted a string, matching "^a"'),
            (
                {"type": "array", "uniqueItems": True},
                [1, 1.0],
                "`a`: given an array of 2 (1, 1.0…); wanted items that all differ",
            ),
            (False, 1, "`a`: given 1; wanted nothing: it may not be given"),
        ],
    )
    def test_a_complaint_names_field_given_and_wanted(self, schema: Any, value: Any, told: str) -> None:
        assert [str(each) for each in check({"a": value}, prop(schema))] == [told]

    def test_an_unknown_field_is_told_which_ones_are_known(self) -> None:
        complaints = check({"b": 1}, prop({}, additionalProperties=False))
        assert [str(each) for each in complaints] == ["`b`: given 1; wanted no such field; known here: a"]

    def test_each_alternative_is_told(self) -> None:
        [complaint] = check({"a": {"y": 1}}, prop({"anyOf": [{"type": "integer"}, POINT]}))
        assert "an integer" in complaint.wanted
        assert "an object with x" in complaint.wanted
        assert "`a.x`: given nothing" in complaint.wanted

    def test_fitting_several_of_oneof_is_told(self) -> None:
        [complaint] = check({"a": 1}, prop({"oneOf": [{"type": "integer"}, {"type": "number"}]}))
        assert complaint.wanted == "exactly one of these, and it fits several: an integer or a number"

    def test_there_are_at_most_five_complaints_the_outermost_first(self) -> None:
        schema = prop({"type": "array", "items": {"type": "integer"}}, required=["b"])
        complaints = check({"a": ["x"] * 1_000}, schema)
        assert len(complaints) == 5
        assert complaints[0].field == "b"

    def test_fields_are_called_as_the_caller_knows_them(self) -> None:
        schema = {"type": "object", "properties": {"a b": POINT}, "required": ["a b"]}
        published = publish(schema)
        assert [each.field for each in check({}, schema, published=published)] == ["a_b"]
        assert [each.field for each in check({"a b": {"x": ""}}, schema, published=published)] == ["a_b.x"]

    def test_a_wrapped_input_is_called_value(self) -> None:
        schema = {"type": "array", "items": {"type": "integer"}}
        assert [each.field for each in check(["x"], schema, published=publish(schema))] == ["value[0]"]

    def test_null_is_accepted_where_the_original_takes_it(self) -> None:
        assert check({"a": None}, prop({"anyOf": [{"type": "integer"}, {"type": "null"}]})) == []

    def test_undeclared_keys_pass_where_the_original_allows_them(self) -> None:
        assert check({"b": 1}, prop({})) == []

    @pytest.mark.parametrize(
        "schema",
        [
            prop({}, patternProperties={"^x": {"type": "integer"}}, additionalProperties=False),
            prop({}, propertyNames={"maxLength": 1}),
            prop({}, dependentRequired={"x1": ["a"]}),
            prop({}, unevaluatedProperties=False),
            prop({}, **{"if": {"required": ["x1"]}, "then": {"required": ["a"]}}),
            prop({}, **{"not": {"required": ["x1"]}}),
            prop({}, dependencies={"x1": ["a"]}),
        ],
    )
    def test_what_is_not_shown_is_still_checked(self, schema: dict[str, Any]) -> None:
        assert check({"x1": "no integer"}, schema)
        assert check({"a": 1}, schema) == []

    def test_an_input_over_a_megabyte_is_refused(self) -> None:
        [complaint] = check({"a": "x" * 1_000_001}, prop({}))
        assert "bytes" in complaint.given

    def test_an_input_deeper_than_64_levels_is_refused(self) -> None:
        value: Any = 1
        for _ in range(64):
            value = {"a": value}
        assert check(value, {}) == []
        for _ in range(100_000):
            value = [value]
        assert "64 levels" in check({"a": value}, {})[0].given
        assert understand({"a": value}, publish({}), {})["a"] is value

    def test_a_large_input_is_checked_to_its_end(self) -> None:
        schema = prop({"type": "array", "items": {"type": "number"}, "uniqueItems": True})
        assert check({"a": list(range(20_000))}, schema) == []
        assert [each.field for each in check({"a": [*range(20_000), "x"]}, schema)] == ["a[20000]"]

    def test_many_equal_looking_objects_are_compared_quickly(self) -> None:
        assert check({"a": [{"n": n} for n in range(20_000)]}, prop({"type": "array", "uniqueItems": True})) == []

    @pytest.mark.parametrize("unchecked_part", [{"pattern": "(?=x)x"}, {"$ref": "elsewhere"}, {"maximum": "3"}])
    def test_what_cannot_be_checked_never_refuses_what_the_service_might_accept(self, unchecked_part: Any) -> None:
        part = {"type": "string", **unchecked_part}
        for around, value in (
            ({"oneOf": [{"type": "string"}, part]}, "a"),
            ({"not": part}, "a"),
            ({"not": {"anyOf": [part, {"type": "integer"}]}}, "a"),
            ({"if": part, "then": False}, "a"),
            ({"contains": part, "maxContains": 0, "minContains": 0}, ["a"]),
            ({"oneOf": [{}, {"type": "object", "properties": {"b": {"not": {"not": part}}}}]}, {"b": "a"}),
        ):
            assert check({"a": value}, prop(around)) == []

    def test_what_cannot_be_checked_is_listed(self) -> None:
        schema = prop({"type": "string", "pattern": "(?=x)"})
        schema["properties"]["b"] = {"$ref": "#/none"}
        told = unchecked(schema)
        assert len(told) == 2
        assert "(?=x)" in told[1]


class TestRepair:
    def test_json_text_is_parsed_where_only_an_object_or_array_fits(self) -> None:
        schema = prop({"type": "array", "items": POINT})
        assert repair({"a": '[{"x": 1}]'}, schema) == {"a": [{"x": 1}]}
        assert repair({"a": ['{"x": 1}']}, schema) == {"a": [{"x": 1}]}

    @pytest.mark.parametrize(
        "schema",
        [
            {"type": "string"},
            {"anyOf": [POINT, {"type": "string"}]},
            {"type": ["object", "string"]},
            {},
            {"enum": ["{}", {}]},
        ],
    )
    def test_what_accepts_text_is_never_touched(self, schema: Any) -> None:
        assert repair({"a": '{"x": 1}'}, prop(schema)) == {"a": '{"x": 1}'}

    @pytest.mark.parametrize("text", ["", "{", "3", '"x"', "[1]", "[" * 100_000, "null"])
    def test_text_that_is_no_object_stays(self, text: str) -> None:
        assert repair({"a": text}, prop(POINT)) == {"a": text}

    def test_an_optional_object_is_repaired_too(self) -> None:
        schema = prop({"anyOf": [POINT, {"type": "null"}]})
        assert repair({"a": '{"x": 1}'}, schema) == {"a": {"x": 1}}

    def test_published_names_inside_the_text_are_understood(self) -> None:
        schema = prop({"type": "object", "properties": {"a b": {"type": "integer"}}})
        assert understand({"a": '{"a_b": 1}'}, publish(schema), schema) == {"a": {"a b": 1}}

    def test_a_wrapped_array_given_as_text_is_understood(self) -> None:
        schema = {"type": "array", "items": {"type": "integer"}}
        assert understand({"value": "[1]"}, publish(schema), schema) == [1]

    def test_nothing_given_is_changed(self) -> None:
        arguments = {"a": '{"x": 1}'}
        repair(arguments, prop(POINT))
        assert arguments == {"a": '{"x": 1}'}


class TestText:
    def test_it_says_what_to_correct_and_how(self) -> None:
        text = complaint_text("draw", [Complaint("a", "nothing", "a number (required)")], example={"a": 1})
        assert text.splitlines() == [
            "draw was not called: its arguments do not fit. Nothing was submitted.",
            "- `a`: given nothing; wanted a number (required)",
            "Correct this and call draw again.",
            'A call that fits: {"a": 1}',
        ]

    def test_it_stays_under_ten_kilobytes(self) -> None:
        many = [Complaint("é" * 5_000, "x" * 5_000, "y" * 5_000)] * 50
        assert len(complaint_text("t", many, example={"a": "x" * 5_000}).encode()) <= 10_000

    def test_what_services_say_is_stripped(self) -> None:
        [complaint] = check({"a": 3}, prop({"enum": ["x\u202e"]}))
        assert "\u202e" not in str(complaint)


class TestExample:
    def test_it_has_what_is_required_and_prefers_the_services_own_values(self) -> None:
        schema = {
            "type": "object",
            "properties": {
                "city": {"type": "string", "examples": ["Hobart"]},
                "unit": {"enum": ["m", "km"]},
                "size": {"type": "integer", "minimum": 5, "multipleOf": 3},
                "when": {"type": "string", "format": "date"},
                "optional": {"type": "string"},
            },
            "required": ["city", "unit", "size", "when"],
        }
        assert example(schema) == {"city": "Hobart", "unit": "m", "size": 6, "when": "2025-01-31"}

    def test_it_shows_a_few_optional_properties_where_nothing_is_required(self) -> None:
        assert example(prop({"type": "integer", "default": 7})) == {"a": 7}

    @pytest.mark.parametrize("schema", [False, {"type": "string", "pattern": "^q{3}$"}, {"not": {}}])
    def test_there_is_none_rather_than_a_wrong_one(self, schema: Any) -> None:
        assert example(prop(schema, required=["a"])) is None


class TestUndeclared:
    """What a service accepts and does not declare: the call passes, and the caller is told."""

    @pytest.mark.parametrize(
        ("schema", "value", "told"),
        [
            (prop({}), {"a": 1}, ""),
            (prop({}), {"$schema": "urn:x"}, ""),
            ({"type": "object"}, {"anything": 1}, ""),
            (
                {"properties": {"max_depth": {}, "b": {}}},
                {"maxdepth": 1},
                "Unknown field `maxdepth` was passed on; did you mean `max_depth`?",
            ),
            (
                {"properties": {"seconds": {}, "steps": {}}},
                {"duration": 5},
                "",  # some services take what they do not declare
            ),
            ({"properties": {"steps": {}}, "additionalProperties": True}, {"duration": 5}, ""),
            (
                {"properties": {"steps": {}}, "additionalProperties": {"type": "integer"}},
                {"stepz": 5},
                "Unknown field `stepz` was passed on; did you mean `steps`?",
            ),
            (
                {"properties": {"steps": {}}, "additionalProperties": True},
                {"steps": 1, "stepz": 2},
                "",  # what is given already is not what was meant
            ),
            (
                prop({"type": "array", "items": {"$ref": "#/$defs/p"}}, **{"$defs": {"p": POINT}}),
                {"a": [{"x": 1}, {"x": 1, "Y_": 2}]},
                "Unknown field `a[1].Y_` was passed on; did you mean `a[1].y`?",
            ),
            (
                prop({"anyOf": [POINT, {"properties": {"name": {}}}]}),
                {"a": {"nme": 1}},
                "Unknown field `a.nme` was passed on; did you mean `a.name`?",
            ),
            ({"properties": {"a": {}}, "patternProperties": {"^x_": {}}}, {"x_1": 1}, ""),
            (
                {"properties": {"station_default": {}}, "patternProperties": {"^station_": {}}},
                {"station_defaults": 1},
                "",  # declared by the pattern
            ),
        ],
    )
    def test_it_is_named_with_what_was_probably_meant(self, schema: Any, value: Any, told: str) -> None:
        assert undeclared_text(value, schema, publish(schema)) == told
        assert check(value, schema) == []

    def test_the_caller_is_told_the_names_they_know(self) -> None:
        schema = {"properties": {"größe in m": {"type": "number"}}}
        published = publish(schema)
        (shown,) = published.renames
        told = undeclared_text({f"{shown}s": 2}, schema, published)
        assert told == f"Unknown field `{shown}s` was passed on; did you mean `{shown}`?"

    @given(
        st.recursive(
            st.integers() | st.text(max_size=3),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        )
    )
    @settings(max_examples=50)
    def test_it_can_be_said_of_any_input_and_stays_short(self, value: Any) -> None:
        loop = {"properties": {"a": {"$ref": "#"}, "b": {"items": {"$ref": "#"}}}}
        assert len(undeclared_text(value, loop, publish(loop))) < 5_000

    @pytest.mark.parametrize(("distinct", "pairs"), [(1, 400), (1000, 10_000)])
    def test_the_names_in_a_long_list_are_compared_once_each_and_not_without_end(
        self, distinct: int, pairs: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        compared = []
        close = difflib.get_close_matches

        def counted(word: str, words: Any, **how: Any) -> list[str]:
            compared.append(len(words))
            return close(word, words, **how)

        monkeypatch.setattr(difflib, "get_close_matches", counted)
        row: dict[str, Any] = {"properties": {letter * 8: {} for letter in "abcdefghijklmnopqrst"}}
        schema = {"properties": {"rows": {"type": "array", "items": row}}}
        rows = [{f"{1000 * (at % distinct) + name:09}": 1 for name in range(20)} for at in range(1000)]
        assert undeclared_text({"rows": rows}, schema, publish(schema)) == ""
        assert 0 < sum(compared) <= pairs

    def test_a_misspelt_field_is_named_where_it_is_missed_or_refused(self) -> None:
        [missed] = check({"station": 1}, {"properties": {"stations": {"type": "integer"}}, "required": ["stations"]})
        assert missed.wanted == "an integer (required); is `station` meant for it?"
        [refused] = check({"stepz": 1}, {"properties": {"steps": {}, "b": {}}, "additionalProperties": False})
        assert refused.wanted == "no such field, did you mean `steps`; known here: steps, b"
