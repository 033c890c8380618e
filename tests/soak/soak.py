"""What every check works with: directories, server processes that can be looked into, and the table of results."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ivcap_client import LocalIVCAP
from tests.benchmarks.raw_rest import SERVICE

ROOT = Path(__file__).resolve().parents[2]
TOOL = "trivial"
LONG = 90.0
"""Bound of every wait, in seconds."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the table."""

    what: str
    wanted: str
    found: str
    met: bool


@dataclass
class Soak:
    """One run.

    Attributes:
        work: Directory for all that it leaves.
        quick: A tenth of everything.
        scale: Share of the time that the long parts take.
    """

    work: Path
    quick: bool
    scale: float = 1.0
    checks: list[Check] = field(default_factory=list)
    _numbers: int = 0

    def many(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    def fresh(self, name: str) -> Path:
        """A directory nobody has used."""
        self._numbers += 1
        found = self.work / f"{self._numbers:02}-{name}"
        found.mkdir(parents=True)
        return found

    def check(self, what: str, wanted: str, found: object, met: bool) -> None:
        """Note a result, and say it."""
        told = Check(what, wanted, str(found), met)
        self.checks.append(told)
        print(f"{told.what:<72} {told.wanted:<24} {told.found:<34} {'yes' if met else 'NO'}", flush=True)

    def at_most(self, what: str, found: float, most: float, unit: str = "") -> None:
        self.check(what, f"at most {most:g} {unit}".strip(), f"{found:g} {unit}".strip(), found <= most)

    def exactly(self, what: str, found: object, wanted: object) -> None:
        self.check(what, str(wanted), found, found == wanted)

    def env(self, **more: str) -> dict[str, str]:
        """An environment without the user's settings."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("IVCAP_", "PYTHON", "SOAK_"))}
        own = {f"IVCAP_{name}_DIR": str(self.work / name.lower()) for name in ("STATE", "CACHE", "CONFIG")}
        return {**kept, **own, "IVCAP_LOCAL_IDLE": "60", "IVCAP_TOOL_IDLE": "60", "PYTHONPATH": str(ROOT), **more}

    def platform(self, *, shared: bool = True) -> Path:
        """The directory of a platform: the one that most checks share, or one that nobody has used."""
        if not shared:
            return self.fresh("platform")
        found = self.work / "00-platform"
        found.mkdir(parents=True, exist_ok=True)
        return found

    def jobs(self, base: Path) -> dict[str, str]:
        """All jobs of a platform's directory and their status."""
        with LocalIVCAP(base) as ivcap:
            return {job.urn: job.status(refresh=False).value for job in ivcap.list_jobs(limit=None)}

    async def settled(self, base: Path) -> dict[str, str]:
        """The jobs once all have ended."""

        found: dict[str, str] = {}

        def over() -> bool:
            found.update(self.jobs(base))
            return all(status in ("succeeded", "failed", "error") for status in found.values())

        await until(lambda: asyncio.to_thread(over), "all jobs having ended")
        return found


async def until(holds: Callable[[], Any], what: str, seconds: float = LONG) -> Any:
    """Wait until something is there; return it."""
    limit = time.monotonic() + seconds
    while True:
        found = holds()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        if time.monotonic() > limit:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        await asyncio.sleep(0.05)


@dataclass
class Watched:
    """A server process that says what it holds."""

    process: subprocess.Popen[bytes]
    folder: Path
    url: str = ""
    token: str = ""

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    async def state(self) -> dict[str, Any]:
        place = self.folder / "port"
        await until(place.exists, "the server saying where its state is told")
        async with asyncio.timeout(30):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(place.read_text()))
            told: dict[str, Any] = json.loads(await reader.readline())
            writer.close()
            return told

    async def calm(self, seconds: float = 30.0) -> dict[str, Any]:
        """Its state once it watches no job and the number of its tasks stays the same."""
        before, since, limit = await self.state(), time.monotonic(), time.monotonic() + seconds
        while time.monotonic() < limit:
            await asyncio.sleep(0.25)
            now = await self.state()
            if now["watched"] or any(now[name] != before[name] for name in ("tasks", "sockets")):
                since = time.monotonic()
            before = now
            if time.monotonic() - since > 1.5:
                break
        return before

    async def ended(self, seconds: float = 15.0) -> int | None:
        """The exit code; `None` if it had to be killed."""
        try:
            return await asyncio.to_thread(self.process.wait, seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None


@asynccontextmanager
async def http_server(soak: Soak, base: Path, **env: str) -> AsyncIterator[Watched]:
    """A server over HTTP."""
    watched = started(soak, base, "serve", "--transport", "http", "--port", "0", env=env)
    try:
        found = await until(lambda: re.search(r"^\{$.*?^\}$", watched.log, re.M | re.S), "the server's address")
        entry = json.loads(found[0])["mcpServers"]["ivcap"]
        watched.url, watched.token = entry["url"], entry["headers"]["Authorization"].removeprefix("Bearer ")
        yield watched
    finally:
        watched.process.send_signal(signal.SIGTERM)
        await watched.ended()


def started(soak: Soak, base: Path, *options: str, env: dict[str, str], pipes: bool = False) -> Watched:
    """A server process over a local directory with the trivial tool."""
    folder = soak.fresh("server")
    command = [sys.executable, "-m", "tests.soak.watched_server", *(options or ("serve",))]
    command += ["--local-dir", str(base), "--service", SERVICE]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
            stdout=subprocess.PIPE if pipes else subprocess.DEVNULL,
            stderr=log,
            env=soak.env(SOAK_STATE=str(folder / "port"), **env),
            cwd=folder,
            bufsize=0,
        )
    return Watched(process, folder)
