"""What is recorded about where one thing comes from and what used it: aspects, job records, inputs and results."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ivcap_client import IVCAP, Job
from ivcap_client.exception import InvalidInput, IvcapApiError, IvcapError, ResourceNotFound
from ivcap_client.urns import kind_of
from ivcap_mcp.moments import written
from ivcap_mcp.statements import NAMED, PRODUCED, RAN, STATED, USED, Edge, edges_of, edges_of_result, text_of, urns_in

log = logging.getLogger("ivcap_mcp.lineage")

ABOUT_ARTIFACTS = "urn:ivcap:schema%artifact%"
JOBS = "urn:ivcap:schema%job%"
RESULTS = "urn:ivcap:schema%job-result%"
MOST_STATEMENTS = 50


@dataclass(slots=True)
class Found:
    """What is recorded about one thing."""

    label: dict[str, Any] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    rerun: dict[str, Any] | None = None
    failure: IvcapError | None = None


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
        except IvcapError as error:
            found.label["note"] = "could not be read"
            found.failure = error
        return found

    async def name(self, urn: str) -> dict[str, Any]:
        """What an artifact is called, for a leaf that is not looked into."""
        self.requests += 1
        try:
            artifact = await self._ivcap.stored_artifact_async(urn)
        except IvcapError as refused:
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
            except IvcapError as refused:
                log.info("%s cannot be read: %s", job.urn, refused)
                continue
            if urn in set(urns_in(read.request)):
                edges.append(Edge(read.urn, USED, urn, "input of the job"))
        return edges

    async def _artifact(self, urn: str, found: Found) -> None:
        self.requests += 1
        artifact = await self._ivcap.stored_artifact_async(urn)
        found.label |= _present(name=artifact.name, content_type=artifact.mime_type, size=artifact.size)
        found.label |= _present(created_at=written(artifact.created_at))
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
        found.edges += edges_of_result(urn, job.record.result, given)
        await self._stated(found, entity=urn)
        await self._stated(found, schema=JOBS, content_path=f'$.parent ? (@ == "{urn}")')

    async def _service(self, urn: str, found: Found) -> None:
        self.requests += 1
        async for job in self._ivcap.list_jobs(urn, limit=10, at_time=self._at):
            found.edges.append(Edge(job.urn, RAN, urn, "jobs of the service"))

    async def _aspect(self, urn: str, found: Found) -> None:
        self.requests += 1
        aspect = await self._ivcap.get_aspect_async(urn)
        found.label |= _present(schema=aspect.schema, valid_from=written(aspect.valid_from))
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
                elif (job := text_of(aspect.record.content, "job-id", "job")) is not None:
                    found.edges.append(Edge(job, NAMED, named, f"{aspect.urn} ({aspect.schema})"))
        except (IvcapApiError, InvalidInput) as refused:
            found.problems.append(str(refused))


def _job_label(job: Job) -> dict[str, Any]:
    return _present(
        status=job.status(refresh=False).value,
        requested_at=written(job.requested_at),
        name=None,
    )


def _present(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "")}
