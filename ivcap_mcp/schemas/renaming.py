"""Property names of a value: from published to original and back, at every depth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ivcap_client.schemas.kinds import KindsOf
from ivcap_client.schemas.reading import Doc

from .keys import SCHEMA_KEY, required_pin
from .places import Nodes, Places

# Arguments may be 64 levels deep; what lies deeper is refused by the check, so it is left as it is here.
_MOST_LEVELS: Final = 70


class Renaming:
    """One walk over a value, along the schema it is for.

    Args:
        doc: The original schema.
        names: Name in the value → name in the result. Only properties that the schema declares are renamed, so that
            the free keys of a mapping stay as they are.
    """

    def __init__(self, doc: Doc, names: Mapping[str, str]) -> None:
        self._doc = doc
        self._names = names
        self._places = Places(doc)
        self._kinds = KindsOf(doc)
        self._fixes_schema_key = any(SCHEMA_KEY in node.get("required", ()) for node in doc.nodes)

    def restored(self, value: Any) -> Any:
        """Return a copy with original names, and with the `$schema` properties that are required and fixed."""
        if not self._names and not self._fixes_schema_key:
            return value
        return self._restored(value, (self._doc.root,), 0)

    def presented(self, value: Any) -> Any:
        """Return a copy with published names, without the `$schema` properties that `restored` would put back."""
        return self._presented(value, (self._doc.root,), 0)

    def _restored(self, value: Any, nodes: Nodes, level: int) -> Any:
        if level > _MOST_LEVELS or not nodes:
            return value
        place = self._places.of(nodes)
        if isinstance(value, list):
            return [self._restored(each, place.at(index), level + 1) for index, each in enumerate(value)]
        if not isinstance(value, dict):
            return value
        result = {}
        for key, each in value.items():
            name = self._names.get(key, key)
            if name not in place.declared or name in value:
                name = key
            result[name] = self._restored(each, place.under(name), level + 1)
        if SCHEMA_KEY not in result and self._fixes_schema_key:
            fixed = self._fixed(nodes)
            if fixed is not None:
                result = {SCHEMA_KEY: fixed, **result}
        return result

    def _presented(self, value: Any, nodes: Nodes, level: int) -> Any:
        if level > _MOST_LEVELS or not nodes:
            return value
        place = self._places.of(nodes)
        if isinstance(value, list):
            return [self._presented(each, place.at(index), level + 1) for index, each in enumerate(value)]
        if not isinstance(value, dict):
            return value
        result = {}
        for key, each in value.items():
            declared = place.declared.get(key)
            if key == SCHEMA_KEY and declared and self._fixed(nodes) == each:
                continue
            name = self._names.get(key, key) if declared else key
            result[name] = self._presented(each, place.under(key), level + 1)
        return result

    def _fixed(self, nodes: Nodes) -> Any:
        """Return the `$schema` value that an object here must have, if all that speaks about it agrees."""
        fixed = [required_pin(self._doc, self._kinds, node) for node in nodes]
        return fixed[0] if all(each == fixed[0] for each in fixed) else None
