"""Completion: what a person begins to type, a name or an id, becomes the id that is wanted."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING

import anyio
import mcp_types as t

from ivcap_client.exception import IvcapError
from ivcap_mcp.prompts import PROMPTS
from ivcap_mcp.resources import templates
from ivcap_mcp.search_terms import rank
from ivcap_mcp.text import stripped

if TYPE_CHECKING:
    from ivcap_mcp.backend import Backend

log = logging.getLogger("ivcap_mcp.completion")

MOST = 100
"""Values of one answer, by the protocol."""
SCAN = 500
"""Newest artifacts, jobs or aspects that are looked at."""
PATIENCE = 3.0
"""Seconds for one answer: a person is typing."""
Ref = t.PromptReference | t.ResourceTemplateReference
Found = tuple[str, str]
"""A URN, and the words it is known by."""


async def complete(backend: Backend, ref: Ref, name: str, typed: str) -> t.Completion:
    """Values that fit what was typed: ids that begin so, then names that contain it; the newest first.

    Args:
        backend: The running server.
        ref: The prompt or template that is filled in.
        name: Which of its arguments.
        typed: What is there so far.
    """
    kind, bare = _kind(ref, name)
    values: list[str] = []
    if kind is not None:
        with anyio.move_on_after(PATIENCE):
            try:
                values = await _values(backend, kind, typed)
            except IvcapError as error:
                log.info("nothing can be completed: %s", error)
    if bare:
        values = [value.rsplit(":", 1)[-1] for value in values]
    # How many there are beyond those looked at is not known, so no total is told.
    return t.Completion(values=values[:MOST], has_more=len(values) > MOST)


def _kind(ref: Ref, name: str) -> tuple[str | None, bool]:
    """What kind of thing is wanted, and whether without the part of its URN that the template has."""
    if isinstance(ref, t.ResourceTemplateReference):
        fits = (one.uri_template.split(":")[2] for one in templates() if one.uri_template == ref.uri)
        return (next(fits, None) if name == "uuid" else None), True
    prompt = next((one for one in PROMPTS if one.definition.name == ref.name), None)
    return (prompt.completes.get(name) if prompt else None), False


async def _values(backend: Backend, kind: str, typed: str) -> list[str]:
    match kind:
        case "service":
            return _services(backend, typed)
        case "tool":
            return _tools(backend, typed)
        case "artifact":
            listed = backend.ivcap.list_artifacts(limit=SCAN, order_by="created-at", order_desc=True)
            return await _fitting(((one.urn, one.name or "") async for one in listed), typed)
        case "job" | "failed":
            return await _jobs(backend, typed, failed_first=kind == "failed")
        case "aspect":
            about = backend.ivcap.list_aspects(limit=SCAN, include_content=False)
            return await _fitting(((one.urn, f"{one.schema} {one.entity}") async for one in about), typed)
        case "schema":
            about = backend.ivcap.list_aspects(limit=SCAN, include_content=False)
            return await _fitting(((one.schema, one.schema) async for one in about), typed)
        case _:
            results = await _jobs(backend, typed, failed_first=False)
            return [*await _values(backend, "artifact", typed), *results]


async def _jobs(backend: Backend, typed: str, *, failed_first: bool) -> list[str]:
    names = {entry.service: entry.name for entry in backend.catalog.all()}
    found: list[tuple[bool, Found]] = []
    async for job in backend.ivcap.list_jobs(limit=SCAN):
        status = job.status(refresh=False).value
        known_by = f"{names.get(job.service or '', '')} {job.name or ''} {status}"
        found.append((status in ("failed", "error"), (job.urn, known_by)))
    if failed_first:
        found.sort(key=lambda one: not one[0])
    return _those(typed, (one for _, one in found))


def _services(backend: Backend, typed: str) -> list[str]:
    entries = backend.catalog.all()
    return _those(typed, ((entry.service, f"{entry.name} {entry.service_name}") for entry in entries))


def _tools(backend: Backend, typed: str) -> list[str]:
    """Names of services: those that begin so, then those that the words describe."""
    entries = backend.catalog.all()
    begin = [entry.name for entry in entries if entry.name.startswith(typed.lower())]
    described = [name for name, _ in rank(typed, [entry.document() for entry in entries])] if typed else []
    return list(dict.fromkeys([*begin, *described]))


async def _fitting(found: AsyncIterator[Found], typed: str) -> list[str]:
    return _those(typed, [one async for one in found])


def _those(typed: str, found: Iterable[Found]) -> list[str]:
    """Ids whose beginning was typed, then those known by a name that contains it; each once."""
    wanted = stripped(typed).strip().lower()
    begin, named = [], []
    for urn, known_by in found:
        if urn.lower().startswith(wanted) or urn.rsplit(":", 1)[-1].lower().startswith(wanted):
            begin.append(urn)
        elif wanted in known_by.lower():
            named.append(urn)
    return list(dict.fromkeys([*begin, *named]))
