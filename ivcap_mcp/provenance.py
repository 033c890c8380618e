"""What is recorded about where one thing comes from and what used it: aspects, job records, inputs and results.

Aspects are stated under many spellings: `urn:ivcap:schema:` and `urn:ivcap:schema.`; about the job, the order or the
artifact (rest-api 2.8, and what older deployments wrote). All of them are understood; what says the same counts once.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ivcap_client import IVCAP, Aspect, Job
from ivcap_client.exception import InvalidInput, IvcapApiError, ResourceNotFound
from ivcap_client.urns import kind_of

log = logging.getLogger("ivcap_mcp.lineage")

PRODUCED, USED, NAMED, RAN, ASKED, STATED = "produced", "used", "named in its result", "ran", "asked for", "is about"
UPWARD = frozenset({USED, RAN, ASKED, STATED})
"""Relations whose object came before their subject; with the others it came after."""

SCHEMA = re.compile(r"urn:ivcap:schema[:.](?P<name>[A-Za-z-]+)\.\d+")
ANY_URN = re.compile(r"urn:ivcap:(?:artifact|job|order|aspect):[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
ABOUT_ARTIFACTS = "urn:ivcap:schema%artifact%"
JOBS = "urn:ivcap:schema%job%"
RESULTS = "urn:ivcap:schema%job-result%"
MOST_STATEMENTS = 50
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


@dataclass(slots=True)
class Found:
    """What is recorded about one thing."""

    label: dict[str, Any] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    rerun: dict[str, Any] | None = None


class Records:
    """Reads records as they stood at one time.

    Attributes:
        requests: How many times the platform was asked.
    """

    def __init__(self, ivcap: IVCAP, at: datetime | None) -> None:
        self._ivcap, self._at = ivcap, at
        self.requests = 0
        self._deep = True

    async def about(self, urn: str) -> Found:
        """Everything recorded about a URN, in both directions."""
        read = {"artifact": self._artifact, "job": self._job, "service": self._service, "aspect": self._aspect}
        found = Found()
        try:
            await read.get(kind_of(urn) or "", self._other)(urn, found)
        except ResourceNotFound:
            found.label["note"] = "not known here, or not yours"
        return found

    async def name(self, urn: str) -> dict[str, Any]:
        """What an artifact is called, for a leaf that is not looked into."""
        self.requests += 1
        try:
            artifact = await self._ivcap.get_artifact_async(urn)
        except (ResourceNotFound, IvcapApiError) as refused:
            log.info("%s cannot be read: %s", urn, refused)
            return {}
        return _present(name=artifact.name, content_type=artifact.mime_type, size=artifact.size)

    async def recent_users(self, urn: str, most: int = 20) -> list[Edge]:
        """Of the newest jobs, those that name `urn` in their input: for platforms that state nothing about use."""
        edges: list[Edge] = []
        self.requests += 1
        async for job in self._ivcap.list_jobs(limit=most, at_time=self._at):
            self.requests += 1
            try:
                read = await job.refresh_async()
            except IvcapApiError as refused:
                log.info("%s cannot be read: %s", job.urn, refused)
                continue
            if urn in set(urns_in(read.request)):
                edges.append(Edge(read.urn, USED, urn, "input of the job"))
        return edges

    async def _artifact(self, urn: str, found: Found) -> None:
        self.requests += 1
        artifact = await self._ivcap.get_artifact_async(urn)
        found.label |= _present(name=artifact.name, content_type=artifact.mime_type, size=artifact.size)
        found.label |= _present(created_at=artifact.created_at and str(artifact.created_at))
        if self._at and artifact.created_at and artifact.created_at > self._at:
            found.label["note"] = "did not exist at that time"
            return
        made = artifact.record.raw.get("job-id")
        if isinstance(made, str):
            found.edges.append(Edge(made, PRODUCED, urn, "record of the artifact"))
        await self._stated(found, entity=urn)
        await self._stated(found, schema=ABOUT_ARTIFACTS, content_path=f'$.artifact ? (@ == "{urn}")')
        before = len(found.edges)
        await self._named(urn, found)
        known = {edge.subject for edge in found.edges[:before]}
        found.edges[before:] = [edge for edge in found.edges[before:] if edge.subject not in known]

    async def _job(self, urn: str, found: Found) -> None:
        self.requests += 2
        job = await self._ivcap.get_job_async(urn)
        if self._at and job.requested_at and job.requested_at > self._at:
            found.label["note"] = "had not been ordered at that time"
            return
        found.label |= _job_label(job)
        if job.service:
            found.edges.append(Edge(urn, RAN, job.service, "record of the job"))
            if isinstance(job.request, Mapping) and len(json.dumps(job.request, default=str)) <= 4_000:
                found.rerun = {"service": job.service, "input": dict(job.request)}
        given = list(urns_in(job.request))
        found.edges += [Edge(urn, USED, one, "input of the job") for one in given]
        for product in job.record.products:
            if isinstance(product.get("id"), str):
                found.edges.append(Edge(urn, PRODUCED, product["id"], "products of the job"))
        if job.record.result_content_urn:
            found.edges.append(Edge(urn, PRODUCED, job.record.result_content_urn, "record of the job"))
        named = [one for one in urns_in(job.record.result) if one not in given and one != urn]
        found.edges += [
            Edge(urn, NAMED if kind_of(one) == "artifact" else ASKED, one, "result of the job") for one in named
        ]
        await self._stated(found, entity=urn)
        await self._stated(found, schema=JOBS, content_path=f'$.parent ? (@ == "{urn}")')

    async def _service(self, urn: str, found: Found) -> None:
        self.requests += 1
        async for job in self._ivcap.list_jobs(urn, limit=10, at_time=self._at):
            found.edges.append(Edge(job.urn, RAN, urn, "jobs of the service"))

    async def _aspect(self, urn: str, found: Found) -> None:
        self.requests += 1
        aspect = await self._ivcap.get_aspect_async(urn)
        found.label |= _present(schema=aspect.schema, valid_from=aspect.valid_from and str(aspect.valid_from))
        found.edges.append(Edge(urn, STATED, aspect.entity, "record of the aspect"))
        for one in urns_in(aspect.record.content):
            if one not in (urn, aspect.entity):
                found.edges.append(Edge(urn, STATED, one, "content of the aspect"))
        found.edges += edges_of(aspect)

    async def _other(self, urn: str, found: Found) -> None:
        await self._stated(found, entity=urn)
        if kind_of(urn) == "order":
            await self._stated(found, schema=JOBS, content_path=f'$.order ? (@ == "{urn}")')

    async def _named(self, urn: str, found: Found) -> None:
        """Jobs whose result names a URN: anywhere in it, or on its first level where a platform cannot look deeper."""
        for deep in (True, False):
            if deep and not self._deep:
                continue
            problems = list(found.problems)
            path = f'$.** ? (@ == "{urn}")' if deep else f'$."result-content".* ? (@ == "{urn}")'
            await self._stated(found, schema=RESULTS, content_path=path, named=urn)
            if found.problems == problems or not deep:
                return
            self._deep, found.problems = False, problems

    async def _stated(self, found: Found, named: str | None = None, **asked: Any) -> None:
        """Add what aspects say. A platform that cannot answer one of the questions is asked the others all the same."""
        self.requests += 1
        try:
            async for aspect in self._ivcap.list_aspects(limit=MOST_STATEMENTS, at_time=self._at, **asked):
                if named is None:
                    found.edges += edges_of(aspect)
                elif (job := _text(aspect.record.content, "job-id", "job")) is not None:
                    found.edges.append(Edge(job, NAMED, named, f"{aspect.urn} ({aspect.schema})"))
        except (IvcapApiError, InvalidInput) as refused:
            found.problems.append(str(refused))


def edges_of(aspect: Aspect) -> list[Edge]:
    """What a statement of the platform says about provenance; nothing for others."""
    match = SCHEMA.fullmatch(aspect.schema)
    content = aspect.record.content
    if match is None or not isinstance(content, Mapping):
        return []
    name = match["name"].lower()
    source = f"{aspect.urn} ({aspect.schema})"
    entity = aspect.entity
    artifact = _text(content, "artifact", "artifact-id") or (entity if kind_of(entity) == "artifact" else None)
    work = _text(content, "job", "job-id") or (entity if kind_of(entity) == "job" else None)
    work = work or _text(content, "order", "order-id") or (entity if kind_of(entity) == "order" else None)
    edges: list[Edge] = []
    if "produced" in name and artifact and work:
        edges.append(Edge(work, PRODUCED, artifact, source))
    elif ("used" in name or "uses-artifact" in name) and artifact and work:
        edges.append(Edge(work, USED, artifact, source))
    elif name in ("artifact", "artifact-created") and artifact and work:
        edges.append(Edge(work, PRODUCED, artifact, source))
    elif name in ("job", "job-placed", "job-finished", "order-placed", "order-finished") and work:
        edges += [Edge(work, USED, one, source) for one in urns_in(content.get("used"))]
        parent, service = _text(content, "parent"), _text(content, "service-id", "service")
        edges += [Edge(parent, ASKED, work, source)] if parent else []
        edges += [Edge(work, RAN, service, source)] if service and service.startswith("urn:") else []
        for product in content.get("products") or ():
            named = product.get("id") if isinstance(product, Mapping) else product
            edges += [Edge(work, PRODUCED, named, source)] if isinstance(named, str) else []
    return edges


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


def _text(content: Any, *names: str) -> str | None:
    if isinstance(content, Mapping):
        for name in names:
            for spelled in (name, name.replace("-", "_"), f"{name}-urn"):
                if isinstance(content.get(spelled), str) and content[spelled]:
                    return str(content[spelled])
    return None


def _job_label(job: Job) -> dict[str, Any]:
    return _present(
        status=job.status(refresh=False).value,
        requested_at=job.requested_at and str(job.requested_at),
        name=None,
    )


def _present(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "")}


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
