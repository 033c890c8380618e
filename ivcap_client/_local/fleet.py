"""The tool processes of one runner: one per service takes jobs; started on first use, replaced, stopped when idle."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import batch, descriptions, environments, places, specs, tools
from .limits import Limits
from .specs import PYTHON, ServiceSpec
from .tool_http import ToolUnreachable, exchange
from .tools import Tool, ToolFailed

log = logging.getLogger(__name__)

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ServiceState:
    """Where a service is: `known`, `building`, `starting`, `ready` (described) or `failed`, with a line for people."""

    spec: ServiceSpec
    state: str
    message: str = ""
    log: str = ""


class Fleet:
    """Starts and ends tools. Everything here runs on the event loop; what blocks goes to threads.

    Args:
        base_dir: Whose tools these are.
        limits: How long to wait for what.
        on_end: Told when a process is gone, with the jobs it still had.
    """

    def __init__(self, base_dir: Path, limits: Limits, *, on_end: Callable[[Tool, set[str]], None]) -> None:
        self.base_dir, self.limits = base_dir, limits
        self.port = 0
        self.offline = False  # whether no environment may be built, whoever asks
        self.states: dict[str, ServiceState] = {}
        self.by_secret: dict[str, Tool] = {}
        self.working = 0  # starts and descriptions under way
        self.closing = False
        self._current: dict[str, Tool] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._on_end = on_end
        self._stopping: set[asyncio.Task[None]] = set()

    async def claim(
        self, spec: ServiceSpec, job: str | None, note: Note = lambda line: None, *, offline: bool = False
    ) -> tuple[Tool, str]:
        """A running tool for a service, and the path of its jobs; the job is entered before anything can end it.

        Raises:
            BadSpec, EnvironmentFailed, ToolFailed, BadDescription: Why there is none; the next call tries again.
        """
        wanted, spec = spec, specs.whole(spec)
        lock = self._locks.setdefault(spec.urn, asyncio.Lock())
        self.working += 1
        try:
            async with lock:
                spec = await asyncio.to_thread(specs.refreshed, spec)
                tool = self._current.get(spec.urn)
                if tool is not None and tool.spec.digest != spec.digest:
                    self.retire(tool)
                    tool = None
                try:
                    if spec.kind == "batch":
                        tool = await self._batch(spec, note, offline)
                    elif tool is None or tool.retired or tool.ended.is_set():
                        tool = await self._start(spec, note, offline)
                    path = "/" if spec.kind == "batch" else await self._described(tool, wanted.path)
                except Exception as problem:
                    said = getattr(problem, "message", str(problem))
                    self.states[spec.urn] = ServiceState(spec, "failed", said, getattr(problem, "log", ""))
                    raise
                if job is not None:
                    self.by_secret[tool.secret] = tool
                    tool.jobs.add(job)
                    tool.reportable.add(job)
                tool.idle_since = time.monotonic()
                return tool, path
        finally:
            self.working -= 1

    async def describe(self, spec: ServiceSpec, *, offline: bool = False) -> dict[str, Any]:
        """The description of a service, from the cache or by starting it.

        Raises:
            BadSpec, EnvironmentFailed, ToolFailed, BadDescription: Why there is none.
        """
        found = await asyncio.to_thread(descriptions.cached, spec.digest)
        if found is None:
            tool, _ = await self.claim(spec, None, offline=offline)
            found = await asyncio.to_thread(descriptions.cached, tool.spec.digest)
            assert found is not None
        self.states[spec.urn] = ServiceState(spec, "ready")
        return found

    def register(self, spec: ServiceSpec) -> None:
        """Know a service without starting it."""
        spec = specs.whole(spec)
        known = self.states.get(spec.urn)
        if known is None or known.spec.digest != spec.digest:
            self.states[spec.urn] = ServiceState(spec, "known")

    def release(self, tool: Tool, job: str) -> None:
        """A job is over; a retired tool without jobs is ended."""
        tool.jobs.discard(job)
        tool.idle_since = time.monotonic()
        if tool.retired and not tool.jobs:
            # A batch process ends by itself when it is told that there is no more work.
            self._later(tool.kill() if tool.stuck else tool.stop(asked=tool.spec.kind == "rest"))

    def retire(self, tool: Tool, *, stuck: bool = False) -> None:
        """Give a tool no more jobs, and end it when it has none. `stuck`: a job was given up and may hang."""
        tool.retired = True
        tool.stuck = tool.stuck or stuck
        if self._current.get(tool.spec.urn) is tool:
            del self._current[tool.spec.urn]
        if not tool.jobs:
            self._later(tool.kill() if tool.stuck else tool.stop())

    def reap(self) -> None:
        """Retire what has been idle for too long."""
        limit = time.monotonic() - self.limits.tool_idle
        for tool in list(self._current.values()):
            if not tool.jobs and tool.idle_since <= limit and not self._locks[tool.spec.urn].locked():
                self.retire(tool)

    async def close(self) -> None:
        """End everything, builders included."""
        self.closing = True
        environments.stop_builds()
        await asyncio.gather(*(tool.kill() for tool in list(self.by_secret.values())), *self._stopping)

    async def _start(self, spec: ServiceSpec, note: Note, offline: bool) -> Tool:
        python = await self._python(spec, note, offline)
        note(f"starting {spec.name}")
        self.states[spec.urn] = ServiceState(spec, "starting", "its process is being started")
        for attempt in (1, 2):
            if self.closing:
                raise ToolFailed("the local platform is stopping")
            tool = self._new(spec, python)
            try:
                await tool.start(self.port, self.ended)
                break
            except ToolFailed:
                # Exit code 1 is also what a tool says whose port was taken between our look and its bind.
                if attempt == 2 or tool.exit_code != 1 or "address already in use" not in tool.tail().lower():
                    raise
        self._current[spec.urn] = tool
        return tool

    async def _batch(self, spec: ServiceSpec, note: Note, offline: bool) -> Tool:
        """A process for one job of a batch service, not started yet; the service is described by now."""
        tool = self._tool(spec, await self._python(spec, note, offline))
        tool.retired = True
        if await asyncio.to_thread(descriptions.cached, spec.digest) is None:
            await asyncio.to_thread(descriptions.keep, await batch.describe(tool, self.port))
        self.states[spec.urn] = ServiceState(spec, "ready")
        return tool

    def _tool(self, spec: ServiceSpec, python: str | None) -> Tool:
        return Tool(spec, tools.log_path(self.base_dir, spec), self.limits, python, home=places.mark(self.base_dir))

    def _new(self, spec: ServiceSpec, python: str | None) -> Tool:
        tool = self._tool(spec, python)
        self.by_secret[tool.secret] = tool
        return tool

    async def _python(self, spec: ServiceSpec, note: Note, offline: bool) -> str | None:
        """The interpreter a service runs with; its environment is built if need be."""
        needs = spec.requirements
        if needs is None:
            return specs.OWN_PYTHON if PYTHON in spec.command else None
        self.states[spec.urn] = ServiceState(spec, "building", "its environment is being built")

        def progress(line: str) -> None:
            self.states[spec.urn] = ServiceState(spec, "building", line)
            note(line)

        return str(
            await asyncio.to_thread(environments.ensure, needs, offline=offline or self.offline, progress=progress)
        )

    async def _described(self, tool: Tool, wanted: str) -> str:
        """The path of a tool's jobs; its description is taken and kept if there is none yet.

        Raises:
            BadDescription: The program has no tool at the path that is wanted, as it had before its file changed.
        """
        if not tool.paths:
            found = await asyncio.to_thread(descriptions.cached, tool.spec.digest)
            if found is None:
                found = await self.ask(tool)
                await asyncio.to_thread(descriptions.keep, found)
            tool.paths = [str(one.get("path", "/")) for one in (found, *found.get("parts", ()))]
            self.states[tool.spec.urn] = replace(self.states[tool.spec.urn], state="ready", message="")
        if wanted and wanted not in tool.paths:
            raise descriptions.BadDescription(f"{tool.spec.name} has no tool at {wanted} any more")
        return wanted or tool.paths[0]

    async def ask(self, tool: Tool) -> dict[str, Any]:
        """What a running program says of each of its tools.

        Raises:
            BadDescription: It is not what an AI tool says.
        """
        api = await _json(tool, "/openapi.json")
        first, *others = descriptions.tool_paths(api)
        found = descriptions.compose(tool.spec, await _json(tool, first), api, first)
        parts: dict[str, dict[str, Any]] = {}
        for path in others:
            told = await _json(tool, path)
            name = descriptions.part_name(tool.spec, told, path, parts)
            parts[name] = {"name": name, **descriptions.compose(specs.part(tool.spec, name, path), told, api, path)}
        return {**found, "parts": list(parts.values())} if parts else found

    def ended(self, tool: Tool) -> None:
        """A process is gone."""
        self.by_secret.pop(tool.secret, None)
        if self._current.get(tool.spec.urn) is tool:
            del self._current[tool.spec.urn]
        log.info("tool %s ended with %s", tool.spec.name, tool.exit_code)
        self._on_end(tool, set(tool.jobs))

    def _later(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)


async def _json(tool: Tool, path: str) -> object:
    """What a tool says at a path, or `None` when it says nothing we can read."""
    try:
        async with asyncio.timeout(tool.limits.tool_start), exchange(tool.port, "GET", path) as reply:
            body = await reply.read_whole()
            return json.loads(body) if reply.status == 200 else None
    except (ToolUnreachable, TimeoutError, ValueError) as problem:
        log.info("tool %s: GET %s: %s", tool.spec.name, path, problem)
        return None
