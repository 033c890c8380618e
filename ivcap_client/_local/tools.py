"""One tool process: started under a guard, watched, asked how it is, drained, stopped."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from . import guard, orphans, tool_log
from .discretion import Discretion
from .limits import Limits
from .reach import Reach
from .specs import PYTHON, ServiceSpec, slug
from .tool_http import ToolUnreachable, exchange

# What programs need of the surroundings to start at all. Everything else stays here, the user's credentials above all.
_KEPT = {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TZ", "TMPDIR", "LANG", "LANGUAGE", "LD_LIBRARY_PATH"}
_KEPT |= {"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"}
_KEPT_PREFIXES = ("LC_", "XDG_", "OMP_", "MKL_", "OPENBLAS_", "CUDA_", "NVIDIA_", "ROCM_", "HIP_", "DYLD_")


class ToolFailed(Exception):
    """A tool did not start, or did not become ready. `log` holds its last lines."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message, log)
        self.message, self.log = message, log

    def __str__(self) -> str:
        return f"{self.message}\n{self.log}" if self.log else self.message


@dataclass(eq=False, slots=True)
class Tool:
    """One process of one service.

    Attributes:
        spec: The service, as its files were when the process started.
        python: Interpreter of its environment, put in place of `{python}`.
        secret: Last part of the only address this process may report to.
        jobs: UUIDs of the jobs it runs now.
        retired: Takes no new jobs; it is ended when its last one is done.
        port: Where it listens, 0 before it does.
        process: Its guard.
        paths: Where it takes jobs, one for each tool of the program; empty until it is described.
        ended: Set when the process is gone.
        reportable: UUIDs of all jobs it was ever given.
        reach: What it may touch.
        discretion: What it was told in confidence.
        home: Mark of the base directory it runs for.
        stuck: A job of it was given up, so its threads may hang and asking it to end is no use.
    """

    spec: ServiceSpec
    log: Path
    limits: Limits
    python: str | None = None
    home: str = ""
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    jobs: set[str] = field(default_factory=set)
    reportable: set[str] = field(default_factory=set)
    retired: bool = False
    stuck: bool = False
    reach: Reach = field(init=False)
    discretion: Discretion = field(init=False)
    port: int = 0
    process: asyncio.subprocess.Process | None = None
    _began: int = field(default=0, init=False)  # bytes of the log when its process was started
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    exit_code: int | None = None
    paths: list[str] = field(default_factory=list)
    idle_since: float = field(default_factory=time.monotonic)
    _directory: str | None = None
    _watcher: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self.reach = Reach(self.spec.urn)
        self.discretion = Discretion(self.secret)

    async def start(self, gateway_port: int, on_end: Callable[[Tool], None]) -> None:
        """Start the process and wait until it is healthy.

        Args:
            gateway_port: Loopback port of the runner.
            on_end: Called once when the process is gone, however it ended.

        Raises:
            ToolFailed: It ended first, or was not ready within the limit.
        """
        self.port = free_port()
        words = self.words(["--host", "127.0.0.1", "--port", str(self.port)])
        await self.spawn(words, gateway_port, on_end)
        limit = time.monotonic() + self.limits.tool_start
        while True:
            if self.ended.is_set():
                raise ToolFailed(
                    f"the tool {self.spec.name} ended with {self.exit_code} before it was ready", self.tail()
                )
            try:
                async with asyncio.timeout(1.0), exchange(self.port, "GET", "/_healtz") as reply:
                    if reply.status == 200:
                        return
            except (ToolUnreachable, TimeoutError):
                pass  # not yet: the two conditions around this decide how long "yet" lasts
            if time.monotonic() > limit:
                await self.kill()
                waited = f"{self.limits.tool_start:g} s"
                raise ToolFailed(f"the tool {self.spec.name} was not ready within {waited}", self.tail())
            await asyncio.sleep(0.02)

    def words(self, extra: list[str]) -> list[str]:
        """The command with its placeholder filled in."""
        return [self.python if word == PYTHON and self.python else word for word in self.spec.command] + extra

    async def spawn(self, words: list[str], gateway_port: int, on_end: Callable[[Tool], None]) -> None:
        """Start `words` under a guard in the tool's directory and environment."""
        self._directory = tempfile.mkdtemp(prefix="ivcap-tool-")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._began = self.log_size
        self.process = await asyncio.create_subprocess_exec(
            *self.guarded(str(self.log), words),
            cwd=self.spec.cwd or self._directory,
            env=self.environment(gateway_port),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        self._watcher = asyncio.create_task(self._watch(on_end))

    def guarded(self, log: str, words: list[str]) -> list[str]:
        """The command under its guard, within the limits of one process."""
        memory = int(self.limits.memory * 2**20) or _machine()
        return guard.command(log, self.limits.log_bytes, words, memory=memory, files=int(self.limits.files))

    def environment(self, gateway_port: int) -> dict[str, str]:
        """Variables of the process. Source: service-contract §7 step 2, setup A."""
        kept = {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)}
        base = f"http://127.0.0.1:{gateway_port}/s/{self.secret}"
        return kept | {
            orphans.VARIABLE: self.mark,
            "IVCAP_BASE_URL": base,
            "SECRETMGR_PROXY": base,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "IVCAP_SERVICE_ID": self.spec.urn,
            "VERSION": self.spec.digest[:12],
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": "ignore::DeprecationWarning",
            "OTEL_SDK_DISABLED": "true",
            **self.spec.env,
        }

    @property
    def mark(self) -> str:
        """What everything it starts carries in its environment."""
        return f"{self.home}.{hashlib.sha256(self.secret.encode()).hexdigest()[:16]}"

    async def confide(self, secret: str) -> None:
        """It is about to be told a secret: from now on nothing that is kept shows it."""
        words = self.discretion.add(secret)
        if words and self.process is not None and self.process.stdin is not None:
            self.process.stdin.write(b"".join(base64.b64encode(word) + b"\n" for word in words))
            await self.process.stdin.drain()

    async def _watch(self, on_end: Callable[[Tool], None]) -> None:
        assert self.process is not None
        self.exit_code = await self.process.wait()
        if self.exit_code < 0:  # the guard itself was killed, so nobody has ended what the tool had started
            await asyncio.to_thread(orphans.sweep, self.mark)
        self.ended.set()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
        on_end(self)

    async def stop(self, *, asked: bool = True) -> None:
        """Ask it to end, unless it does so unasked, and end it when it does not. Source: service-contract §7 step 9."""
        if self.process is None or self.ended.is_set():
            return
        try:
            if asked:
                self.process.terminate()
            await asyncio.wait_for(self.ended.wait(), self.limits.tool_stop)
        except ProcessLookupError:
            return
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End the whole process group now: closing the guard's pipe does that."""
        if self.process is None or self.ended.is_set():
            return
        assert self.process.stdin is not None
        self.process.stdin.close()
        await self.ended.wait()

    def tail(self, lines: int = 12, most: int = 2000) -> str:
        """Last lines it wrote; what an earlier process of the service left in the same log is not among them."""
        return log_tail(self.log, lines, most, since=self._began)

    @property
    def log_size(self) -> int:
        """Bytes of its log."""
        try:
            return self.log.stat().st_size
        except OSError:
            return 0

    def last_words(self, since: int) -> str:
        """What it wrote last after the first `since` bytes of its log, without the library's own lines."""
        return tool_log.tail(self.log, since)


def _machine() -> int:
    """Bytes of memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def log_tail(path: Path, lines: int = 12, most: int = 2000, *, since: int = 0) -> str:
    """Last lines of a log after its first `since` bytes, at most `most` characters; empty when there is none."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(since if since <= size else 0, size - 4 * most))  # a log that grew too large begins anew
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    text = tool_log.COLOURS.sub("", "\n".join(text.splitlines()[-lines:]))
    return tool_log.ADDRESS.sub(r"\1…", text)[-most:]


def log_path(base_dir: Path, spec: ServiceSpec) -> Path:
    """Where a service's output is kept."""
    return base_dir / ".ivcap" / "logs" / f"{slug(spec.name)}.log"


def free_port() -> int:
    """A port nobody listens on now; a tool that loses the race for it ends with 1 and is started again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
