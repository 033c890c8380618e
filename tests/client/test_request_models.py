"""Request models: as strict as their schema, never stricter, and sent exactly as given."""

from __future__ import annotations

import copy
import datetime
import enum
import json
import pickle
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from ivcap_client.exception import InvalidInput
from ivcap_client.schema import RequestModel, RequestRoot, complaints, model_from_schema
from ivcap_client.schemas.checking import errors
from ivcap_client.schemas.keywords import equal_key
from ivcap_client.schemas.limits import sizes_of
from ivcap_client.schemas.reading import read
from tests.mcp.test_schema_roundtrip import Pair, roots

FEW = settings(max_examples=80)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from([0.5, 1.0, 1e300]) | st.text("ab $-é", max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "kind", "a b"]), inner, max_size=3)
    ),
    max_leaves=5,
)


def fits(schema: Any, value: Any) -> bool:
    found, _ = errors(read(schema), value, sizes_of(value))
    return not found


def sent(request: Any) -> Any:
    return json.loads(request.model_dump_json(by_alias=True, exclude_unset=True, warnings=False))


def same(one: Any, other: Any) -> bool:
    """Equal as JSON text, 1 and 1.0 told apart."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@FEW
@given(pair=roots)
def test_what_fits_a_schema_fits_its_model_and_is_sent_as_it_was(pair: Pair) -> None:
    assume(fits(pair.document(), pair.value))
    model = model_from_schema(pair.document())
    assume(issubclass(model, RequestRoot) or isinstance(pair.value, dict))  # a request is an object
    made = model.model_validate(copy.deepcopy(pair.value))
    assert same(sent(made), pair.value)
    assert complaints(made) == []
    assert pickle.loads(pickle.dumps(made)) == made
    assert same(sent(model.model_validate_json(json.dumps(pair.value))), pair.value)


@FEW
@given(pair=roots, value=json_values, how=st.integers(0, 2), data=st.data())
def test_a_model_refuses_just_what_its_schema_refuses(pair: Pair, value: Any, how: int, data: st.DataObject) -> None:
    other = value if how == 0 else changed(pair.value, value, data)
    model = model_from_schema(pair.document())
    assume(issubclass(model, RequestRoot) or isinstance(other, dict))
    try:
        made = model.model_validate(other)
    except ValidationError:
        assert not fits(pair.document(), other)
    else:
        assert fits(pair.document(), other)
        assert same(sent(made), other)


def changed(whole: Any, part: Any, data: st.DataObject) -> Any:
    """The value with something in it exchanged or left out."""
    if isinstance(whole, dict) and whole:
        key = data.draw(st.sampled_from(sorted(whole)))
        rest = {name: each for name, each in whole.items() if name != key}
        return rest if data.draw(st.booleans()) else {**rest, key: changed(whole[key], part, data)}
    if isinstance(whole, list) and whole:
        return [changed(whole[0], part, data), *whole[1:]]
    return part


class Colour(enum.Enum):
    RED = "red"
    SEVEN = 7


class Leaf(BaseModel):
    model_config = ConfigDict(extra="forbid")
    label: Annotated[str, Field(min_length=1, max_length=20, pattern="^[a-z]+$")] = "leaf"
    weight: Annotated[float, Field(gt=0)] | None = None


class Tree(BaseModel):
    """A tree."""

    leaf: Leaf
    children: list[Tree] = []
    parent: Tree | None = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    trick: str | None = None


class Everything(BaseModel):
    jschema: Literal["urn:x:everything.1"] = Field("urn:x:everything.1", alias="$schema")
    class_: str = Field(alias="class", title="The class", description="what kind it is", examples=["a"])
    count: Annotated[int, Field(ge=0, lt=1000, multiple_of=5)] = 10
    both: int | str | None = None
    colour: Colour = Colour.RED
    when: datetime.datetime | None = None
    day: datetime.date = datetime.date(2020, 1, 1)
    wait: datetime.timedelta = datetime.timedelta(seconds=3)
    key: uuid.UUID | None = None
    place: Path = Path("here")
    price: Decimal = Decimal("1.5")
    tree: Tree | None = None
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    pets: Annotated[list[Cat | Dog], Field(max_length=3)] = []
    table: dict[str, list[Leaf]] = {}
    pair: tuple[int, str] = (1, "a")
    names: set[str] = set()
    anything: Any = None
    json_: dict[str, Any] = Field({}, alias="json")
    _private: int = 3


EMITTED = [
    (Everything, Everything.model_validate({"class": "a"})),
    (
        Everything,
        Everything.model_validate(
            {
                "class": "b",
                "json": {"a": [1]},
                "both": "x",
                "colour": Colour.SEVEN,
                "when": datetime.datetime(2024, 1, 2, 3, 4, 5, 6, datetime.UTC),
                "key": uuid.UUID(int=7),
                "tree": Tree(leaf=Leaf(), children=[Tree(leaf=Leaf(label="b", weight=0.5), parent=Tree(leaf=Leaf()))]),
                "pet": Dog(kind="dog", trick="sit"),
                "pets": [Cat(kind="cat"), Dog(kind="dog")],
                "table": {"x": [Leaf()], "y": []},
                "names": {"n"},
                "anything": {"deep": [None, {"x": 1.5}]},
            }
        ),
    ),
    (Tree, Tree(leaf=Leaf(), children=[Tree(leaf=Leaf())])),
    (RootModel[Cat | Dog], RootModel[Cat | Dog](Cat(kind="cat", lives=3))),
    (RootModel[list[Leaf]], RootModel[list[Leaf]]([Leaf(), Leaf(label="z")])),
]


@pytest.mark.parametrize("mode", ["validation", "serialization"])
@pytest.mark.parametrize(("kind", "instance"), EMITTED)
def test_what_pydantic_emits_is_understood(kind: type[BaseModel], instance: BaseModel, mode: Any) -> None:
    model = model_from_schema(kind.model_json_schema(mode=mode))
    value = instance.model_dump(mode="json", by_alias=True)
    made = model.model_validate(value)
    assert same(sent(made), value)
    assert kind.model_validate(sent(made)) == instance
    assert model.model_json_schema() == kind.model_json_schema(mode=mode)


def everything() -> type[RequestModel]:
    model = model_from_schema(Everything.model_json_schema())
    assert issubclass(model, RequestModel)
    return model


def test_fields_have_the_schemas_types_defaults_and_descriptions() -> None:
    fields = everything().model_fields
    assert {"class_", "schema_", "json_"} < set(fields)
    assert (fields["class_"].alias, fields["class_"].title) == ("class", "The class")
    assert (fields["class_"].description, fields["class_"].examples) == ("what kind it is", ["a"])
    assert fields["class_"].is_required()
    made: Any = everything()(class_="a")
    assert (made.count, made.colour, made.pair, made.both) == (10, "red", [1, "a"], None)
    assert sent(made) == {"class": "a"}


def test_nested_objects_are_models_of_their_own_and_recur() -> None:
    made: Any = everything()(class_="a", tree={"leaf": {}, "children": [{"leaf": {"label": "b"}}]})
    assert type(made.tree) is type(made.tree.children[0])
    assert made.tree.children[0].leaf.label == "b"
    again: Any = everything()(class_="a", tree=made.tree)
    assert again.tree is made.tree
    assert pickle.loads(pickle.dumps(made.tree)) == made.tree


def test_python_values_are_taken_where_a_format_names_them() -> None:
    when = datetime.datetime(2024, 5, 6, tzinfo=datetime.UTC)
    made: Any = everything()(class_="a", when=when, key=uuid.UUID(int=3), place=Path("x"), day="2024-01-01")
    assert (made.when, made.day) == (when, "2024-01-01")
    assert sent(made) == {
        "class": "a",
        "when": "2024-05-06T00:00:00Z",
        "key": str(uuid.UUID(int=3)),
        "place": "x",
        "day": "2024-01-01",
    }


def test_both_spellings_of_a_name_are_taken() -> None:
    model = model_from_schema(
        {
            "type": "object",
            "properties": {name: {"type": "integer"} for name in ("a-b", "a_b", "a b", "copy", "2d", "_")},
        }
    )
    made = model(**{"a-b": 1}, a_b=2, copy=3, n2d=4, **{"a b": 5, "_": 6})
    assert sent(made) == {"a-b": 1, "a_b": 2, "a b": 5, "copy": 3, "2d": 4, "_": 6}
    assert made.copy_ == 3


@pytest.mark.parametrize(
    ("given", "place", "told"),
    [
        ({}, "class", "Field required"),
        ({"class": "a", "count": 3}, "count", "not a multiple of 5"),
        ({"class": "a", "count": "10"}, "count", "not of type 'integer'"),
        ({"class": "a", "day": None}, "day", "not of type 'string'"),
        ({"class": "a", "tree": {"leaf": {"label": "A"}}}, "tree", "not valid under any"),
        ({"class": "a", "table": {"x": [{"zzz": 1}]}}, "table.x.0.zzz", "not a property"),
        ({"class": "a", "anything": float("nan")}, "", "cannot be written as JSON"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(given: Any, place: str, told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        everything().model_validate(given)
    (error, *_) = caught.value.errors()
    assert ".".join(map(str, error["loc"])) == place
    assert told in error["msg"]


def test_assignments_are_checked_and_what_is_optional_can_be_taken_out_again() -> None:
    made: Any = everything()(class_="a", count=20)
    with pytest.raises(ValidationError, match="multiple of 5"):
        made.count = 21
    assert made.count == 20
    made.tree = {"leaf": {}}
    assert made.tree.leaf.label == "leaf"
    with pytest.raises(ValidationError):
        del made.class_
    del made.count, made.tree
    assert (made.count, made.tree, sent(made)) == (10, None, {"class": "a"})


def test_what_changed_inside_is_found_before_it_is_sent() -> None:
    made: Any = everything()(class_="a", names=["x"])
    made.names.append(3)
    assert complaints(made) == ["names.1: 3 is not of type 'string'"]


def test_the_same_schema_gives_the_same_class() -> None:
    schema = {"title": "co2 trend", "type": "object", "properties": {"a": {"type": "integer"}}}
    assert model_from_schema(schema) is model_from_schema(copy.deepcopy(schema))
    assert model_from_schema(schema).__name__ == "Co2Trend"


def test_the_documented_function_makes_the_same_models() -> None:
    from ivcap_client.utils import model_from_json_schema

    root = {"$defs": {"A": {"type": "object", "properties": {"n": {"type": "integer"}}}}}
    made: Any = model_from_json_schema({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}}, "Whole", root)
    assert (made.__name__, made(a={"n": 1}).a.n) == ("Whole", 1)


@pytest.mark.parametrize("schema", [{"title": "x" * 300_000}, {"a": {1, 2}}, "text"])
def test_what_is_no_schema_is_refused(schema: Any) -> None:
    with pytest.raises(InvalidInput, match="could not make a request model"):
        model_from_schema(schema)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"$ref": "#"}, {"a": 1}),
        ({"type": "array", "items": {"$ref": "#"}}, [[[]]]),
        ({"type": ["object", "array"], "properties": {"a": {"$ref": "#"}}, "items": {"$ref": "#"}}, {"a": [{"a": {}}]}),
        ({"properties": {"a": {"$ref": "#"}}}, {"a": {"a": 3}}),
        ({"type": "object", "properties": {"a": {"$ref": "https://example.org/x"}}}, {"a": 3}),
    ],
)
def test_schemas_that_lead_round_in_a_circle_or_away_end(schema: Any, value: Any) -> None:
    assert same(sent(model_from_schema(schema).model_validate(value)), value)


def test_equal_numbers_of_another_kind_are_kept_as_they_are() -> None:
    model = model_from_schema({"type": "object", "properties": {"n": {"enum": [1, True]}, "x": {"type": "number"}}})
    for value in ({"n": 1.0}, {"n": True}, {"n": 1}, {"x": 2**70}, {"x": 3}, {"x": 3.0}):
        assert same(sent(model.model_validate(value)), value)
    assert equal_key(1) != equal_key(True)
