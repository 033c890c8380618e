"""What a validator found → complaints a model can act on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ivcap_client.schemas.keywords import Node
from ivcap_client.schemas.kinds import KindsOf, conjuncts
from ivcap_client.schemas.reading import Doc

from ..text import clip, one_line
from .keys import SCHEMA_KEY
from .undeclared import near
from .wording import given, wanted

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

MOST_COMPLAINTS: Final = 5
_MOST_ALTERNATIVES: Final = 6


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing wrong with the arguments of a call.

    Attributes:
        field: Where, as in `shape.points[2].x`; empty for the input as a whole.
        given: What was given there, shortened; "nothing" if it is missing.
        wanted: What the service accepts there.
    """

    field: str
    given: str
    wanted: str

    def __str__(self) -> str:
        where = f"`{self.field}`" if self.field else "the input"
        return f"{where}: given {self.given}; wanted {self.wanted}"


class Teller:
    """Makes complaints of a validator's errors.

    Args:
        doc: The schema that was checked against.
        names: Original → published property name: complaints use the ones the caller knows.
        within: Name of the argument that carries the whole input; empty where the arguments are the input.
    """

    def __init__(self, doc: Doc, names: Mapping[str, str], within: str = "") -> None:
        self._doc = doc
        self._kinds = KindsOf(doc)
        self._names = names
        self._within = within

    def complaints(self, error: ValidationError) -> list[Complaint]:
        """Return what one error means to the caller."""
        schema: Any = error.schema
        path = list(error.absolute_path)
        match error.validator:
            case "required":
                value: Any = error.instance
                missing = [name for name in schema["required"] if name not in value]
                own = conjuncts(self._doc, schema)
                return [self._missing(path, name, own, value) for name in missing[:MOST_COMPLAINTS]]
            case "additionalProperties" if schema.get("additionalProperties") == {"not": {}}:
                names = [self._names.get(name, name) for name in schema.get("properties", ())]
                known = ", ".join(one_line(name, 60) for name in names[:20] if name != SCHEMA_KEY) or "none"
                meant = near(str(path[-1]), names) if path else ""
                meant = f", did you mean `{one_line(meant, 60)}`" if meant else ""
                return [self._complaint(path, error.instance, f"no such field{meant}; known here: {known}")]
            case "anyOf" | "oneOf":
                return [self._complaint(path, error.instance, self._alternatives(error))]
            case "uniqueItems":
                return [self._complaint(path, error.instance, "items that all differ")]
            case "not" if error.validator_value != {}:
                return [self._complaint(path, error.instance, "something the schema does not exclude")]
            case "dependentRequired" | "contains" | "propertyNames" | "unevaluatedProperties" | "unevaluatedItems":
                return [self._complaint(path, error.instance, one_line(f"{error.validator}: {error.message}", 300))]
        return [self._complaint(path, error.instance, wanted(self._doc, self._kinds, schema, self._names))]

    def _missing(
        self, path: list[Any], name: str, parts: Iterable[Mapping[str, Any]], instance: Mapping[str, Any]
    ) -> Complaint:
        parts = list(parts)
        strange = [key for key in instance if not any(key in part.get("properties", {}) for part in parts)]
        meant = near(name, strange)
        meant = f"; is `{one_line(meant, 60)}` meant for it?" if meant else ""
        schema: Node = next((part["properties"][name] for part in parts if name in part.get("properties", {})), {})
        told = wanted(self._doc, self._kinds, schema, self._names)
        return Complaint(self._field([*path, name]), "nothing", f"{told} (required){meant}")

    def _complaint(self, path: list[Any], value: Any, told: str) -> Complaint:
        return Complaint(self._field(path), given(value), told)

    def _alternatives(self, error: ValidationError) -> str:
        """Say what each alternative wants, and what is wrong by it where that says more."""
        branches: Any = error.validator_value
        if not error.context:
            all_told = wanted(self._doc, self._kinds, {str(error.validator): branches}, self._names)
            return f"exactly one of these, and it fits several: {all_told}"
        told: list[str] = []
        for index, branch in enumerate(branches[:_MOST_ALTERNATIVES]):
            text = wanted(self._doc, self._kinds, branch, self._names)
            inner = next((each for each in error.context if each.schema_path[0] == index), None)
            if inner is not None and isinstance(error.instance, dict) and inner.validator != "type":
                wrong = self.complaints(inner)
                text += f" (here {wrong[0]})" if wrong and len(str(wrong[0])) < 300 else ""
            told.append(text)
        if len(branches) > _MOST_ALTERNATIVES:
            told.append(f"{len(branches) - _MOST_ALTERNATIVES} more")
        return "one of: " + "; or ".join(dict.fromkeys(told))

    def _field(self, path: Iterable[Any]) -> str:
        text = self._within
        for step in path:
            if isinstance(step, int):
                text += f"[{step}]"
            else:
                text += ("." if text else "") + one_line(self._names.get(step, step), 100)
        return clip(text, 400)
