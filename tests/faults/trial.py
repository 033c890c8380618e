"""One operation over one bad line: what came of it, and whether that is permitted."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ivcap_client import IVCAP, BearerAuth, TarMember
from ivcap_client._core.port import Auth, Retry, run
from ivcap_client.exception import (
    Conflict,
    IvcapApiError,
    IvcapConnectionError,
    IvcapError,
    IvcapTimeout,
    JobTimeout,
    NotAuthorizedException,
    NotConnected,
    ProtocolError,
    ServerError,
    TooManyRequests,
)
from tests.faults.faults import Kind
from tests.faults.line import Gateway, Line, Loop
from tests.faults.operations import (
    DATA,
    DEFINITION,
    DELETES,
    FILLS,
    OPERATIONS,
    PATIENCE,
    WRITES,
    Scene,
    Things,
    own_service,
)
from tests.faults.operations_kept import PREPARED, prepare

TOKEN = "a-token-that-nobody-may-see"
LONG = 120.0
"""Bound of one trial, in seconds; nothing takes nearly as long."""
SHORT = 0.3
"""Seconds without an answer after which a client gives a stalled line up."""

CODES: list[tuple[type[IvcapError], str]] = [
    (NotConnected, "N"),
    (IvcapConnectionError, "C"),
    (IvcapTimeout, "T"),
    (JobTimeout, "J"),
    (ProtocolError, "P"),
    (NotAuthorizedException, "A"),
    (TooManyRequests, "R"),
    (ServerError, "S"),
    (Conflict, "X"),
    (IvcapApiError, "O"),
]
"""How outcomes are written on the page; the first that fits."""
RIGHT = "✓"


class Renewable:
    """A token that expired, in whose place another can be had."""

    def __init__(self) -> None:
        self._token = TOKEN

    def apply(self, headers: dict[str, str]) -> None:
        headers["authorization"] = f"Bearer {self._token}"

    def renew(self) -> None:
        self._token = "renewed"


@dataclass
class Trial:
    """An operation, the front it is asked through, and where the fault meets it: at the request of `route`."""

    operation: str
    awaits: bool
    kind: Kind | None = None
    since: int = 0
    once: bool = False
    timeout: float = LONG
    route: str = ""
    value: Any = None
    error: Exception | None = None
    line: Line = field(init=False)
    scene: Scene = field(init=False)

    @property
    def code(self) -> str:
        """The outcome as it is written."""
        if self.error is None:
            return RIGHT
        return next((code for kind, code in CODES if isinstance(self.error, kind)), "?")

    @property
    def met(self) -> str:
        """The request that met the fault first."""
        return self.line.seen[self.since] if self.since < len(self.line.seen) else ""

    @property
    def told(self) -> str:
        """All about it in one line."""
        front = "async" if self.awaits else "sync"
        mode = "once" if self.once else "for good"
        return f"{self.operation} ({front}), {mode} from {self.since} ({self.met}): {self.error!r} {self.line.seen}"


class Ground:
    """Where trials take place: a gateway, lines to it, and what lies behind."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        self.loop = Loop()
        self.direct = IVCAP(url, "direct")
        self._gateway = Gateway(url)
        self._numbers = itertools.count()
        self.things = self._prepared()
        self.trap = self.loop.do(Line(self._gateway).open())
        self.usual = {(one.operation, one.awaits): one for one in self.tried(Trial(*each) for each in _each())}

    def close(self) -> None:
        self.direct.close()
        self.loop.do(self.trap.close())
        self._gateway.close()
        self.loop.close()

    def tried(self, trials: Iterable[Trial]) -> list[Trial]:
        """Do them, those of each front side by side."""
        found = list(trials)
        for trial in found:
            self._lay(trial)
        self.loop.do(self._opened(found))
        for trial in found:
            self._manned(trial)
        at_once = 1 if any(trial.kind is not None and trial.kind.heavy for trial in found) else 12

        async def awaited() -> None:
            limit = asyncio.Semaphore(at_once)

            async def one(trial: Trial) -> None:
                async with limit, asyncio.timeout(LONG), trial.scene.ivcap:
                    await _done(trial)

            await asyncio.gather(*(one(trial) for trial in found if trial.awaits))

        with ThreadPoolExecutor(at_once) as pool:
            running = [pool.submit(run, _done(trial)) for trial in found if not trial.awaits]
            asyncio.run(awaited())
            for future in running:
                future.result(LONG)
        for trial in found:
            trial.scene.ivcap.close()
        self.loop.do(self._closed(found))
        return found

    async def _opened(self, trials: list[Trial]) -> None:
        for trial in trials:
            await trial.line.open()

    async def _closed(self, trials: list[Trial]) -> None:
        for trial in trials:
            await trial.line.close()

    def _prepared(self) -> Things:
        service = self.direct.get_service_by_name("plain")
        job = service.request_job({"do": "echo", "at": "the beginning"}).wait(timeout=LONG)
        artifact = self.direct.upload_artifact(name="kept.bin", io_stream=_stream())
        artifact.add_metadata({"kept": True}, schema="urn:faults:schema:kept.1")
        aspect = self.direct.add_aspect("urn:faults:read", {"kept": True}, schema="urn:faults:schema:kept.1")
        archive = self.direct.upload_tar_artifact([TarMember.from_bytes(DATA, "a.bin", mtime=0)], name="kept.tgz")
        prepare(self.direct)
        file = self.folder / "known.bin"
        file.write_bytes(DATA)
        self.direct.upload_artifact(file_path=file)
        return Things(service.urn, job.urn, artifact.urn, aspect.urn, archive.urn, file)

    def _lay(self, trial: Trial) -> None:
        """The line of a trial."""
        kind = trial.kind
        trial.line = Line(self._gateway, since=trial.since, once=trial.once, elsewhere=self.trap.url)
        trial.line.fault = None if kind is None else kind.fault
        trial.line.refuses = kind is not None and kind.fault is None

    def _manned(self, trial: Trial) -> None:
        """The client of a trial, and what it needs of its own."""
        name = f"t{next(self._numbers)}"
        kind = trial.kind
        auth: Auth = Renewable() if kind is not None and kind.auth == "renewable" else BearerAuth(TOKEN)
        retry = Retry(attempts=2, first=0.001, most=0.002)
        ivcap = IVCAP(trial.line.url, auth=auth, timeout=trial.timeout, retry=retry)
        aspect = artifact = ""
        if trial.operation in WRITES:
            aspect = self.direct.add_aspect(f"urn:faults:own:{name}", {"own": True}, schema="urn:faults:s").urn
        if trial.operation in FILLS:
            artifact = self.direct.create_artifact(name=f"{name}.bin", size=len(DATA)).urn
        if trial.operation in DELETES:
            self.direct.create_service(id=own_service(name), **DEFINITION)
        if trial.operation in PREPARED:
            PREPARED[trial.operation](self.direct, name)
        # A fault that stays keeps a job from being followed for as long as somebody is willing to wait.
        patience = PATIENCE if kind is None or trial.once or kind.auth == "renewable" else 1.0
        # A stream that stalls is one on which nothing happens, for half of what is left.
        patience = min(patience, trial.timeout * 10)
        trial.scene = Scene(ivcap, self.things, name, self.folder, (aspect, artifact), patience, trial.awaits)


