"""Objects and arrays that arrive as JSON text."""

from __future__ import annotations

import json
from typing import Any

from ivcap_client.schemas.kinds import KindsOf
from ivcap_client.schemas.limits import too_much
from ivcap_client.schemas.reading import Doc

from .places import Nodes, Places


class Repair:
    """One walk over a value, along the schema it is for."""

    def __init__(self, doc: Doc) -> None:
        self._places = Places(doc)
        self._kinds = KindsOf(doc)

    def repaired(self, value: Any, nodes: Nodes) -> Any:
        if not nodes:
            return value
        if isinstance(value, str):
            value = self._parsed(value, nodes)
        place = self._places.of(nodes) if isinstance(value, dict | list) else None
        if place is not None and isinstance(value, dict):
            return {name: self.repaired(each, place.under(name)) for name, each in value.items()}
        if place is not None and isinstance(value, list):
            return [self.repaired(each, place.at(index)) for index, each in enumerate(value)]
        return value

    def _parsed(self, text: str, nodes: Nodes) -> Any:
        kinds = frozenset[str]().union(*(self._kinds(node) for node in nodes))
        if "string" in kinds or not kinds & {"object", "array"} or text.lstrip()[:1] not in ("{", "["):
            return text
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return text
        fits = (isinstance(value, dict) and "object" in kinds) or (isinstance(value, list) and "array" in kinds)
        return value if fits and too_much(value) is None else text
