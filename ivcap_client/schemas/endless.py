"""References that lead back to themselves without going a step deeper into the value, as in `{"$ref": "#"}`.

No value can be checked against those. A reference that recurs inside a property or an item is another matter: it ends
where the value ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .keywords import Node

_HERE_ONE = ("not", "if", "then", "else")
_HERE_LIST = ("allOf", "anyOf", "oneOf")


def cut_endless(nodes: Iterable[Node], defs: Mapping[str, Node]) -> list[Node]:
    """Remove, in place, each reference that closes such a circle; return the schemas that had one."""
    cut: list[Node] = []
    state: dict[int, bool] = {}  # id of a node → its walk is over
    for start in nodes:
        if id(start) in state:
            continue
        state[id(start)] = False
        path = [(start, iter(_here(start, defs)))]
        while path:
            node, following = path[-1]
            step = next(following, None)
            if step is None:
                state[id(node)] = True
                path.pop()
                continue
            target, by_reference = step
            done = state.get(id(target))
            if done is None:
                state[id(target)] = False
                path.append((target, iter(_here(target, defs))))
            elif not done and by_reference:
                del node["$ref"]
                cut.append(node)
    return cut


def _here(node: Node, defs: Mapping[str, Node]) -> list[tuple[Node, bool]]:
    """Return the schemas that are tried on the same value as `node`, and whether a reference leads there."""
    found = [(node[key], False) for key in _HERE_ONE if key in node]
    found += [(each, False) for key in _HERE_LIST for each in node.get(key, ())]
    found += [(each, False) for each in node.get("dependentSchemas", {}).values()]
    if "$ref" in node:
        found.append((defs[node["$ref"].removeprefix("#/$defs/")], True))
    return found
