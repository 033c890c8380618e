"""The runner's own routes, `/.runner/…`, for clients on the same base directory. Each needs the runner's token."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable
from typing import Any

from . import environments, failures, specs, tools
from .descriptions import BadDescription
from .dispatch import Dispatcher
from .event_stream import EventStream
from .exchanges import Exchange, TooLarge, fail, send_json
from .fleet import ServiceState
from .specs import BadSpec, ServiceSpec

log = logging.getLogger(__name__)

MOST = 8 * 1024 * 1024

_FAILURES = (BadSpec, BadDescription, environments.EnvironmentFailed, tools.ToolFailed)


class RunnerRoutes:
    """Answers `/.runner/…`.

    Args:
        dispatcher: Runs jobs.
        services: Told of the services that clients register, so that the platform lists them.
        stop: Ends the runner; told whether at once, or when the running jobs are done.
        about: What `/.runner/state` says besides what this class knows.
        idle_in: Seconds until the runner ends by itself, or `None`.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        *,
        services: Callable[[list[ServiceSpec]], None],
        stop: Callable[[bool], None],
        about: dict[str, Any],
        idle_in: Callable[[], float | None],
    ) -> None:
        self._dispatcher, self._services, self._stop = dispatcher, services, stop
        self._about, self._idle_in = about, idle_in
        self._events = EventStream(dispatcher)
        self._describing: dict[str, asyncio.Task[dict[str, Any]]] = {}
        self._failed: dict[str, float] = {}
        self._turn = asyncio.Semaphore(2)  # starts in the background leave a core to the jobs
        self.leaving = False

    async def __call__(self, exchange: Exchange) -> None:
        """Answer one request."""
        parts = exchange.path.removeprefix("/.runner/").split("/")
        query = dict(exchange.query)
        try:
            match exchange.method, parts:
                case "GET", ["state"]:
                    await send_json(exchange, 200, self.state())
                case "POST", ["services"]:
                    found = [specs.from_json(item) for item in await self._json(exchange)]
                    await self.register(found, offline="offline" in query)
                    await send_json(exchange, 202, {"services": len(found)})
                case "POST", ["describe"]:
                    spec = specs.from_json(await self._json(exchange))
                    await self._describe(exchange, spec, float(query.get("wait", "0")), offline="offline" in query)
                case "POST", ["jobs", job]:
                    await self._submit(exchange, job, offline="offline" in query)
                case "GET", ["jobs", job]:
                    ended = await self._events.ended(job, min(float(query.get("wait", "0")), 60.0))
                    await send_json(exchange, 200, {"job": job, "status": ended.status if ended else None})
                case "POST", ["jobs", job, "cancel"]:
                    done = await self._dispatcher.cancel(job)
                    await send_json(exchange, 200, {"job": job, "cancelled": done})
                case "POST", ["stop"]:
                    running = len(self._dispatcher.runs)
                    self.leaving = True
                    self._stop("force" in query)
                    await send_json(exchange, 202, {"running": running})
                case _:
                    await fail(exchange, 404, "no such route")
        except (BadSpec, ValueError, TypeError, TooLarge) as problem:
            await fail(exchange, 400, str(problem) or "the body cannot be read")

    def state(self) -> dict[str, Any]:
        """What the runner is doing."""
        services = [
            {"urn": item.spec.urn, "name": item.spec.name, "state": item.state, "message": _told(item)}
            for item in self._dispatcher.fleet.states.values()
        ]
        idle = self._idle_in()
        return {
            **self._about,
            "pid": os.getpid(),
            "base_dir": str(self._dispatcher.base_dir),
            "running": len(self._dispatcher.runs),
            "leaving": self.leaving,
            "services": services,
            **({} if idle is None else {"idle_in": round(idle, 1)}),
        }

    @property
    def busy(self) -> bool:
        """Whether a description is being taken."""
        return bool(self._describing)

    async def register(self, found: list[ServiceSpec], *, offline: bool = False) -> None:
        """Know services, and describe in the background those that are not described yet."""
        self._services(found)
        again = self._dispatcher.limits.tool_again
        now = time.monotonic()
        for spec in found:
            self._dispatcher.fleet.register(spec)
            if now - self._failed.get(spec.digest, -again) >= again:
                self._description(spec, offline=offline)

    def _description(self, spec: ServiceSpec, *, offline: bool) -> asyncio.Task[dict[str, Any]]:
        task = self._describing.get(spec.digest)
        if task is None:
            task = self._describing[spec.digest] = asyncio.ensure_future(self._take(spec, offline))
            task.add_done_callback(lambda _: self._described(spec.digest))
        return task

    async def _take(self, spec: ServiceSpec, offline: bool) -> dict[str, Any]:
        async with self._turn:
            self._dispatcher.last_active = time.monotonic()
            try:
                found = await self._dispatcher.fleet.describe(spec, offline=offline)
            except _FAILURES:
                self._failed[spec.digest] = time.monotonic()
                raise
            self._failed.pop(spec.digest, None)
            return found

    def _described(self, digest: str) -> None:
        task = self._describing.pop(digest)
        self._dispatcher.last_active = time.monotonic()
        problem = None if task.cancelled() else task.exception()
        if problem is not None:
            log.warning("a service could not be described: %s", problem)

    async def _describe(self, exchange: Exchange, spec: ServiceSpec, wait: float, *, offline: bool) -> None:
        self._services([spec])
        task = self._description(spec, offline=offline)
        try:
            found = await asyncio.wait_for(asyncio.shield(task), min(wait, 600.0))
        except TimeoutError:
            state = self._dispatcher.fleet.states.get(spec.urn)
            said = (
                {"state": state.state, "message": state.message} if state else {"state": "known", "message": "waiting"}
            )
            tail = tools.log_tail(tools.log_path(self._dispatcher.base_dir, spec))
            await send_json(exchange, 202, {**said, "log": tail})
        except _FAILURES as problem:
            told = {"message": getattr(problem, "message", str(problem)), "log": getattr(problem, "log", "")}
            await send_json(exchange, 424, told)
        else:
            await send_json(exchange, 200, found)

    async def _submit(self, exchange: Exchange, job: str, *, offline: bool) -> None:
        spec = specs.from_json(await self._json(exchange))
        if self.leaving:
            # Its service is on record, so the runner that takes over starts it; a client in a hurry asks that one.
            await fail(exchange, 503, "this runner is stopping")
            return
        self._services([spec])
        await self._dispatcher.submit(job, spec, offline=offline)
        await send_json(exchange, 202, {"job": job})

    async def _json(self, exchange: Exchange) -> Any:
        return json.loads(await exchange.read_whole(MOST))


def _told(item: ServiceState) -> str:
    """What people are told of a service; where it failed, with the last line it wrote, which most often says why."""
    last = next((line.strip() for line in reversed(item.log.splitlines()) if line.strip()), "")
    return f"{item.message}: {failures.short(last, 300)}" if last else item.message
