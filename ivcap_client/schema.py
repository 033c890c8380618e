"""From a JSON Schema to a pydantic model: as strict as the schema, and sent exactly as it was given.

from ivcap_client.schema import model_from_schema

Request = model_from_schema({"type": "object", "properties": {"max-depth": {"type": "integer"}}})
request = Request(max_depth=3)
assert request.model_dump(by_alias=True, exclude_unset=True) == {"max-depth": 3}
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Optional, Self

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError, create_model, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError, PydanticSerializationError

from ivcap_client.exception import InvalidInput
from ivcap_client.schemas.fields import KEPT, Types, reference
from ivcap_client.schemas.keywords import Node
from ivcap_client.schemas.limits import sizes_of, too_much
from ivcap_client.schemas.names import class_name, field_names
from ivcap_client.schemas.reading import Doc, SchemaRefused, read

__all__ = ["RequestModel", "RequestRoot", "complaints", "model_from_json_schema", "model_from_schema"]


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where a model comes from: the schema it checks, and how it is found again in another process."""

    doc: Doc
    text: str
    root: str
    name: str


class _OfSchema(BaseModel):
    """What all models of schemas share: they are checked against the schema as a whole, and pickle by it."""

    __origin__: ClassVar[_Origin]

    if TYPE_CHECKING:  # its fields are known only when the schema is

        def __getattr__(self, name: str) -> Any: ...

    @model_validator(mode="wrap")
    @classmethod
    def _fits(cls, value: Any, handler: Callable[[Any], Self]) -> Self:
        made = handler(value)
        _check(cls, made)
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (*_place(type(self)), _sent(self, "python"))

    @classmethod
    def model_json_schema(cls, *args: Any, **named: Any) -> dict[str, Any]:
        """The service's own schema, as it was given; of a part of a request, what pydantic says of the class."""
        return _schema(cls) or super().model_json_schema(*args, **named)


class RequestModel(_OfSchema):
    """A request of a service, or a part of one. Fields are named as the schema names them, or close to it.

    Both the schema's names and the Python names are accepted. Unknown ones are kept where the schema allows them.
    Assignments are checked; `del request.field` takes an optional one out again.
    """

    model_config = ConfigDict(
        extra="allow",
        validate_by_name=True,
        validate_by_alias=True,
        strict=True,
        protected_namespaces=(),
        ser_json_inf_nan="constants",
    )

    if TYPE_CHECKING:  # type checkers make one of the fields they see, which are none

        def __init__(self, /, *given: Any, **named: Any) -> None: ...

    def __setattr__(self, name: str, value: Any) -> None:
        tried = type(self).model_validate({**self._given(), name: value})
        super().__setattr__(name, getattr(tried, name))

    def __delattr__(self, name: str) -> None:
        field = type(self).model_fields.get(name)
        given = self._given()
        given.pop(name, None)
        type(self).model_validate(given)
        if field is None:
            super().__delattr__(name)
        else:
            self.__dict__[name] = field.get_default(call_default_factory=True)
            self.model_fields_set.discard(name)

    def _given(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.model_fields_set}


class RequestRoot(RootModel[Any], _OfSchema):
    """A request that is not one object with named properties: a list, a choice, plain text. Its value is `root`."""

    model_config = ConfigDict(strict=True, ser_json_inf_nan="constants")

    if TYPE_CHECKING:  # type checkers make one of the fields they see, which are none

        def __init__(self, /, *given: Any, **named: Any) -> None: ...


def model_from_schema(schema: Mapping[str, Any], name: str = "Request") -> type[RequestModel | RequestRoot]:
    """The model of a request; the same schema and name give the same class.

    Args:
        schema: JSON Schema of any draft. References that lead out of it are not followed.
        name: What to call the class, if the schema has no title.

    Raises:
        InvalidInput: It is no schema, or too large to be read (256 kB, 500 levels).
    """
    try:
        doc = read(schema)
    except SchemaRefused as refused:
        raise InvalidInput(f"could not make a request model: {refused.reason}") from None
    return _models(doc.text, name)[0]


def model_from_json_schema(
    schema: Mapping[str, Any], model_name: str = "DynamicModel", root_schema: Mapping[str, Any] | None = None
) -> type[RequestModel | RequestRoot]:
    """`model_from_schema` under its documented name; with `root_schema` references lead into that."""
    found = dict(schema)
    for name in ("$defs", "definitions"):
        if root_schema is not None and name in root_schema:
            found.setdefault(name, root_schema[name])
    return model_from_schema(found, model_name)


def complaints(request: RequestModel | RequestRoot) -> list[str]:
    """What of a request, as it is now, does not fit its schema: lists and dicts inside can be changed unseen."""
    try:
        _check(type(request), request)
    except ValidationError as error:
        return [f"{'.'.join(map(str, each['loc'])) or 'the request'}: {each['msg']}" for each in error.errors()]
    return []


