"""One served platform behind a recorder for all tests of this directory; everything said is judged after each test."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ivcap_client._local.specs import service_urn
from tests.congruence.legs import LONG, served
from tests.described.judge import deviations
from tests.described.recorder import Recorder, recording

PLAIN = service_urn("plain")
JOBS = f"/1/services2/{PLAIN}/jobs"
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Said:
    """An answer. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["content-type"].startswith("application/json"), (self.status, self.body[:500])
        return json.loads(self.body)


@dataclass
class Stage:
    """The platform, and a way to say to it what a client would, header for header."""

    recorder: Recorder
    url: str
    judged: int = 0

    def ask(self, method: str, target: str, body: object = None, headers: dict[str, str] | None = None) -> Said:
        place = urlsplit(self.url)
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        with closing(http.client.HTTPConnection(place.hostname or "", place.port, timeout=LONG)) as line:
            line.request(method, target.removeprefix(self.url), body=data, headers=headers or {})
            with line.getresponse() as reply:
                return Said(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())

    def run(self, **asked: Any) -> Said:
        """Have a job done; its result."""
        said = self.ask("POST", JOBS, asked, {**JSON, "Timeout": "20"})
        assert said.status == 200, said
        return said

    def job(self, **asked: Any) -> str:
        """Create a job; its URN."""
        said = self.ask("POST", JOBS, asked, {**JSON, "Timeout": "0"})
        assert said.status == 202, said
        return str(said.json["job-id"])

    def events(self, job: str, **headers: str) -> list[dict[str, Any]]:
        """The events of a job, to their end."""
        said = self.ask("GET", f"{JOBS}/{job}/events", None, headers)
        assert said.status == 200
        return [json.loads(line[6:]) for line in said.body.splitlines() if line.startswith(b"data: ")]


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    home: Path = tmp_path_factory.mktemp("described")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("STATE", "CONFIG", "CACHE"):
            patch.setenv(f"IVCAP_{name}_DIR", str(home / name.lower()))
        patch.setenv("IVCAP_TOOL_POLL", "0.05")
        patch.setenv("IVCAP_TOOL_STOP", "1")
        with served(home / "base") as url, recording(url) as recorder:
            stage = Stage(recorder, recorder.url)
            stage.run(do="echo")  # describes the service, too
            yield stage


@pytest.fixture
def stage(platform: Stage) -> Iterator[Stage]:
    """The platform; afterwards what was said must be as the published description has it."""
    platform.judged = len(platform.recorder.exchanges)
    yield platform
    said = platform.recorder.exchanges[platform.judged :]
    found = sorted({one for exchange in said for one in deviations(exchange)})
    assert found == []
