"""Where a `$ref` leads, inside one document only: nothing is ever fetched."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urljoin

from .keywords import DATA, NAMED


class References:
    """The named places of one JSON document: pointers, anchors, and parts with an `$id` of their own.

    Source: JSON Schema core 2020-12, §8.2 and §9.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self._root = document
        self._resources: dict[str, dict[str, Any]] = {}
        self._anchors: dict[tuple[str, str], dict[str, Any]] = {}
        self._bases: dict[int, str] = {}
        self._index(document)
        self._resources.setdefault("", document)

    def target(self, reference: str, at: dict[str, Any]) -> dict[str, Any] | bool | None:
        """Return the schema that `reference`, found in the dict `at`, means; `None` if this document has none."""
        base = self._bases.get(id(at), "")
        place, _, fragment = reference.partition("#")
        if place:
            base = _joined(base, place)
        resource = self._resources.get(base)
        if resource is None:
            return None
        fragment = unquote(fragment)
        if not fragment:
            return resource
        if not fragment.startswith("/"):
            return self._anchors.get((base, fragment))
        found: Any = resource
        for step in fragment[1:].split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict) and key in found:
                found = found[key]
            elif isinstance(found, list) and key.isascii() and key.isdigit() and int(key[:9]) < len(found):
                found = found[int(key[:9])]
            else:
                return None
        return found if isinstance(found, dict | bool) else None

    def _index(self, document: dict[str, Any]) -> None:
        pending: list[tuple[Any, str, bool]] = [(document, "", False)]
        while pending:
            value, base, named = pending.pop()
            if isinstance(value, list):
                pending.extend((each, base, False) for each in value)
            elif isinstance(value, dict):
                if not named:
                    base = self._enter(value, base)
                self._bases[id(value)] = base
                pending.extend(
                    (each, base, not named and key in NAMED) for key, each in value.items() if named or key not in DATA
                )

    def _enter(self, schema: dict[str, Any], base: str) -> str:
        own = schema.get("$id")
        if isinstance(own, str) and not own.startswith("#"):
            base = _joined(base, own.partition("#")[0])
            self._resources.setdefault(base, schema)
        elif schema is self._root:
            self._resources.setdefault(base, schema)
        for keyword in ("$anchor", "$dynamicAnchor"):
            name = schema.get(keyword)
            if isinstance(name, str):
                self._anchors.setdefault((base, name), schema)
        if isinstance(own, str) and own.startswith("#"):  # how drafts 6 and 7 write an anchor
            self._anchors.setdefault((base, own[1:]), schema)
        return base


def _joined(base: str, place: str) -> str:
    try:
        return urljoin(base, place)
    except ValueError:  # no URL at all, such as "http://["
        return place