@lru_cache(maxsize=256)
def _models(text: str, name: str) -> tuple[type[RequestModel | RequestRoot], dict[str, type[BaseModel]]]:
    """The class of a schema's request, and all classes made for it by their names."""
    doc = read(json.loads(text))

    def make(called: str, node: Node, parts: list[Node]) -> type[BaseModel]:
        origin = _Origin(replace(doc, root=node, text=f"{text}#{called}"), text, name, called)
        named: dict[str, list[Node]] = {}
        for part in parts:
            for key, value in part.get("properties", {}).items():
                named.setdefault(key, []).append(value)
        needed = {key for part in parts for key in part.get("required", ())}
        fields: dict[str, Any] = {}
        for key, attribute in field_names(named, set(dir(RequestModel))).items():
            annotation, of = types.property(named[key], f"{called} {key}")
            fields[attribute] = _field(key, attribute, annotation, types.parts(of), key in needed)
        described = next((part["description"] for part in parts if part.get("description")), None)
        model = create_model(called, __base__=RequestModel, __module__=__name__, __doc__=described, **fields)
        model.__origin__ = origin
        return model

    types = Types(doc, make)
    if types.has_fields(doc.root) or _anything(doc, types):
        called = types.model(doc.root, name)
        root = types.models[called]
    else:
        annotation = types.of(doc.root, name)
        called = class_name(doc.root.get("title") or name, types.models)
        root = create_model(called, __base__=RequestRoot, __module__=__name__, root=(annotation, ...))
        root.__origin__ = _Origin(doc, text, name, called)  # type: ignore[attr-defined]
    every = {**types.models, called: root}
    namespace = {reference(known): model for known, model in every.items()}
    for model in every.values():
        model.model_rebuild(force=True, _types_namespace=namespace)
    return root, every  # type: ignore[return-value]


def _anything(doc: Doc, types: Types) -> bool:
    """Whether the schema speaks of objects without naming a property, which takes keywords all the same."""
    plain = not any(key in part for part in types.parts(doc.root) for key in ("anyOf", "oneOf", "enum", "const"))
    return plain and types.kinds(doc.root) in (frozenset({"object"}), types.kinds({}))


def _field(key: str, attribute: str, annotation: Any, parts: list[Node], needed: bool) -> tuple[Any, Any]:
    told: dict[str, Any] = {
        word: next((part[word] for part in parts if part.get(word)), None)
        for word in ("title", "description", "examples")
    }
    if key != attribute:
        told["alias"] = key
    defaults = [part["default"] for part in parts if "default" in part]
    if needed:
        return annotation, Field(..., **told)
    if not defaults:
        return Optional[annotation], Field(None, **told)  # noqa: UP045 - the model may be known by name only
    default = defaults[0]
    return Annotated[annotation, KEPT], Field(
        default_factory=lambda: copy.deepcopy(default), validate_default=True, **told
    )


def _check(cls: type[Any], made: Any) -> None:
    """See that what would be sent of a model fits its schema.

    Raises:
        ValidationError: It does not; each error names its place.
    """
    try:
        value = json.loads(json.dumps(_sent(made), allow_nan=False))
    except (ValueError, TypeError, RecursionError, PydanticSerializationError) as error:
        raise _refused(cls, made, [((), f"it cannot be written as JSON ({str(error)[:200]})")]) from None
    if too_much(value) is not None:
        return  # too large to be checked here: the service does it
    from ivcap_client.schemas.checking import errors  # jsonschema takes 0.1 s to import

    found, _ = errors(cls.__origin__.doc, value, sizes_of(value))
    if found:
        raise _refused(cls, value, [(tuple(each.absolute_path), _line(each.message)) for each in found[:20]])


def _refused(cls: type[Any], value: Any, told: list[tuple[tuple[Any, ...], str]]) -> ValidationError:
    lines = [
        InitErrorDetails(type=PydanticCustomError("schema", "{told}", {"told": text}), loc=loc, input=_at(value, loc))
        for loc, text in told
    ]
    return ValidationError.from_exception_data(cls.__name__, lines)


def _at(value: Any, loc: tuple[Any, ...]) -> Any:
    for step in loc:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 300 else f"{text[:140]} … {text[-140:]}"


def _sent(made: Any, mode: str = "json") -> Any:
    # Values that a type cannot hold are kept as they are, which pydantic would warn of.
    return made.model_dump(mode=mode, by_alias=True, exclude_unset=True, warnings=False)


def _schema(cls: type[Any]) -> dict[str, Any] | None:
    origin: _Origin | None = cls.__dict__.get("__origin__")
    whole = origin is not None and _models(origin.text, origin.root)[0] is cls
    found: Any = json.loads(origin.text) if whole and origin is not None else None
    return found if isinstance(found, dict) else None


def _place(cls: type[Any]) -> tuple[str, str, str]:
    return cls.__origin__.text, cls.__origin__.root, cls.__origin__.name


def _again(text: str, root: str, name: str, sent: Any) -> Any:
    """Rebuild a pickled request: its class exists only where its schema was read."""
    return _models(text, root)[1][name].model_validate(sent)
