"""The embedded platform: answers the platform's REST API from one directory, in this process, without a socket."""

from __future__ import annotations

import copy
import json
import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from .._core.messages import BlockingBody, Request, Response
from . import routes, times
from .bodies import WholeBody
from .catalogue import Catalogue
from .listing import BadOrder
from .reach import Reach
from .refusals import Refusal, disk, invalid, not_here
from .store import Store
from .uploads import SourceFailed

if TYPE_CHECKING:
    from .event_query import EventQuery
    from .job_record import LocalJob

log = logging.getLogger(__name__)

HANDLERS = {
    "artifacts": ("artifacts", "blobs"),
    "aspects": ("aspects",),
    "openapi": ("openapi",),
    "queues": ("queues",),
    "search": ("unserved",),
    "secrets": ("user_secrets",),
    "services": ("legacy_services",),
    "services2": ("services", "service_writes", "job_reads", "jobs"),
}
"""The modules whose handlers are routed, by what their paths begin with; importing them registers them."""

routes.homes(__package__, HANDLERS)

IN_PROCESS = "http://ivcap.localhost"
"""Base of the links given to a client in this process: a name that no network resolves."""


class Spec(Protocol):
    """A service that this machine can run; `specs.ServiceSpec` is one."""

    @property
    def urn(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...


class Runners(Protocol):
    """What runs services; the data side of the platform only tells it what there is to do."""

    def submitted(self, job: LocalJob, spec: Spec) -> None:
        """Pick a scheduled job up; told twice, it is still run once.

        Raises:
            RuntimeError: Nothing can run it; the message says why.
        """

    def describe(self, specs: Sequence[Spec]) -> Mapping[str, Mapping[str, Any]]:
        """Return the descriptions known by now, by service URN, and start making the others. Never waits.

        A description is `{"tool": …, "service": …, "digest": …, "described_at": …}`.
        """

    def trouble(self, spec: Spec) -> str:
        """Return why a service has no description, or nothing where that is not known. Never waits."""

    def follow(self, job: LocalJob, asked: EventQuery, *, timeout: float | None = None) -> BlockingBody:
        """Return the events of a running job that were asked for, as server-sent events until the job ends."""

    def cancel(self, job: LocalJob) -> None:
        """End a job as `error`, now."""


def _part(spec: Spec, described: Mapping[str, Any]) -> Spec:
    from . import specs

    assert isinstance(spec, specs.ServiceSpec)  # only a program that was run has described its parts
    return specs.part(spec, str(described["name"]), str(described["path"]))


class LocalPlatform:
    """One directory behind the platform's REST API.

    Thread-safe; what it needs of a process is opened on first use and renewed after a fork.
    """

    def __init__(
        self,
        base_dir: Path | str,
        *,
        services: Sequence[Spec] = (),
        runners: Runners | None = None,
        trust_directory: bool = False,
        known: Callable[[], Sequence[Spec]] | None = None,
        base_url: str = IN_PROCESS,
        now: times.Clock = times.now,
    ) -> None:
        """Touch nothing yet.

        Args:
            base_dir: The directory; it is made with the first write.
            services: Services to offer besides those that `known` finds.
            runners: What runs them; without it they can be listed but not run.
            trust_directory: The user named this directory, so what stands in its `services/` may be run.
            known: Finds services added by the user or standing in the directory; `None`: looks there.
            base_url: What links in replies start with, unless a request says otherwise by `x-base-url`.
            now: Clock, in microseconds since 1970.
        """
        self.store = Store(base_dir, now=now)
        self.base_dir = self.store.base_dir
        self.base_url = base_url.rstrip("/")
        self.runners = runners
        self.trust_directory = trust_directory
        self._given = tuple(services)
        self._known = known
        self.reach: Reach | None = None

    def handle(self, request: Request) -> Response:
        """Answer a request. Blocks on the disk only, and for at most 20 s where `Timeout` asks to wait for a job.

        Raises:
            Exception: Only what the request's own body raised while it was read.
        """
        try:
            request, path = self._located(request)
            found = routes.find(request.method, path)
            if found is None:
                raise self._unrouted(request.method, path)
            handler, values = found
            response = handler(self, request, **values)
            assert isinstance(response, Response)
            return response
        except Refusal as refusal:
            return refusal.response
        except BadOrder as problem:
            return invalid("order-by", str(problem), problem.name).response
        except SourceFailed as failed:
            raise failed.__cause__ or failed from None
        except (OSError, sqlite3.Error) as problem:
            return self._failed(request, problem)

    def open(self, request: Request) -> BlockingBody:
        """Answer a request with a reply that is read piece by piece."""
        try:
            located, path = self._located(request)
            found = routes.find_stream(located.method, path)
            if found is None:
                return WholeBody(self.handle(request))
            handler, values = found
            body: BlockingBody = handler(self, located, **values)  # type: ignore[assignment]
            return body
        except Refusal as refusal:
            return WholeBody(refusal.response)
        except (OSError, sqlite3.Error) as problem:
            return WholeBody(self._failed(request, problem))

    def within(self, reach: Reach) -> LocalPlatform:
        """Return this platform as a tool sees it."""
        view = copy.copy(self)
        view.reach = reach
        return view

    def close(self) -> None:
        """Close what is open. The platform can be used again."""
        self.store.close()

    def base(self, request: Request) -> str:
        """Return the URL that links in the reply to this request start with."""
        return (request.headers.get("x-base-url") or self.base_url).rstrip("/")

    def specs(self) -> dict[str, Spec]:
        """Return the services this machine can run, by URN, as their files are now."""
        from . import specs

        found = {spec.urn: spec for spec in (self._known() if self._known else self._found())}
        found.update((spec.urn, spec) for spec in self._given)
        # An edited file is another version: it gets a description of its own.
        return {
            urn: specs.current(spec) if isinstance(spec, specs.ServiceSpec) else spec for urn, spec in found.items()
        }

    def catalogue(self) -> Catalogue:
        """Return all services: those that can run here, and those that only aspects speak of."""
        specs = self.specs()
        described = dict(self.runners.describe(list(specs.values()))) if self.runners and specs else {}
        for spec in list(specs.values()):
            for part in described.get(spec.urn, {}).get("parts", ()):
                one = _part(spec, part)
                specs.setdefault(one.urn, one)
                described.setdefault(one.urn, part)
        missing = [spec for spec in specs.values() if spec.urn not in described] if self.runners else []
        troubles = {spec.urn: self.runners.trouble(spec) for spec in missing} if self.runners else {}
        return Catalogue(self.store.aspects, specs, described, troubles)

    def _found(self) -> Sequence[Spec]:
        from . import specs, standing

        return [*specs.added(self.base_dir), *(standing.trusted(self.base_dir) if self.trust_directory else ())]

    def _located(self, request: Request) -> tuple[Request, str]:
        """Return the path below the base URL; a link that we gave out may come back whole, with its query."""
        target = request.target
        for base in (self.base(request), self.base_url):
            if target.startswith(base + "/"):
                target = target[len(base) :]
                break
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            raise not_here(f"{target[:200]} is not an address of this platform")
        if parts.query:
            query = (*request.query, *parse_qsl(parts.query, keep_blank_values=True))
            request = replace(request, query=tuple(query))
        return request, parts.path

    def _unrouted(self, method: str, path: str) -> Refusal:
        from . import unserved

        others = ", ".join(routes.methods(path))
        instead = f"here there is {others}" if others else unserved.instead(path)
        return not_here(f"the embedded platform does not serve {method} {path[:200]}; {instead}")

    def _failed(self, request: Request, problem: OSError | sqlite3.Error) -> Response:
        if isinstance(problem, OSError):
            log.warning("%s %s: %s", request.method, request.target, problem)
            return disk(problem, self.base_dir).response
        log.error("%s %s: the index failed: %s", request.method, request.target, problem)
        body = {"message": f"the index of {self.base_dir} cannot be used: {problem}"}
        full = "full" in str(problem)
        return Response(507 if full else 500, {"content-type": "application/json"}, json.dumps(body).encode())
