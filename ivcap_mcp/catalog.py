"""The services that are tools now: read from the platform, compared, announced when something changed."""

from __future__ import annotations

import fnmatch
import json
import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import anyio
import mcp_types as t

from ivcap_client import IVCAP, Aspect
from ivcap_client.exception import IvcapError
from ivcap_client.urns import TOOL_SCHEMA
from ivcap_mcp import naming
from ivcap_mcp.catalog_cache import CatalogCache
from ivcap_mcp.changes import Changes
from ivcap_mcp.entries import Entry, Problem, entry_of, is_own, is_reading, known_entry, schema_in
from ivcap_mcp.search import Index
from ivcap_mcp.settings import Settings
from ivcap_mcp.text import clip

log = logging.getLogger("ivcap_mcp.catalog")

MOST_READ = 10_000
"""Tool descriptions that are looked at in one reading, and services that are kept: a listing may have no end."""
MOST_TOOLS = 40
MOST_DEFINITIONS = 64_000


class Catalog:
    """Knows the tools of one identity.

    A refresh asks for the newest tool aspects and stops at one it knows: without a change it costs one request. What
    was retracted is found by reading all, every `settings.sweep` seconds.
    """

    def __init__(
        self,
        ivcap: IVCAP,
        settings: Settings,
        changes: Changes,
        builtins: Sequence[t.Tool],
        cache: CatalogCache | None = None,
    ) -> None:
        self._ivcap, self._settings, self._changes, self._cache = ivcap, settings, changes, cache
        self._builtins = tuple(builtins)
        self._aspects: dict[str, Aspect] = {}
        self._entries: dict[str, Entry] = {}
        self._by_service: dict[str, Entry] = {}
        self._former: dict[str, str] = {}
        self._made: dict[str, tuple[str, Entry | Problem]] = {}
        self.problems: tuple[Problem, ...] = ()
        self.failure: Exception | None = None
        self.version = 0
        self._index: tuple[Mapping[str, Entry], Index] | None = None
        self._first, self._lock = anyio.Event(), anyio.Lock()
        self._swept = -1e9

    async def keep_fresh(self) -> None:
        """Refresh for ever, beginning with what an earlier server kept."""
        await self._remember()
        while True:
            await self.refresh()
            await anyio.sleep(self._settings.refresh)

    async def ready(self) -> None:
        """Wait for the first catalogue, but not for long."""
        with anyio.move_on_after(self._settings.first_list):
            await self._first.wait()

    async def refresh(self) -> None:
        """Compare with the platform; announce a change. A platform that does not answer leaves things as they are."""
        async with self._lock:
            try:
                aspects = await self._read()
            except Exception as error:  # whatever goes wrong here, the server and its jobs go on
                if type(error) is not type(self.failure):
                    expected = isinstance(error, IvcapError)
                    log.warning("the catalogue of services could not be read: %s", error, exc_info=not expected)
                self.failure = error
            else:
                self.failure = None
                if {a.id for a in aspects.values()} != {
                    a.id for a in self._aspects.values()
                } or not self._first.is_set():
                    await self._take(aspects)
            self._first.set()

    async def _remember(self) -> None:
        """Take what was kept on disk; the first refresh puts it right and announces the difference."""
        if self._cache is None:
            return
        async with self._lock:
            kept = await anyio.to_thread.run_sync(self._cache.load, self._ivcap)
            if kept:
                await self._take({aspect.entity: aspect for aspect in kept}, keep=False)
                self._first.set()

    async def find(self, name: str) -> Entry | None:
        """The tool of this name, or one that had it before; looked up once more before it counts as unknown."""
        await self.ready()
        if (entry := self._known(name)) is None:
            await self.refresh()
            entry = self._known(name)
        return entry

    async def of_service(self, service: str) -> Entry | None:
        """The tool of a service, named by URN, by its own name or by its tool name."""
        await self.ready()
        return (
            self._by_service.get(service)
            or self._known(service)
            or next((entry for entry in self._entries.values() if entry.service_name == service), None)
        )

    def by_urn(self, service: str) -> Entry | None:
        """The tool of a service, if it has one."""
        return self._by_service.get(service)

    def index(self) -> Index:
        """What search looks into; built when it is first needed and whenever services changed.

        Building takes up to a second: call it in a thread.
        """
        # Services may change meanwhile, so an index is kept with those that it is of.
        kept, entries = self._index, self._entries
        if kept is None or kept[0] is not entries:
            self._index = kept = entries, Index([entries[name].document() for name in sorted(entries)])
        return kept[1]

    def all(self) -> list[Entry]:
        """Every service that can be run, by name."""
        return [self._entries[name] for name in sorted(self._entries)]

    def listed(self) -> list[t.Tool]:
        """What `tools/list` shows: built-ins first, so that they are on the first page, then services; each by name."""
        builtins = sorted(self._builtins, key=lambda tool: tool.name)
        if self._settings.read_only:
            return [tool for tool in builtins if is_reading(tool)]
        return [*builtins, *(entry.tool for entry in self._chosen())]

    def schema_of(self, name: str) -> Mapping[str, Any] | None:
        """The published schema of a tool, for the SDK's check of header parameters."""
        entry = self._known(name)
        if entry is not None:
            return entry.tool.input_schema
        return next((tool.input_schema for tool in self._builtins if tool.name == name), None)

    def _known(self, name: str) -> Entry | None:
        return self._entries.get(name) or self._by_service.get(self._former.get(name, ""))

    def _chosen(self) -> list[Entry]:
        entries, how = self.all(), self._settings.tools
        pinned = [entry for entry in entries if _fits(entry, self._settings.pins)]
        if how == "builtin":
            return pinned
        if how == "all":
            return entries
        if how != "auto":
            wanted = self._settings.patterns
            return [entry for entry in entries if _fits(entry, wanted) or entry in pinned]
        size = sum(_size(tool) for tool in (*self._builtins, *(entry.tool for entry in entries)))
        fits = len(self._builtins) + len(entries) <= MOST_TOOLS and size <= MOST_DEFINITIONS
        return entries if fits else pinned

    @property
    def unmatched(self) -> list[str]:
        """The patterns of `--tools` and `--pin` that no service fits: misspelt, or of another platform."""
        named = [("--tools", pattern) for pattern in self._settings.patterns]
        named += [("--pin", pattern) for pattern in self._settings.pins]
        entries = self.all()
        return [f"{option} {one!r}" for option, one in named if not any(_fits(entry, (one,)) for entry in entries)]

    async def _read(self) -> dict[str, Aspect]:
        """The newest tool aspect of each service."""
        whole = self._settings.local or time.monotonic() - self._swept >= self._settings.sweep
        known = {aspect.id for aspect in self._aspects.values()}
        found: dict[str, Aspect] = {} if whole else dict(self._aspects)
        seen = 0
        async for aspect in self._ivcap.list_aspects(schema=TOOL_SCHEMA, limit=MOST_READ):
            if not whole and aspect.id in known:
                break
            seen += 1
            held = found.get(aspect.entity)
            if held is None and len(found) >= MOST_READ:
                continue
            if held is None or held.id == aspect.id or _since(aspect) >= _since(held):
                found[aspect.entity] = aspect
        if seen >= MOST_READ:
            log.warning("only the newest %d tool descriptions were read; there are more", MOST_READ)
        if whole:
            self._swept = time.monotonic()
        return found

    async def _take(self, aspects: dict[str, Aspect], *, keep: bool = True) -> None:
        self._aspects = aspects
        if keep and self._cache is not None:
            await anyio.to_thread.run_sync(self._cache.keep, list(aspects.values()))
        entries, problems = await anyio.to_thread.run_sync(self._build, aspects)
        before = {entry.name: entry for entry in self._entries.values()}
        self._entries = {entry.name: entry for entry in entries}
        self._by_service = {entry.service: entry for entry in entries}
        self._former |= {entry.name: entry.service for entry in entries}
        self.problems = tuple(problems)
        for problem in problems:
            log.warning("service %s is not published as a tool: %s", problem.service, problem.reason)
        if keep and not self._settings.local and not self._first.is_set():
            for one in self.unmatched:  # a local platform's services may be being prepared yet
                log.warning("no service fits %s", one)
        changed = [n for n in self._entries if n in before and before[n].tool != self._entries[n].tool]
        added = [n for n in self._entries if n not in before]
        removed = [n for n in before if n not in self._entries]
        if added or removed or changed:
            self.version += 1
            log.info("tools: added %s, removed %s, changed %s", added or "none", removed or "none", changed or "none")
            if self._first.is_set() or self.version > 1:
                await self._changes.tools_changed()

    def _build(self, aspects: Mapping[str, Aspect]) -> tuple[list[Entry], list[Problem]]:
        described: list[tuple[naming.Nameable, Aspect, Mapping[str, Any]]] = []
        problems: list[Problem] = []
        for urn, aspect in aspects.items():
            content = aspect.record.content
            if not isinstance(content, Mapping) or not isinstance(schema_in(content), Mapping):
                problems.append(Problem(urn, "its tool description has no input schema"))
            elif not is_own(content.get("service-id"), urn):
                problems.append(
                    Problem(urn, f"its tool description names another service: {clip(str(content['service-id']), 200)}")
                )
            else:
                name = content.get("name")
                named = naming.Nameable(urn, name if isinstance(name, str) else None, None, aspect.valid_from)
                described.append((named, aspect, content))
        names = naming.assign_names([named for named, _, _ in described], [tool.name for tool in self._builtins])
        entries = []
        for named, aspect, content in described:
            name = names[named.urn]
            kept = self._made.get(named.urn)
            if kept and kept[0] == f"{aspect.id} {name}":
                made = kept[1]
            elif self._settings.owner:
                made = known_entry(name, named.urn, aspect, content)
            else:
                made = entry_of(name, named.urn, aspect, content)
            self._made[named.urn] = (f"{aspect.id} {name}", made)
            if isinstance(made, Entry):
                entries.append(made)
            else:
                problems.append(made)
        return entries, problems


def _since(aspect: Aspect) -> datetime:
    return aspect.valid_from or datetime.fromisoformat("0001-01-01T00:00:00+00:00")


def _fits(entry: Entry, patterns: Sequence[str]) -> bool:
    return any(
        fnmatch.fnmatchcase(text, pattern)
        for pattern in patterns
        for text in (entry.name, entry.service_name, entry.service)
    )


def _size(tool: t.Tool) -> int:
    return len(json.dumps(tool.model_dump(by_alias=True, mode="json", exclude_none=True)))
