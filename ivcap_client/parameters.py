"""Parameters of services that list them one by one, as container services do; tools describe theirs by a schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ivcap_client._core.wire import Fields
from ivcap_client.exception import InvalidInput
from ivcap_client.urns import is_urn

__all__ = ["POption", "PType", "ServiceParameter", "parameters_of", "schema_of"]


class PType(StrEnum):
    """Kinds of parameters, in the platform's words."""

    STRING = "string"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    OPTION = "option"
    ARTIFACT = "artifact"
    COLLECTION = "collection"
    UNKNOWN = "unknown"

    @classmethod
    def from_string(cls, text: str | None) -> PType:
        """The kind of this name; `UNKNOWN` for a word we do not know."""
        try:
            return cls((text or "").lower())
        except ValueError:
            return cls.UNKNOWN


@dataclass(frozen=True, slots=True)
class POption:
    """One of the values that an `option` parameter takes."""

    value: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class ServiceParameter:
    """One parameter of a service.

    Attributes:
        name: As the service spells it, with its hyphens.
        type: What kind of value it takes.
        description: What it means.
        label: What to call it in a form.
        unit: What a number counts.
        is_constant: It has one value that cannot be chosen.
        is_unary: A switch: it is given or not.
        is_optional: It may be left out, because the service says so or has a default.
        default: What holds where it is left out, as text.
        options: Values to choose from.

    Examples:
        >>> from ivcap_client.service import PType, ServiceParameter
        >>> threshold = ServiceParameter("max-depth", PType.INT, default="3", is_optional=True)
        >>> threshold.verify(5)
        >>> threshold.verify("five")
        Traceback (most recent call last):
        ...
        ivcap_client.exception.InvalidInput: max-depth: a whole number is wanted, 'five' was given
    """

    name: str
    type: PType
    description: str = ""
    label: str | None = None
    unit: str | None = None
    is_constant: bool = False
    is_unary: bool = False
    is_optional: bool = False
    default: str | None = None
    options: list[POption] = field(default_factory=list)

    def verify(self, value: Any) -> None:
        """See that a value can be one of this parameter.

        Raises:
            InvalidInput: It cannot; the message says what is wanted.
        """
        wanted = self._wanted(value)
        if wanted:
            raise InvalidInput(f"{self.name}: {wanted} is wanted, {str(value)[:100]!r} was given")

    def _wanted(self, value: Any) -> str | None:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        match self.type:
            case PType.INT:
                return None if number and value == int(value) else "a whole number"
            case PType.FLOAT:
                return None if number else "a number"
            case PType.BOOL:
                return None if isinstance(value, bool) else "True or False"
            case PType.OPTION:
                known = [option.value for option in self.options]
                return None if value in known else f"one of {', '.join(known)}"
            case PType.ARTIFACT:
                ours = isinstance(value, str) and value.startswith(("urn:ivcap:artifact:", "http://", "https://"))
                return None if ours or str(value).startswith(("urn:http://", "urn:https://")) else "an artifact's URN"
            case PType.COLLECTION:
                return None if isinstance(value, str) and is_urn(value) else "a URN"
            case PType.STRING:
                return None if isinstance(value, str) else "text"
        return None


def parameters_of(listed: Iterable[Mapping[str, Any]]) -> dict[str, ServiceParameter]:
    """The parameters a platform lists, under their names with `_` for `-`; one that cannot be read is skipped."""
    found = {}
    for item in listed:
        told = Fields(item, "read service")
        name = told.text("name")
        if name:
            found[name.replace("-", "_")] = _parameter(name, told)
    return found


def schema_of(parameters: Iterable[ServiceParameter]) -> dict[str, Any]:
    """A JSON Schema that says what the parameters say, for a model of their values."""
    listed = list(parameters)
    return {
        "type": "object",
        "properties": {each.name: _property(each) for each in listed},
        "required": [each.name for each in listed if not each.is_optional],
    }


_TYPES = {PType.INT: "integer", PType.FLOAT: "number", PType.BOOL: "boolean"}


def _property(each: ServiceParameter) -> dict[str, Any]:
    kind: dict[str, Any] = {} if each.type is PType.UNKNOWN else {"type": _TYPES.get(each.type, "string")}
    kind |= {"enum": [option.value for option in each.options]} if each.type is PType.OPTION and each.options else {}
    kind |= {"title": each.label} if each.label else {}
    kind |= {"description": each.description} if each.description else {}
    return kind


def _parameter(name: str, told: Fields) -> ServiceParameter:
    default = told.any("default")
    options = told.any("options")
    return ServiceParameter(
        name=name,
        type=PType.from_string(told.text("type")),
        description=told.text("description") or "",
        label=told.text("label") or None,
        unit=told.text("unit") or None,
        is_constant=bool(told.flag("constant")),
        is_unary=bool(told.flag("unary")),
        # Platforms call parameters with a default mandatory too.
        is_optional=bool(told.flag("optional")) or default not in (None, ""),
        default=None if default in (None, "") else str(default),
        options=[
            POption(str(one["value"]), one.get("description") or None)
            for one in (options if isinstance(options, list) else ())
            if isinstance(one, Mapping) and "value" in one
        ],
    )
