"""A desk in front of a real runner: its own directories, short limits, and everything it started gone at the end."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ivcap_client._local import launch, specs
from ivcap_client._local.job_record import LocalJob
from ivcap_client._local.specs import ServiceSpec
from ivcap_client._local.store import Store

TOOL = Path(__file__).parent.parent / "tools" / "plain_tool.py"
LONG = 20.0
"""Bound of every wait, in seconds; nothing here takes nearly as long."""


class Desk:
    """What a client has: a directory, a store, and the way to submit."""

    def __init__(self, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.base, self.store, self._monkeypatch = base, Store(base), monkeypatch
        self.plain = self.service()

    def service(self, name: str = "plain", **changes: Any) -> ServiceSpec:
        """The plain tool as a service."""
        found = specs.from_option(f"{name}={{python}} {TOOL}")
        return specs.sealed(replace(found, **changes)) if changes else found

    def limit(self, **values: float | str) -> None:
        """Set limits for the runner that is started next."""
        for name, value in values.items():
            self._monkeypatch.setenv(name, str(value))

    def submit(self, spec: ServiceSpec | None = None, *, parent: str | None = None, **asked: Any) -> LocalJob:
        """Create a job and have it run."""
        job = self.create(spec, parent=parent, **asked)
        launch.poke(self.base, job.id, spec or self.plain)
        return job

    def create(self, spec: ServiceSpec | None = None, *, parent: str | None = None, **asked: Any) -> LocalJob:
        """Create a job and tell nobody."""
        spec = spec or self.plain
        job, _ = self.store.jobs.create(
            service=spec.urn,
            service_name=spec.name,
            body=json.dumps(asked).encode(),
            content_type="application/json",
            parent=parent,
        )
        return job

    def ended(self, job: LocalJob) -> LocalJob:
        """The job once it has ended."""
        now = self.store.jobs.wait(job, LONG)
        assert now.ended, f"still {now.status} after {LONG} s"
        return now

    def run(self, spec: ServiceSpec | None = None, **asked: Any) -> LocalJob:
        """Submit and wait."""
        return self.ended(self.submit(spec, **asked))

    def result(self, job: LocalJob) -> Any:
        """The JSON result of an ended job."""
        found = self.store.jobs.result_body(job)
        assert found is not None, job.error_message
        return json.loads(found[1])

    def started(self, job: LocalJob) -> LocalJob:
        """The job once its tool has it."""
        until(lambda: (now := self.store.jobs.find(job.id)) is not None and now.status != "scheduled")
        found = self.store.jobs.find(job.id)
        assert found is not None
        return found

    @property
    def state(self) -> dict[str, Any]:
        """What the runner says about itself."""
        status, said = launch.ask(launch.ensure_runner(self.base), "GET", "/.runner/state")
        assert status == 200
        found: dict[str, Any] = said
        return found


def until(holds: Callable[[], object]) -> None:
    """Wait until something holds, within a bound."""
    limit = time.monotonic() + LONG
    while not holds():
        assert time.monotonic() < limit, "it never came to hold"
        time.sleep(0.005)


def secret_of(pid: int) -> str:
    """The last part of the address that a tool reports to, which no result and no log shows."""
    told = dict(part.split(b"=", 1) for part in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if b"=" in part)
    return told[b"IVCAP_BASE_URL"].decode().rpartition("/")[2]


def gone(pid: int) -> bool:
    """Whether a process is gone; a zombie that nobody has asked about yet is."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return not os.path.exists(f"/proc/{pid}")
