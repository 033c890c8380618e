"""The published form of a schema: what every client and model host can read, never stricter than the original.

Nulls are the exception: they are not offered, though still accepted when given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ivcap_client.schemas.keywords import ANNOTATIONS, Node
from ivcap_client.schemas.kinds import KindsOf, conjuncts
from ivcap_client.schemas.reading import Doc

from ..text import one_line
from .keys import tells_apart
from .objects import object_of
from .scalars import number, string, tightest, values
from .shapes import any_of, anything, bare, described, is_anything, is_clean, plain_kinds, shown

MOST_DEPTH: Final = 32
"""Deepest nesting of published objects and arrays."""
_MOST_NESTED: Final = 48
_MOST_NODES: Final = 4_000
_MOST_DEFAULT: Final = 1_000

_LOST: Final[Mapping[str, str]] = {
    "not": "what must not match (not)",
    "if": "conditions (if, then, else)",
    "dependentSchemas": "what some properties demand of others",
    "dependentRequired": "what some properties demand of others",
    "contains": "what an array must contain",
    "unevaluatedProperties": "unevaluatedProperties",
    "unevaluatedItems": "unevaluatedItems",
    "patternProperties": "properties named by a pattern",
    "propertyNames": "rules for property names",
}


class TooLarge(Exception):
    """The published form would have more than 4,000 schemas: references were multiplied."""


class Publisher:
    """One publication, down to a depth. `node` does the work; the rest are its parts.

    Args:
        doc: The schema.
        names: Original → published property name, for those that differ.
        depth: Objects and arrays deeper than this are published as open.
    """

    def __init__(self, doc: Doc, names: Mapping[str, str], depth: int = MOST_DEPTH) -> None:
        self.doc = doc
        self.kinds = KindsOf(doc)
        self.notes: dict[str, None] = dict.fromkeys(doc.notes)
        self.names = names
        self._most_depth = depth
        self._made = 0
        self._depth = 0
        self._nested = 0
        self._open_refs: list[str] = []
        self.renamed: dict[str, str] = {}

    def note(self, text: str) -> None:
        """Remember something that was loosened."""
        if len(self.notes) < 40:
            self.notes[text] = None

    def node(self, *nodes: Node, called: str = "", keep: bool = False) -> Node:
        """Publish what satisfies all of `nodes`.

        Args:
            nodes: Schemas that hold together.
            called: Name of the property, to see whether a title says more.
            keep: The `$schema` property is needed to tell this from its siblings.
        """
        self._made += 1
        if self._made > _MOST_NODES:
            raise TooLarge
        parts = conjuncts(self.doc, *nodes)
        if len(parts) == 1 and is_anything(parts[0]):
            return described(self._with_default(anything(), parts), self._description(parts, called))
        refs = [part["$ref"] for part in parts if "$ref" in part]
        kinds = self.kinds(*nodes)
        if self._nested >= _MOST_NESTED:
            return bare(kinds)
        if any(ref in self._open_refs for ref in refs):
            self.note("a part that contains itself is shown once; deeper down it is open")
            return described(bare(kinds), self._description(parts[:1], called))
        self._nested += 1
        self._open_refs.extend(refs)
        made = self._alternatives(parts, keep) or self._typed(parts, plain_kinds(kinds), keep)
        del self._open_refs[len(self._open_refs) - len(refs) :]
        self._nested -= 1
        for part in parts:
            for keyword in _LOST.keys() & part.keys():
                if part[keyword] not in ({}, True) and part.get("not") != {}:
                    self.note(f"not shown, but checked: {_LOST[keyword]}")
        description = self._description(parts, called) or made.get("description", "").strip()
        additions = made.pop("additions", ())
        return described(self._with_default(made, parts), description, *additions, *self._examples(parts))

    def branches(self, parts: Iterable[Node]) -> tuple[list[Node], list[Node]] | None:
        """Return the alternatives among the parts of a schema, without null, and the parts that hold beside them."""
        found: list[Node] | None = None
        rest: list[Node] = []
        for part in parts:
            left = {key: value for key, value in part.items() if key not in ("$ref", "allOf")}
            for keyword in ("anyOf", "oneOf"):
                if keyword in left:
                    branches = left.pop(keyword)
                    if found is None:
                        found = branches
                    else:
                        self.note("of several sets of alternatives for one value only the first is shown")
            rest.append(left)
        if found is None:
            return None
        limits = [{key: value for key, value in part.items() if key not in ANNOTATIONS} for part in rest]
        limits = [part for part in limits if part]
        allowed = self.kinds(*limits) - {"null"}
        return [branch for branch in found if self.kinds(branch) & allowed], limits

    def _alternatives(self, parts: list[Node], keep: bool) -> Node | None:
        split = self.branches(parts)
        if split is None or not split[0]:
            return None
        branches, limits = split
        keep = keep or tells_apart(self.doc, self.kinds, branches)
        made = any_of([self.node(branch, *limits, keep=keep) for branch in branches])
        chosen = next((part["discriminator"] for part in parts if "discriminator" in part), None)
        if chosen is not None and "anyOf" in made:
            made = {**made, "additions": [f"Say which by `{self.names.get(chosen, chosen)}`."]}
        return dict(made)

    def _typed(self, parts: list[Node], kinds: list[str], keep: bool) -> Node:
        if not kinds:
            self.note("only null, or nothing at all, is accepted somewhere: that part is shown as open")
            return anything()
        limits = [part.keys() - ANNOTATIONS - {"$ref", "allOf", "anyOf", "oneOf"} for part in parts]
        if len(kinds) == 5 and not any(limits):
            return anything()
        made = [self._of_kind(kind, parts, keep) for kind in kinds]
        if len(made) == 1:
            return made[0]
        return any_of(described(each, "", *each.pop("additions", ())) for each in made)

    def _of_kind(self, kind: str, parts: list[Node], keep: bool) -> Node:
        offered = values(kind, parts)
        if offered is not None and kind in ("object", "array"):
            return {**bare(frozenset({kind})), "additions": [f"One of: {shown(offered)}."]}
        if offered is not None:
            if is_clean(offered):
                return {"type": kind, "enum": offered}
            self.note("values with invisible characters are not listed")
            return {"type": kind}
        if kind == "string":
            return string(parts)
        if kind in ("number", "integer"):
            return number(kind, parts)
        if kind == "boolean":
            return {"type": kind}
        if self._depth >= self._most_depth:
            self.note(f"what lies deeper than {self._most_depth} levels is open")
            return bare(frozenset({kind}))
        self._depth += 1
        made = self._array(parts) if kind == "array" else object_of(self, parts, keep)
        self._depth -= 1
        return made

    def _array(self, parts: list[Node]) -> Node:
        made: Node = {"type": "array"}
        most = tightest(parts, "maxItems", min)
        said = []
        tuples = [part for part in parts if "prefixItems" in part]
        if tuples:
            # The union of the members: the first alone would refuse the others.
            members = tuples[0]["prefixItems"]
            after = tuples[0].get("items", {})
            if after.get("not") == {}:
                most = len(members) if most is None else min(most, len(members))
            shown_members = [self.node(each) for each in members]
            if most is None or most > len(members):
                shown_members.append(self.node(after))
            made["items"] = any_of(shown_members)
            said = [f"In order: {', '.join(one_line(_kind_name(each), 40) for each in shown_members[: len(members)])}."]
        else:
            items = [part["items"] for part in parts if "items" in part]
            if any(each.get("not") == {} for each in items):
                most, items = 0, []
            made["items"] = self.node(*items) if items else anything()
        least = tightest(parts, "minItems", max)
        if least:
            made["minItems"] = least
        if most is not None:
            made["maxItems"] = most
        if any(part.get("uniqueItems") for part in parts):
            made["uniqueItems"] = True
        return {**made, "additions": said} if said else made

    def _description(self, parts: Iterable[Node], called: str) -> str:
        for part in parts:
            if part.get("description", "").strip():
                return str(part["description"])
        title = next((part["title"] for part in parts if "title" in part), "")
        return "" if _letters(title) == _letters(called) else str(title)

    def _examples(self, parts: Iterable[Node]) -> list[str]:
        given = next((part["examples"] for part in parts if "examples" in part), None)
        return [f"For example: {shown(given[:3], 120)}."] if given else []

    def _with_default(self, made: Node, parts: Iterable[Node]) -> Node:
        default = next((part["default"] for part in parts if "default" in part), None)
        if default is None or len(str(default)) > _MOST_DEFAULT or not is_clean(default):
            return made
        # A default with keys in it would have to be renamed like the value itself, and teaches little.
        return made if isinstance(default, dict | list) and default else {**made, "default": default}


def _kind_name(schema: Node) -> str:
    return str(schema.get("type") or "one of several")


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())
