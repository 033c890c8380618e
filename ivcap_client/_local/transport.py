"""Carries requests to the embedded platform, in this process; running jobs are followed at the runner."""

from __future__ import annotations

import errno
import re
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from ivcap_client._core.messages import BlockingBody, Body, Request, Response
from ivcap_client.exception import ConfigError, NotConnected, ServerError

from .identity import uuid_of

if TYPE_CHECKING:
    from ivcap_client._core.job_output import JobOutput
    from ivcap_client._io.http import HttpTransport

    from .launch import Runner
    from .platform import LocalPlatform
    from .specs import ServiceSpec

EVENTS = re.compile(r"/1/services2/[^/]+/jobs/([^/]+)/events")


class LocalTransport:
    """Blocking callers are answered in place, async ones in a worker thread.

    Args:
        base_dir: The directory.
        services: AI tools it may run: `PATH`, `NAME=PATH` or `NAME=COMMAND`.
        trust_services: Whether what `services/*.toml` in the directory names may run.
        offline: Refuse to fetch packages for a tool's environment.

    Raises:
        ConfigError: A service does not exist, or cannot be understood; a setting in the environment is no number.
    """

    def __init__(
        self, base_dir: Path, *, services: Iterable[str] = (), trust_services: bool = False, offline: bool = False
    ) -> None:
        from .limits import Limits

        try:
            Limits()  # read again where they count; here, so that a bad one is told before a job depends on it
        except ValueError as error:
            raise ConfigError(str(error)) from None
        self._base_dir, self._trust, self._offline = base_dir, trust_services, offline
        self._specs = _specs(services)
        self._platform: LocalPlatform | None = None
        self._http: tuple[int, HttpTransport] | None = None

    @property
    def platform(self) -> LocalPlatform:
        """The platform, made when it is first needed: constructing a client touches no file."""
        if self._platform is None:
            from .platform import LocalPlatform
            from .runners import OutsideRunners

            self._platform = LocalPlatform(
                self._base_dir,
                services=self._specs,
                runners=OutsideRunners(self._base_dir, offline=self._offline),
                trust_directory=self._trust,
                base_url=f"file://{self._base_dir}",
            )
        return self._platform

    def path_of(self, artifact: str) -> Path | None:
        """Where an artifact's file lies; `None` while it has none."""
        store = self.platform.store.artifacts
        id = uuid_of(artifact, "artifact")
        if id is not None:
            return store.place_of(id)  # a list asks this of each of its items
        found = store.find(artifact)
        return None if found is None else store.data(found)

    def job_output(self, job: str, most: int, own: bool = False) -> JobOutput | None:
        """What the tool printed while a job ran; `None` where that is not known, or there is no such job."""
        from .job_output import output

        found = self.platform.store.jobs.find(job)
        return None if found is None else output(self.platform.store, found, most, own=own)

    def preparing(self) -> list[Mapping[str, Any]]:
        """Services that have not said yet what they are: `service`, `name`, `state` and `message` of each.

        The state is `failed` where one could not be started; the message says why.

        Raises:
            ServerError: The directory, or what the user added for it, cannot be read.
        """
        try:
            waiting = [one for one in self.platform.catalogue().all() if one.spec is not None and not one.described]
        except (OSError, sqlite3.Error) as error:
            # What the platform's handlers answer as a reply is not told by one here.
            full = "full" in str(error) or getattr(error, "errno", None) == errno.ENOSPC
            raise ServerError("look at the services", 507 if full else 500, detail=str(error)) from None
        if not waiting:
            return []
        from . import launch

        told: dict[str, Mapping[str, Any]] = {}
        runner = launch.read_runner(self._base_dir)
        if runner is not None:
            try:
                _, state = launch.ask(runner, "GET", "/.runner/state", timeout=5.0)
                told = {one["urn"]: one for one in state.get("services", ())}
            except OSError:
                told = {}  # it is just ending; who asks again finds the next one
        known: Mapping[str, Any] = {"state": "starting", "message": "waiting for the local runner"}
        failure = getattr(self.platform.runners, "failure", None)
        if runner is None and failure is not None:
            known = {"state": "failed", "message": failure}
        return [{"service": one.urn, "name": one.name, **_state(told.get(one.urn, known))} for one in waiting]

    def send(self, request: Request) -> Response:
        try:
            return self.platform.handle(request)
        except RuntimeError as error:
            raise _unreached(request, error) from None

    def open(self, request: Request) -> BlockingBody:
        try:
            return self.platform.open(request)
        except RuntimeError as error:
            raise _unreached(request, error) from None

    async def send_async(self, request: Request) -> Response:
        reply: Response = await _in_thread(self.send, request)
        return reply

    async def open_async(self, request: Request) -> Body:
        # A stream that waits for the next event must be cancellable, which a read in a worker thread is not.
        runner = await _in_thread(self._runner_of, request)
        if runner is None:
            return _Threaded(await _in_thread(self.open, request))
        headers = {**request.headers, "authorization": f"Bearer {runner.token}"}
        return await (await self._at(runner)).open_async(replace(request, headers=headers))

    def _runner_of(self, request: Request) -> Runner | None:
        """The runner that streams the events of a job that has not ended; `None` for every other request."""
        found = EVENTS.fullmatch(request.target)
        job = self.platform.store.jobs.find(unquote(found[1])) if found and request.method == "GET" else None
        if job is None or job.ended:
            return None
        from . import launch

        try:
            return launch.ensure_runner(self._base_dir)
        except launch.RunnerUnavailable as error:
            raise NotConnected(f"could not {request.what}: {error}") from None

    async def _at(self, runner: Runner) -> HttpTransport:
        from ivcap_client._core.port import Target
        from ivcap_client._io.http import HttpTransport
        from ivcap_client.auth import NoAuth

        if self._http is None or self._http[0] != runner.port:
            target = Target(url=f"http://127.0.0.1:{runner.port}", auth=NoAuth(), local=True, foreign_data=False)
            before, self._http = self._http, (runner.port, HttpTransport(target))
            made = self._http[1]
            if before is not None:
                await before[1].close_async()  # that runner has ended, and nobody can read from it any more
            return made
        return self._http[1]

    def close(self) -> None:
        platform, self._platform = self._platform, None
        if platform is not None:
            platform.close()

    async def close_async(self) -> None:
        http, self._http = self._http, None
        if http is not None:
            await http[1].close_async()
        await _in_thread(self.close)