def _stream() -> Any:
    import io

    return io.BytesIO(DATA)


def _each() -> Iterable[tuple[str, bool]]:
    return itertools.product(OPERATIONS, (False, True))


async def _done(trial: Trial) -> None:
    try:
        trial.value = await OPERATIONS[trial.operation](trial.scene)
    except Exception as error:  # judged later
        trial.error = error


def trials_of(kind: Kind, usual: dict[tuple[str, bool], Trial]) -> list[Trial]:
    """Each operation, met by the fault at each of its requests.

    What the fronts share is not tried through both each time: they take turns, and so do once and for good.
    """
    timeout = SHORT if kind.stalls else LONG
    found: list[Trial] = []
    met: set[str] = set()
    for turn, operation in enumerate(OPERATIONS):
        for since, asked in enumerate(usual[operation, False].line.seen):
            if kind.heavy:
                if route(asked) not in met:
                    met.add(route(asked))
                    found.append(Trial(operation, bool(turn % 2), kind, since, False, timeout, route(asked)))
                continue
            for once in (True, False) if kind.passes else (False,):
                fronts = (False, True) if kind.wire else (bool((turn + since + once) % 2),)
                for awaits in fronts:
                    if since < len(usual[operation, awaits].line.seen):
                        found.append(Trial(operation, awaits, kind, since, once, timeout, route(asked)))
    return found


def route(asked: str) -> str:
    """Method and path without what differs from thing to thing."""
    return re.sub(r"/(urn[^/]*|[0-9a-f-]{36})(?=/|$)", "/*", asked.split("?")[0])
