"""Fields of an input that a service does not declare and yet accepts, and that look like slips. Pure.

A schema that does not forbid further properties allows them, and most services then ignore them: a misspelt option
changes nothing, and nobody is told. Others mean what they allow, so only a name much like a declared one is spoken of.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ivcap_client.schemas.keywords import Node
from ivcap_client.schemas.reading import Doc

from ..text import clip, one_line
from .keys import SCHEMA_KEY
from .places import speaking

_MOST_LOOKED_AT: Final = 2_000
_MOST_TOLD: Final = 5
_MOST_COMPARED: Final = 200
"""Names in one object that are compared, on either side: each pair takes some microseconds."""
_MOST_PAIRS: Final = 10_000
"""Names that are compared in one input, with each other: half a second at most. After that nothing more is told."""
_NEAR: Final = 0.75
"""Likeness from which on a name is taken for a slip, as `difflib` counts it: two letters swapped in a word of eight."""


@dataclass(frozen=True, slots=True)
class Undeclared:
    """A field that the service does not declare.

    Attributes:
        field: Where, as in `shape.points[2].x`.
        near: The declared field that it is like.
    """

    field: str
    near: str

    def __str__(self) -> str:
        return f"Unknown field `{self.field}` was passed on; did you mean `{self.near}`?"


def undeclared(value: Any, doc: Doc, names: Mapping[str, str], within: str = "") -> list[Undeclared]:
    """Find what was probably meant for a declared field, at any depth; at most five, the outermost first.

    Args:
        value: The input, in the service's own names.
        doc: The service's schema.
        names: Original → published property name: the caller is told the ones they know.
        within: Name of the argument that carries the whole input; empty where the arguments are the input.
    """
    found: list[Undeclared] = []
    slips = _Slips()
    waiting: list[tuple[str, Any, Sequence[Node]]] = [(within, value, (doc.root,))]
    for looked_at, (where, here, schemas) in enumerate(waiting):  # grows while it is walked
        if looked_at >= _MOST_LOOKED_AT or len(found) >= _MOST_TOLD:
            break
        parts = speaking(doc, schemas)
        if isinstance(here, dict):
            properties: dict[str, list[Node]] = {}
            for part in parts:
                for name, schema in part.get("properties", {}).items():
                    properties.setdefault(name, []).append(schema)
            if not any("patternProperties" in part for part in parts):  # else names like a declared one may be meant
                found += _beside(where, here, properties, names, slips)
            waiting += [
                (_at(where, names.get(name, name)), here[name], schemas)
                for name, schemas in properties.items()
                if isinstance(here.get(name), (dict, list))
            ]
        elif isinstance(here, list):
            items = [part["items"] for part in parts if isinstance(part.get("items"), dict)]
            waiting += [
                (f"{where}[{number}]", each, items)
                for number, each in enumerate(here[:_MOST_LOOKED_AT])
                if items and isinstance(each, (dict, list))
            ]
    return found[:_MOST_TOLD]


def near(name: str, declared: Sequence[str]) -> str:
    """The declared name that was probably meant; empty if none is like it."""
    plain = {_plain(each[:100]): each for each in reversed(declared[:_MOST_COMPARED])}
    found = difflib.get_close_matches(_plain(name[:100]), plain, n=1, cutoff=_NEAR)
    return plain[found[0]] if found else ""


class _Slips:
    """What was meant by names, as often as they come: the objects of a list all have the same."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], dict[str, str]] = {}
        self._left = _MOST_PAIRS

    def near(self, name: str, declared: Sequence[str]) -> str:
        known = self._known.setdefault(tuple(declared), {})
        if name not in known:
            self._left -= len(declared)
            known[name] = near(name, declared) if self._left >= 0 else ""
        return known[name]


def _beside(
    where: str, here: dict[str, Any], properties: Mapping[str, Any], names: Mapping[str, str], slips: _Slips
) -> Iterator[Undeclared]:
    free = [names.get(name, name) for name in properties if name not in here and name != SCHEMA_KEY][:_MOST_COMPARED]
    strange = [name for name in here if name not in properties and name != SCHEMA_KEY]
    for name in strange[:_MOST_COMPARED]:
        if meant := slips.near(name, free):
            yield Undeclared(clip(_at(where, one_line(name, 100)), 400), _at(where, one_line(meant, 60)))


def _at(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()