def _specs(services: Iterable[str]) -> list[ServiceSpec]:
    texts = list(services)
    if not texts:
        return []
    from . import specs

    try:
        found = [specs.from_option(text) for text in texts]
    except specs.BadSpec as error:
        raise ConfigError(str(error)) from None
    for number, spec in enumerate(found):
        for other in found[:number]:
            if other.urn == spec.urn:
                raise ConfigError(
                    f"two services are called {spec.name!r}: {other.source} and {spec.source}; name one with NAME=PATH"
                )
    return found


def _unreached(request: Request, error: RuntimeError) -> Exception:
    """Say of a runner that cannot be had what is said of a platform that cannot be reached."""
    from . import launch

    if not isinstance(error, launch.RunnerUnavailable):
        return error
    return NotConnected(f"could not {request.what}: {error}")


def _state(told: Mapping[str, Any]) -> dict[str, Any]:
    return {"state": told.get("state", ""), "message": told.get("message", "")}


async def _in_thread(work: Any, *args: Any) -> Any:
    from anyio import to_thread

    return await to_thread.run_sync(partial(work, *args))


class _Threaded:
    """A blocking body, read in worker threads."""

    def __init__(self, body: BlockingBody) -> None:
        self._body, self.status, self.headers = body, body.status, body.headers

    async def read(self, size: int = 65536) -> bytes:
        return await _in_thread(self._body.read, size)  # type: ignore[no-any-return]

    async def close(self) -> None:
        await _in_thread(self._body.close)
