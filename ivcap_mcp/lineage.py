"""Where something comes from, and what used it: a bounded walk along recorded provenance, told as trees and a graph."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import anyio

from ivcap_client import IVCAP
from ivcap_client.urns import kind_of
from ivcap_mcp.provenance import Found, Records
from ivcap_mcp.statements import Edge, joined
from ivcap_mcp.text import one_line

NOT_READ = Found()
Direction = Literal["from", "used_by", "both"]

MOST_NODES = 80
MOST_REQUESTS = 200
AT_ONCE = 6
MOST_LEAVES = 20
"""Artifacts at the rim whose names are looked up."""
MOST_BESIDE = 25
"""Neighbours of one node that are followed."""
NOTHING = "No provenance recorded"
FURTHER = "Not followed further; a larger `depth` shows more."


@dataclass(slots=True)
class Graph:
    """What was found. `edges` carry the places where each is written; `notes` say what was left out and why."""

    root: str
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    edges: list[tuple[Edge, list[str]]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rerun: dict[str, Any] | None = None

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


class Walk:
    """One walk.

    Args:
        ivcap: The platform.
        at: What was recorded then; `None`: now.
        until: When it must be over, on the monotonic clock.
    """

    def __init__(self, ivcap: IVCAP, at: datetime | None, until: float) -> None:
        self._records, self._until = Records(ivcap, at), until
        self._found: dict[str, Found] = {}

    async def trace(self, root: str, direction: Direction, depth: int) -> Graph:
        """Follow provenance from `root` for `depth` steps, in one direction or in both.

        Raises:
            IvcapError: Nothing can be said even about `root`. What fails further on is noted.
        """
        graph = Graph(root, {root: {}})
        edges: list[Edge] = []
        for up in (True, False):
            if direction != "both" and up != (direction == "from"):
                continue
            edges += await self._followed(graph, up, depth)
        has_users = any(edge.object == root and edge.upward for edge in edges)
        if direction != "from" and kind_of(root) == "artifact" and not has_users:
            users = await self._records.recent_users(root)
            edges += users
            if users:
                graph.note("The platform states nothing about use; the inputs of the newest jobs were looked through.")
        graph.edges = joined(edges)
        for urn in dict.fromkeys(end for edge, _ in graph.edges for end in (edge.subject, edge.object)):
            graph.nodes.setdefault(urn, {})
        for urn, label in graph.nodes.items():
            label |= {"kind": kind_of(urn) or "entity"} | (self._found[urn].label if urn in self._found else {})
        await self._leaves_named(graph)
        graph.rerun = self._rerun(graph)
        return graph

    async def _followed(self, graph: Graph, up: bool, depth: int) -> list[Edge]:
        edges: list[Edge] = []
        level, seen = [graph.root], {graph.root}
        for step in range(depth):
            level = await self._read(graph, level)
            following: list[str] = []
            for urn in level:
                beside = _beside(urn, self._found[urn].edges, up)
                if len(beside) > MOST_BESIDE:
                    graph.note(f"{urn} has {len(beside)} neighbours, {MOST_BESIDE} are shown.")
                for edge, other in list(beside.items())[:MOST_BESIDE]:
                    edges.append(edge)
                    if other not in seen:
                        seen.add(other)
                        following.append(other)
            level = following
            if not level:
                return edges
            if step == depth - 1 and any(kind_of(urn) in ("artifact", "job") for urn in level):
                graph.note(FURTHER)
        return edges

    async def _leaves_named(self, graph: Graph) -> None:
        leaves = [urn for urn, label in graph.nodes.items() if label["kind"] == "artifact" and urn not in self._found]

        async def one(urn: str) -> None:
            if self._records.requests < MOST_REQUESTS and time.monotonic() < self._until:
                graph.nodes[urn] |= await self._records.name(urn)

        async with anyio.create_task_group() as tasks:
            for urn in leaves[:MOST_LEAVES]:
                tasks.start_soon(one, urn)

    async def _read(self, graph: Graph, level: list[str]) -> list[str]:
        """Read the records of a level; return those that could be."""
        limiter = anyio.CapacityLimiter(AT_ONCE)
        known = [urn for urn in level if urn in self._found]
        wanted = [urn for urn in level if urn not in self._found]
        # What a service did for others says nothing about where this came from.
        wanted = [urn for urn in wanted if kind_of(urn) != "service" or urn == graph.root]

        async def one(urn: str) -> None:
            async with limiter:
                if len(self._found) >= MOST_NODES or self._records.requests >= MOST_REQUESTS:
                    graph.note(f"Stopped after {len(self._found)} things were looked at; ask about one of the leaves.")
                    return
                if time.monotonic() > self._until:
                    graph.note("Stopped because the time for one call was over; ask about one of the leaves.")
                    return
                self._found[urn] = await self._records.about(urn)

        async with anyio.create_task_group() as tasks:
            for urn in wanted:
                tasks.start_soon(one, urn)
        for urn in wanted:
            found = self._found.get(urn, NOT_READ)
            if found.failure is not None and urn == graph.root:
                raise found.failure
            for problem in [*found.problems, *([found.failure] if found.failure else [])]:
                graph.note(f"Part of the records could not be asked for: {problem}")
        return known + [urn for urn in wanted if urn in self._found]

    def _rerun(self, graph: Graph) -> dict[str, Any] | None:
        makers = [edge.subject for edge, _ in graph.edges if edge.object == graph.root and not edge.upward]
        for urn in (graph.root, *makers):
            if urn in self._found and self._found[urn].rerun:
                return {"job": urn} | (self._found[urn].rerun or {})
        return None


def _beside(urn: str, edges: list[Edge], up: bool) -> dict[Edge, str]:
    """Edges of a node that lead up (or down), with the node at their other end."""
    found: dict[Edge, str] = {}
    for edge in edges:
        if edge.subject == edge.object:
            continue
        if edge.subject == urn and edge.upward == up:
            found[edge] = edge.object
        elif edge.object == urn and edge.upward != up:
            found[edge] = edge.subject
    return found


def tree(graph: Graph, up: bool) -> list[str]:
    """The part of the graph above (or below) the root as lines; each step says where it is written."""
    lines = [described(graph, graph.root)]
    _branches(graph, graph.root, up, "", {graph.root}, lines)
    return lines


def _branches(graph: Graph, urn: str, up: bool, indent: str, seen: set[str], lines: list[str]) -> None:
    sources = dict(graph.edges)
    branches = list(_beside(urn, list(sources), up).items())
    for number, (edge, other) in enumerate(branches):
        last = number == len(branches) - 1
        words = edge.relation if edge.subject == urn else _passive(edge.relation)
        again = other in seen
        places = sources[edge]
        more = f"; {len(places) - 1} more" if len(places) > 1 else ""
        said = f"{words} {described(graph, other)}{' (see above)' if again else ''} [{places[0]}{more}]"
        lines.append(f"{indent}{'└─ ' if last else '├─ '}{said}")
        if not again:
            seen.add(other)
            _branches(graph, other, up, indent + ("   " if last else "│  "), seen, lines)


def _passive(relation: str) -> str:
    passive: dict[str, str] = {
        "produced": "produced by",
        "used": "used by",
        "named in its result": "named in the result of",
        "ran": "run by",
        "asked for": "asked for by",
        "is about": "spoken of by",
    }
    return passive[relation]


def described(graph: Graph, urn: str, most: int = 120) -> str:
    """A node in words."""
    label = graph.nodes.get(urn, {})
    told = [one_line(str(label[name]), most) for name in ("name", "status", "note") if label.get(name)]
    return f"{label.get('kind', 'entity')} {urn}" + (f" ({', '.join(told)})" if told else "")


def structured(graph: Graph, shown: Callable[[str], str]) -> dict[str, Any]:
    """Nodes and edges. `shown` cleans text that others wrote."""
    nodes = [
        {"urn": urn} | {name: shown(value) if isinstance(value, str) else value for name, value in label.items()}
        for urn, label in graph.nodes.items()
    ]
    edges = [
        {"from": edge.subject, "relation": edge.relation, "to": edge.object, "sources": places[:3]}
        for edge, places in graph.edges
    ]
    return {"urn": graph.root, "nodes": nodes, "edges": edges}
