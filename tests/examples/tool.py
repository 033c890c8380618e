"""A tool as a child process, started the way a platform starts it."""

import contextlib
import os
import re
import signal
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import httpx

from tests.examples.waiting import until


class Tool:
    """A running tool.

    Attributes:
        started_in: Seconds from the start of the process to the first healthy answer.
    """

    def __init__(self, python: Path, script: Path, base_url: str, cwd: Path) -> None:
        self.out, self.err = cwd / "stdout", cwd / "stderr"
        inherited = {k: v for k, v in os.environ.items() if not re.match(r"IVCAP_|OTEL_|.*_proxy$", k, re.IGNORECASE)}
        settings = {
            "IVCAP_BASE_URL": base_url,
            "IVCAP_SERVICE_ID": "urn:ivcap:service:00000000-0000-5000-8000-000000000000",
            "NO_PROXY": "127.0.0.1,localhost",
            "OTEL_SDK_DISABLED": "true",
            "PYTHONUNBUFFERED": "1",
            "PYTHONWARNINGS": "ignore::DeprecationWarning",
        }
        begun = time.monotonic()
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [python, script, "--host", "127.0.0.1", "--port", "0"],
                env=inherited | settings, cwd=cwd, stdout=out, stderr=err, start_new_session=True,
            )  # fmt: skip
        try:
            port = until(self._port, what="opening a port")
            # A connection for each request: the library's server closes the one on which a job failed, just when its
            # answer has come, and the next request might still be sent on it.
            alone = httpx.Limits(max_keepalive_connections=0)
            self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60, limits=alone)
            until(self._healthy, what="the health check")
        except BaseException:
            self.close()
            raise
        self.started_in = time.monotonic() - begun

    def _port(self) -> str | None:
        assert self.process.poll() is None, f"the tool ended: {self.err.read_text()[-2000:]}"
        found = re.search(r"running on http://127\.0\.0\.1:(\d+)", self.err.read_text() + self.out.read_text())
        return found[1] if found else None

    def _healthy(self) -> bool:
        try:
            return self.http.get("/_healtz").status_code == 200
        except httpx.TransportError:
            return False

    def run(self, *, timeout: int = 60, **request: Any) -> tuple[str, httpx.Response]:
        """Run a job; return its bare id and the reply."""
        job = str(uuid.uuid4())
        headers = {"job-id": f"urn:ivcap:job:{job}", "Authorization": "Bearer job", "Timeout": str(timeout)}
        return job, self.http.post("/", json=request, headers=headers)

    def close(self) -> None:
        """End the tool without asking: a job that hangs would let it wait for ever."""
        if hasattr(self, "http"):
            self.http.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
