"""A JSON Schema validator that no schema and no value can keep busy: jsonschema's, with a budget and a safe engine.

The schema it gets is a `Doc`, so it is well formed and its references end; the registry is empty, so nothing is
fetched. What remains dangerous are patterns (matched by a linear-time engine), pairwise comparison (replaced by a set
of keys), and alternatives that multiply (paid from the budget).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from threading import Lock
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from referencing import Registry

from .keywords import equal_key
from .patterns import matcher
from .reading import Doc
from .uncertain import checkable

# Steps one check may take: so many, and so many more for each part of the input, up to so many in all. A step is one
# keyword tried on one value, more of them where the value is large; it takes up to 20 µs.
_BUDGET: Final = 20_000
_BUDGET_PER_BYTE: Final = 5
_MOST_BUDGET: Final = 1_000_000
_BYTES_PER_STEP: Final = 200
_MOST_ERRORS: Final = 50
_REMEMBERED: Final = 256


class _Spent(Exception):
    """The budget is used up."""


class _Budget:
    def __init__(self, sizes: Mapping[int, int]) -> None:
        self._left = min(_MOST_BUDGET, _BUDGET + _BUDGET_PER_BYTE * max(sizes.values(), default=0))
        self._sizes = sizes

    def spend(self, value: object) -> None:
        # Each failed keyword writes the whole value into a message, so large values cost more.
        self._left -= 1 + self._sizes.get(id(value), 0) // _BYTES_PER_STEP
        if self._left < 0:
            raise _Spent


_budget: ContextVar[_Budget] = ContextVar("budget")


def errors(doc: Doc, value: Any, sizes: Mapping[int, int]) -> tuple[list[ValidationError], bool]:
    """Return what is wrong with a value.

    Args:
        doc: The schema.
        value: JSON, not deeper than a few hundred levels.
        sizes: `id` of each larger part of `value` → its size in bytes, roughly.

    Returns:
        At most 50 errors, and whether everything was checked: a schema that multiplies may exhaust the budget, and
        then the rest is left to the service.
    """
    found: list[ValidationError] = []
    token = _budget.set(_Budget(sizes))
    try:
        for error in _validator(doc).iter_errors(value):
            found.append(error)
            if len(found) >= _MOST_ERRORS:
                break
    except (_Spent, RecursionError):
        return found, False
    finally:
        _budget.reset(token)
    return found, True


def unchecked_patterns(doc: Doc) -> list[str]:
    """Return the patterns of a schema that are not checked, since a linear-time engine cannot match them."""
    patterns = [node["pattern"] for node in doc.nodes if "pattern" in node]
    patterns += [pattern for node in doc.nodes for pattern in node.get("patternProperties", ())]
    return [pattern for pattern in dict.fromkeys(patterns) if matcher(pattern) is None]


def _pattern(_: Validator, pattern: str, instance: Any, __: object) -> Iterator[ValidationError]:
    if isinstance(instance, str):
        matches = matcher(pattern)
        if matches is not None and not matches(instance):
            yield ValidationError("does not match the pattern")


def _pattern_properties(
    validator: Any, schemas: Mapping[str, Any], instance: Any, _: object
) -> Iterator[ValidationError]:
    if isinstance(instance, dict):
        for pattern, schema in schemas.items():
            matches = matcher(pattern)
            for name, value in instance.items() if matches is not None else ():
                if matches is not None and matches(name):
                    yield from validator.descend(value, schema, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, rest: Mapping[str, Any], instance: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    matchers = [matcher(pattern) for pattern in schema.get("patternProperties", ())]
    declared = schema.get("properties", {})
    for name, value in instance.items():
        # A pattern that cannot be checked may match any name.
        if name not in declared and not any(matches is None or matches(name) for matches in matchers):
            if rest == {"not": {}}:
                error = ValidationError("is not a property of this object", path=[name])
                error.instance = value
                yield error
            else:
                yield from validator.descend(value, rest, path=name)


def _unique_items(_: Validator, wanted: bool, instance: Any, __: object) -> Iterator[ValidationError]:
    if wanted and isinstance(instance, list) and len({equal_key(each) for each in instance}) != len(instance):
        yield ValidationError("has equal items")


def _counted(keyword: Callable[..., Iterable[ValidationError] | None]) -> Callable[..., Iterator[ValidationError]]:
    def run(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        _budget.get().spend(instance)
        yield from keyword(validator, value, instance, schema) or ()

    return run


_OWN: Final[Mapping[str, Callable[..., Iterator[ValidationError]]]] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique_items,
}
_Checker: Final = extend(  # type: ignore[no-untyped-call]  # the stubs leave it untyped
    Draft202012Validator,
    {
        name: _counted(_OWN.get(name, keyword))
        for name, keyword in Draft202012Validator.VALIDATORS.items()
        if name != "format"
    },
)

_memory: OrderedDict[str, Validator] = OrderedDict()
_lock = Lock()


def _validator(doc: Doc) -> Validator:
    with _lock:
        known = _memory.get(doc.text)
        if known is not None:
            _memory.move_to_end(doc.text)
            return known
    made: Validator = _Checker(checkable(doc), registry=Registry())
    with _lock:
        _memory[doc.text] = made
        while len(_memory) > _REMEMBERED:
            _memory.popitem(last=False)
    return made
