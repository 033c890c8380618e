"""What every row works with: its own directories, a clean environment, children that are gone at the end."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parents[2]
LONG = 120.0
"""Bound of every wait, in seconds."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform served on loopback by `counted_platform`.

    Attributes:
        url: Address of its REST API.
        base: Its directory.
    """

    url: str
    base: Path

    def seen(self) -> list[tuple[float, str, str]]:
        """Requests to the REST API so far: wall time, method, path."""
        import httpx

        found = httpx.get(f"{self.url}/bench/seen", trust_env=False, timeout=30).json()
        return [(at, method, path) for at, method, path in found]


class Bench:
    """One run of the benchmarks.

    Args:
        work: Directory for everything a run leaves; on a real disk, since durable writes are measured.
        quick: Fewer repetitions and smaller data.
    """

    def __init__(self, work: Path, *, quick: bool) -> None:
        self.work, self.quick = work, quick
        self._numbers = 0

    def many(self, full: int, quick: int) -> int:
        """A number of repetitions, or of things."""
        return quick if self.quick else full

    def fresh(self, name: str) -> Path:
        """A directory nobody has used."""
        self._numbers += 1
        found = self.work / f"{self._numbers:02d}-{name}"
        found.mkdir(parents=True)
        return found

    def env(self, home: Path, **more: str) -> dict[str, str]:
        """An environment without our settings of the user: state and caches lie in `home`."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("IVCAP_", "PYTHON"))}
        own = {
            "IVCAP_STATE_DIR": str(home / "state"),
            "IVCAP_CACHE_DIR": str(home / "cache"),
            "IVCAP_CONFIG_DIR": str(home / "config"),
            "IVCAP_LOCAL_IDLE": "300",
            "IVCAP_TOOL_IDLE": "300",
            "PYTHONPATH": str(ROOT),
        }
        return {**kept, **own, **more}

    def deployment(self, home: Path, platform: Platform, **more: str) -> dict[str, str]:
        """As `env`, with a platform on loopback in the part of a deployment."""
        return self.env(home, IVCAP_URL=platform.url, IVCAP_JWT="any-text", **more)

    @contextmanager
    def platform(
        self, base: Path, *, services: Sequence[str] = (), events: bool = True, env: dict[str, str] | None = None
    ) -> Iterator[Platform]:
        """A platform that counts its requests.

        Args:
            base: Its directory.
            services: AI tools it runs.
            events: `False`: it refuses event streams with 403, as some deployments do.
            env: Environment of the process.
        """
        command = [sys.executable, "-m", "tests.benchmarks.counted_platform", str(base)]
        command += [part for service in services for part in ("--service", service)]
        command += [] if events else ["--no-events"]
        with self.child(command, env or self.env(base)) as told:
            yield Platform(str(told["url"]), base)

    @contextmanager
    def child(self, command: Sequence[str], env: dict[str, str]) -> Iterator[dict[str, Any]]:
        """A process that says in one JSON line on stdout where it is, and ends with the block."""
        log = self.fresh("log") / "stderr"
        with log.open("wb") as errors:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=env, cwd=self.work)
        try:
            yield json.loads(_line(process, log))
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            assert process.stdout is not None
            process.stdout.close()

    def python(self, code: str, env: dict[str, str], *args: str, python: str = sys.executable) -> Any:
        """Run a program in a fresh interpreter; its last line of output is JSON."""
        done = subprocess.run(
            [python, "-c", code, *args], capture_output=True, env=env, cwd=self.work, timeout=20 * LONG, text=True
        )
        if done.returncode:
            raise RuntimeError(f"a measured program failed:\n{done.stderr[-4000:]}")
        return json.loads(done.stdout.strip().splitlines()[-1])


def until(holds: Callable[[], T | None], what: str, seconds: float = LONG) -> T:
    """Wait until something is there."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        found = holds()
        if found is not None:
            return found
        time.sleep(0.02)
    raise TimeoutError(f"{what}: not within {seconds:g} s")


def _line(process: subprocess.Popen[bytes], log: Path) -> bytes:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], LONG)
    line = process.stdout.readline() if ready else b""
    if not line:
        raise RuntimeError(f"a child said nothing:\n{log.read_text()[-4000:]}")
    return line
