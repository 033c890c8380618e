"""The runner: the one process per base directory that owns tools, deadlines and the REST API.

Started on demand by `launch.ensure_runner` (`python -m ivcap_client._local.runner`), in the foreground by `ivcap-mcp
platform`. A lock file decides who it is; it says where it is in `.ivcap/runner.json` once it answers.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from . import listening, orphans, pending, places, specs, standing, takeover
from .approvals import write_private
from .changes import Changes
from .dispatch import Dispatcher
from .gateway import Gateway
from .limits import Limits
from .listening import RunnerError as RunnerError
from .platform import LocalPlatform
from .runner_routes import RunnerRoutes
from .runners import InsideRunners
from .specs import ServiceSpec

log = logging.getLogger(__name__)

KILLED = "the local platform was killed while this job ran"
STOPPED = "the local platform was stopped while this job ran"
UNKNOWN = "the local platform does not know which command this job's service runs"


@dataclass(frozen=True, slots=True)
class Serving:
    """Where a runner answers, told when it does.

    Attributes:
        url: Address of the REST API.
        port: Port on 127.0.0.1 for tools and clients in this directory.
        token: The runner's own token.
        open: Whether the REST API can be used without a token.
    """

    url: str
    port: int
    token: str = field(repr=False)
    open: bool = False


async def run_runner(
    base_dir: Path | str,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    services: Iterable[ServiceSpec] = (),
    foreground: bool = False,
    token: str | None = None,
    idle: float | None = None,
    on_ready: Callable[[Serving], None] | None = None,
    say: Callable[[str], None] | None = None,
    trust_directory: bool = False,
    offline: bool = False,
) -> None:
    """Serve a base directory until told to stop, or, in the background, until nothing has run for a while.

    Args:
        base_dir: Whose data and jobs.
        host: Address of the REST API; tools always reach us on loopback.
        port: Its port; 0: any free one.
        services: Services that may be run from the start.
        foreground: Never end because of idleness, take over from a background runner, and open the REST API to others.
        token: What the REST API asks for; in the foreground `None` leaves it open.
        idle: Seconds without work after which a background runner ends; `None`: the setting.
        on_ready: Told once it answers.
        say: Told what is being waited for.
        trust_directory: The directory was named by the user, so its `services/*.toml` may run.
        offline: Fetch packages for nobody, whoever asks.

    Raises:
        RunnerError: Why it cannot serve; also a setting in the environment that is no number.
    """
    try:
        limits = Limits()
    except ValueError as problem:
        raise RunnerError(str(problem)) from None
    limits = limits if idle is None else replace(limits, idle=idle)
    base_dir = _prepared(base_dir)
    lock = await takeover.take_lock(base_dir, limits, foreground=foreground, say=say or log.info)
    if lock is None:
        return  # another one serves this directory
    try:
        if (base_dir / ".ivcap" / "runner.json").exists():  # the last one was killed, and who killed it may have more
            await asyncio.to_thread(orphans.sweep, f"{places.mark(base_dir)}.")
        sockets = listening.bind(host, port)
        try:
            runner = _Runner(base_dir, limits, services, trust_directory, offline)
            await runner.serve(sockets, host=host, foreground=foreground, token=token, on_ready=on_ready)
        finally:
            for item in sockets:
                item.close()
    finally:
        os.close(lock)


def _prepared(base_dir: Path | str) -> Path:
    base_dir = Path(base_dir).resolve()
    try:
        base_dir.mkdir(parents=True, exist_ok=True)
        (base_dir / ".ivcap").mkdir(mode=0o700, exist_ok=True)  # records and logs are the user's own business
        (base_dir / ".ivcap" / "logs").mkdir(exist_ok=True)
    except OSError as problem:
        raise RunnerError(f"{base_dir} cannot be used: {problem}") from problem
    return base_dir


def _take_down(file: Path, token: str) -> None:
    """Remove `runner.json` if it is ours: in a directory removed and made anew it tells of somebody else."""
    try:
        ours = json.loads(file.read_bytes()).get("token") == token
    except (OSError, ValueError):
        return
    if ours:
        file.unlink(missing_ok=True)


class _Runner:
    """What one run of the runner holds together."""

    def __init__(
        self, base_dir: Path, limits: Limits, services: Iterable[ServiceSpec], trust_directory: bool, offline: bool
    ) -> None:
        self._base_dir, self._limits = base_dir, limits
        self._stop, self._drain = asyncio.Event(), False
        self._services, self._trusted = list(services), trust_directory
        self._registered: dict[str, ServiceSpec] = {}
        self._platform = LocalPlatform(
            base_dir, services=self._services, trust_directory=trust_directory, known=self._known
        )
        self._store = self._platform.store
        self._dispatcher = Dispatcher(base_dir, self._store.jobs, limits, Changes())
        self._dispatcher.fleet.offline = offline

    async def serve(
        self,
        sockets: list[socket.socket],
        *,
        host: str,
        foreground: bool,
        token: str | None,
        on_ready: Callable[[Serving], None] | None,
    ) -> None:
        own = secrets.token_urlsafe(32)
        inner = sockets[-1].getsockname()[1]
        outer = sockets[0].getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        about = {
            "version": _version(),
            "port": inner,
            "started": datetime.now(UTC).isoformat(),
            "foreground": foreground,
            "url": f"http://{shown}:{outer}",
        }
        self._dispatcher.fleet.port = inner
        routes = RunnerRoutes(
            self._dispatcher,
            services=self._register,
            stop=self._ask_to_stop,
            about=about,
            idle_in=lambda: None if foreground else self._idle_left(routes),
        )
        self._platform.runners = InsideRunners(asyncio.get_running_loop(), self._dispatcher, routes)
        public = None if not foreground else (token or "")
        app = Gateway(
            self._platform,
            self._dispatcher,
            routes,
            token=own,
            public=public,
            hosts=None if token and not listening.loopback(host) else {host.lower(), shown.lower()},
            port=inner,
        )
        server = listening.Server(app, self._limits)
        serving = asyncio.create_task(server.serve(sockets))
        file = self._base_dir / ".ivcap" / "runner.json"
        try:
            await server.answering.wait()
            with listening.signals(self._stop.set):
                recovering = asyncio.create_task(self._recover())
                write_private(file, json.dumps({**about, "pid": os.getpid(), "token": own}).encode())
                await routes.register(self._services)
                if on_ready is not None:
                    on_ready(Serving(str(about["url"]), inner, own, public == ""))
                watching = asyncio.create_task(self._watch(routes, foreground))
                await asyncio.wait(
                    [serving, watching, asyncio.ensure_future(self._stop.wait())], return_when=asyncio.FIRST_COMPLETED
                )
                recovering.cancel()
                watching.cancel()
        finally:
            routes.leaving = True
            _take_down(file, own)  # first, so that nobody is sent here any more
            await self._dispatcher.close(STOPPED)
            self._dispatcher.changes.close()
            server.should_exit = True
            await serving
            app.close()
            self._platform.close()

    def _register(self, found: list[ServiceSpec]) -> None:
        self._registered.update((spec.urn, spec) for spec in map(specs.whole, found))

    def _known(self) -> list[ServiceSpec]:
        """What the user added, what stands in a directory the user named, and what clients of this runner brought."""
        return [
            *specs.added(self._base_dir),
            *(standing.trusted(self._base_dir) if self._trusted else ()),
            *self._registered.values(),
        ]

    def _ask_to_stop(self, at_once: bool) -> None:
        self._drain = True
        if at_once or not self._dispatcher.busy:
            self._stop.set()

    def _idle_left(self, routes: RunnerRoutes) -> float:
        if self._dispatcher.busy or routes.busy:
            return self._limits.idle
        return max(0.0, self._dispatcher.last_active + self._limits.idle - time.monotonic())

    async def _watch(self, routes: RunnerRoutes, foreground: bool) -> None:
        """End idle tools, and this runner when it is idle itself or was told to finish."""
        pause = max(0.02, min(1.0, self._limits.idle / 4, self._limits.tool_idle / 4))
        while True:
            await asyncio.sleep(pause)
            self._dispatcher.fleet.reap()
            if self._drain and not self._dispatcher.busy:
                return
            if not foreground and self._idle_left(routes) <= 0:
                log.info("nothing has run for %g s", self._limits.idle)
                return

    async def _recover(self) -> None:
        """Settle the jobs an earlier runner left. What it was running is never run again."""
        jobs = self._store.jobs
        young = []
        for job in await self._dispatcher.disk(jobs.unfinished):
            if job.id in self._dispatcher.runs:
                continue
            if job.status == "scheduled":
                young.append(job)
            else:
                await self._dispatcher.cancel(job.id, KILLED)
        waited = 0.0
        while young:
            left = []
            for job in young:
                spec = await self._dispatcher.disk(pending.recall, self._base_dir, job.id)
                if spec is not None:
                    await self._dispatcher.submit(job.id, spec)
                elif waited >= self._limits.orphan:
                    await self._dispatcher.cancel(job.id, UNKNOWN)
                else:
                    left.append(
                        job
                    )  # its client may be about to say; until then it counts as work, so the runner stays
            young = left
            pause = max(0.05, self._limits.orphan / 10)
            if young:
                self._dispatcher.last_active = time.monotonic()
                await asyncio.sleep(pause)
                waited += pause


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("ivcap-mcp")
    except PackageNotFoundError:  # run from a checkout
        return "0"


def main(arguments: list[str] | None = None) -> int:
    """Entry of the background runner."""
    words = sys.argv[1:] if arguments is None else arguments
    if len(words) != 2 or words[0] != "--base-dir":
        sys.stderr.write("usage: python -m ivcap_client._local.runner --base-dir DIR\n")
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(run_runner(Path(words[1])))
    except (RunnerError, ValueError) as problem:
        log.error("%s", problem)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
