"""What a `LocalPlatform` is given to run services with: the runner of its directory, from outside or from within.

Both are `platform.Runners`: told of a scheduled job, asked for descriptions, for the events of a job, for its end.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from . import descriptions, launch, pending, specs
from .following import FollowedEvents, follow
from .specs import ServiceSpec

if TYPE_CHECKING:
    import asyncio

    from .dispatch import Dispatcher
    from .event_query import EventQuery
    from .job_record import LocalJob
    from .platform import Spec
    from .runner_routes import RunnerRoutes

log = logging.getLogger(__name__)

T = TypeVar("T")

ASK_AGAIN = 5.0
"""Seconds before the runner is told again of services that have no description yet."""


class OutsideRunners:
    """The runner of a directory as other processes use it: started when it is needed.

    Args:
        base_dir: The directory.
        offline: Environments that are not built yet must not be.
    """

    def __init__(self, base_dir: Path | str, *, offline: bool = False) -> None:
        self._base_dir, self._offline = Path(base_dir), offline
        self.failure: str | None = None  # why services could not be described when it was last tried
        self._told: dict[str, float] = {}
        self._telling = threading.Lock()

    def submitted(self, job: LocalJob, spec: Spec) -> None:
        """Have a scheduled job run.

        Raises:
            RunnerUnavailable: No runner could be started or reached; it is a `RuntimeError`.
        """
        launch.poke(self._base_dir, job.id, _own(spec), offline=self._offline)

    def describe(self, specs: Sequence[Spec]) -> Mapping[str, Mapping[str, Any]]:
        """The descriptions there are; a thread has the runner make the others."""
        found, missing = described([_own(spec) for spec in specs])
        now = time.monotonic()
        with self._telling:
            missing = [spec for spec in missing if now - self._told.get(spec.digest, -ASK_AGAIN) >= ASK_AGAIN]
            self._told.update((spec.digest, now) for spec in missing)
        if missing:
            threading.Thread(target=self._tell, args=(missing,), name="ivcap-describe", daemon=True).start()
        return found

    def trouble(self, spec: Spec) -> str:
        """Nothing: the runner knows, and asking it would take longer than listing services may."""
        return ""

    def follow(self, job: LocalJob, asked: EventQuery, *, timeout: float | None = None) -> FollowedEvents:
        """The events of a running job as the runner streams them."""
        return follow(self._base_dir, job.service, job.id, after=asked.after, query=asked.query, timeout=timeout)

    def cancel(self, job: LocalJob) -> None:
        """End a job now."""
        launch.cancel(self._base_dir, job.id)

    def _tell(self, missing: list[ServiceSpec]) -> None:
        try:
            launch.register(self._base_dir, missing, offline=self._offline)
        except (launch.RunnerUnavailable, OSError) as problem:
            if self.failure is None:
                log.warning("services could not be described: %s", problem)
            self.failure = str(problem)
        else:
            self.failure = None


class InsideRunners:
    """The same within the runner's own process: its handlers run in threads, the dispatcher on the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, dispatcher: Dispatcher, routes: RunnerRoutes) -> None:
        self._loop, self._dispatcher, self._routes = loop, dispatcher, routes

    def submitted(self, job: LocalJob, spec: Spec) -> None:
        """Have a scheduled job run."""
        own = _own(spec)
        pending.record(self._dispatcher.base_dir, job.id, own)
        self._call(self._dispatcher.submit(job.id, own))

    def describe(self, specs: Sequence[Spec]) -> Mapping[str, Mapping[str, Any]]:
        """The descriptions there are; the others are begun."""
        found, missing = described([_own(spec) for spec in specs])
        if missing:
            self._soon(self._routes.register(missing))
        return found

    def trouble(self, spec: Spec) -> str:
        """Why a service could not be described when it was last tried."""
        known = self._dispatcher.fleet.states.get(spec.urn)
        if known is None or known.state != "failed" or known.spec.digest != spec.digest:
            return ""
        last = known.log.strip().rpartition("\n")[2].strip()
        return f"{known.message}: {last}" if last else known.message

    def follow(self, job: LocalJob, asked: EventQuery, *, timeout: float | None = None) -> FollowedEvents:
        """The events of a running job, over loopback like everybody else's; the gateway itself does not come here."""
        base = self._dispatcher.base_dir
        return follow(base, job.service, job.id, after=asked.after, query=asked.query, timeout=timeout)

    def cancel(self, job: LocalJob) -> None:
        """End a job now."""
        self._call(self._dispatcher.cancel(job.id))

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return self._soon(work).result(self._dispatcher.limits.spawn)

    def _soon(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        import asyncio  # loaded already where this runs; clients of a runner do without it

        return asyncio.run_coroutine_threadsafe(work, self._loop)


def described(wanted: Sequence[ServiceSpec]) -> tuple[dict[str, dict[str, Any]], list[ServiceSpec]]:
    """The descriptions kept for services as their files are now, by URN, and the services that have none."""
    found, missing = {}, []
    for spec in wanted:
        now = specs.current(spec)
        kept = descriptions.cached(now.digest)
        if kept is None:
            missing.append(now)
        else:
            found[spec.urn] = kept
    return found, missing


def _own(spec: Spec) -> ServiceSpec:
    assert isinstance(spec, ServiceSpec)  # the platform hands back what it was given
    return spec
