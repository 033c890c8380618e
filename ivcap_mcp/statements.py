"""What one statement says about provenance, whatever its spelling. Pure.

Aspects are stated under many spellings: `urn:ivcap:schema:` and `urn:ivcap:schema.`; about the job, the order or the
artifact (rest-api 2.8, and what older deployments wrote). All of them are understood; what says the same counts once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ivcap_client import Aspect
from ivcap_client.urns import kind_of

PRODUCED, USED, NAMED, RAN, ASKED, STATED = "produced", "used", "named in its result", "ran", "asked for", "is about"
UPWARD = frozenset({USED, RAN, ASKED, STATED})
"""Relations whose object came before their subject; with the others it came after."""

SCHEMA = re.compile(r"urn:ivcap:schema[:.](?P<name>[A-Za-z-]+)\.\d+")
ANY_URN = re.compile(r"urn:ivcap:(?:artifact|job|order|aspect):[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
MOST_NAMED = 30


@dataclass(frozen=True, slots=True)
class Edge:
    """`subject` `relation` `object`, and where that is written."""

    subject: str
    relation: str
    object: str
    source: str

    @property
    def upward(self) -> bool:
        return self.relation in UPWARD


def edges_of(aspect: Aspect) -> list[Edge]:
    """What a statement of the platform says about provenance; nothing for others."""
    match = SCHEMA.fullmatch(aspect.schema)
    content = aspect.record.content
    if match is None or not isinstance(content, Mapping):
        return []
    name = match["name"].lower()
    source = f"{aspect.urn} ({aspect.schema})"
    entity = aspect.entity
    artifact = text_of(content, "artifact", "artifact-id") or (entity if kind_of(entity) == "artifact" else None)
    work = text_of(content, "job", "job-id") or (entity if kind_of(entity) == "job" else None)
    work = work or text_of(content, "order", "order-id") or (entity if kind_of(entity) == "order" else None)
    edges: list[Edge] = []
    if "produced" in name and artifact and work:
        edges.append(Edge(work, PRODUCED, artifact, source))
    elif ("used" in name or "uses-artifact" in name) and artifact and work:
        edges.append(Edge(work, USED, artifact, source))
    elif name in ("artifact", "artifact-created") and artifact and work:
        edges.append(Edge(work, PRODUCED, artifact, source))
    elif name in ("job", "job-placed", "job-finished", "order-placed", "order-finished") and work:
        edges += [Edge(work, USED, one, source) for one in urns_in(content.get("used"))]
        parent, service = text_of(content, "parent"), text_of(content, "service-id", "service")
        edges += [Edge(parent, ASKED, work, source)] if parent else []
        edges += [Edge(work, RAN, service, source)] if service and service.startswith("urn:") else []
        for product in content.get("products") or ():
            named = product.get("id") if isinstance(product, Mapping) else product
            edges += [Edge(work, PRODUCED, named, source)] if isinstance(named, str) else []
    return edges


def edges_of_result(job: str, result: Any, given: Collection[str]) -> list[Edge]:
    """What a job's result names beside what the job was given: of that it asked for other jobs, and named the rest."""
    named = [one for one in urns_in(result) if one != job and one not in given]
    return [Edge(job, ASKED if kind_of(one) == "job" else NAMED, one, "result of the job") for one in named]


def urns_in(value: Any) -> Iterator[str]:
    """URNs of artifacts, jobs, orders and aspects anywhere in a value, each once, in order."""
    found: dict[str, None] = {}
    waiting: list[Any] = [value]
    while waiting and len(found) < MOST_NAMED:
        one = waiting.pop()
        if isinstance(one, str):
            found |= dict.fromkeys(urn.lower() for urn in ANY_URN.findall(one))
        elif isinstance(one, Mapping):
            waiting.extend(reversed(list(one.values())))
        elif isinstance(one, (list, tuple)):
            waiting.extend(reversed(one))
    return iter(list(found)[:MOST_NAMED])


def text_of(content: Any, *names: str) -> str | None:
    """The first of these fields that holds a text, under any of the spellings of its name."""
    if isinstance(content, Mapping):
        for name in names:
            for spelled in (name, name.replace("-", "_"), f"{name}-urn"):
                if isinstance(content.get(spelled), str) and content[spelled]:
                    return str(content[spelled])
    return None


def joined(edges: Iterable[Edge]) -> list[tuple[Edge, list[str]]]:
    """Edges that say the same as one, with all the places where it is written."""
    together: dict[tuple[str, str, str], tuple[Edge, list[str]]] = {}
    for edge in edges:
        _, sources = together.setdefault((edge.subject, edge.relation, edge.object), (edge, []))
        if edge.source not in sources:
            sources.append(edge.source)
    # That an artifact was named in a result says nothing beside the statement that it was produced.
    made = {(edge.subject, edge.object) for edge, _ in together.values() if edge.relation == PRODUCED}
    return [
        (edge, sources)
        for edge, sources in together.values()
        if edge.relation != NAMED or (edge.subject, edge.object) not in made
    ]
