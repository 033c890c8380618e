"""Where a judged server lives: directories of its own, the real console entry, everything ended afterwards."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ivcap_mcp import examples

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build"
REHEARSAL = Path(examples.__file__).parent / "rehearsal.py"
NEWEST, OLD = "ivcap-ai-tool>=0.7.22", "ivcap-ai-tool==0.7.22"
"""What the rehearsal tool asks for, and the generation of the tool library that services in the field pin."""
START = 60.0
"""Seconds a server may take to start."""
DESCRIBE = 300.0
"""Seconds until a tool is described: its environment may have to be built first."""


@dataclass(frozen=True)
class Place:
    """One embedded platform's directory and the environment its servers are started in.

    Attributes:
        base: The platform's directory.
        env: The whole environment, free of `IVCAP_*` variables of whoever runs the tests.
        services: What `--service` is given.
    """

    base: Path
    env: dict[str, str]
    services: tuple[str, ...]

    @property
    def own(self) -> dict[str, str]:
        """The variables a client has to pass on when it starts the server."""
        return {name: value for name, value in self.env.items() if name.startswith("IVCAP_") or name in KEPT}

    def command(self, *arguments: str) -> list[str]:
        """The real console entry on this platform."""
        return [sys.executable, "-m", "ivcap_mcp", *arguments, *self.options()]

    def options(self) -> list[str]:
        return ["--local-dir", str(self.base), *(part for one in self.services for part in ("--service", one))]

    def run(self, *arguments: str, timeout: float = START) -> subprocess.CompletedProcess[str]:
        """Run a command of ours to its end."""
        return subprocess.run(self.command(*arguments), env=self.env, capture_output=True, text=True, timeout=timeout)

    def described(self, *tools: str) -> None:
        """Wait until these tools are listed; afterwards their environments and descriptions are cached."""
        limit = time.monotonic() + DESCRIBE
        while True:
            done = self.run("tools", "--json", timeout=DESCRIBE)
            assert done.returncode == 0, done.stderr
            if set(tools) <= {tool["name"] for tool in json.loads(done.stdout)}:
                return
            assert time.monotonic() < limit, f"{tools} were not described within {DESCRIBE} s\n{done.stderr}"

    def stop(self) -> None:
        """End the platform's runner, and with it its tools."""
        command = [sys.executable, "-m", "ivcap_mcp", "platform", "--stop", "--local-dir", str(self.base)]
        subprocess.run(command, env=self.env, capture_output=True, timeout=START, check=False)


KEPT = ("PATH", "HOME", "PYTHONPATH", "LANG", "TMPDIR")


def rewrite(copy: Path, was: str, now: str) -> None:
    """Write a copy of the rehearsal tool with one thing in it changed."""
    text = REHEARSAL.read_text(encoding="utf-8")
    assert was in text
    copy.write_text(text.replace(was, now), encoding="utf-8")


@contextmanager
def place(home: Path, *services: str) -> Iterator[Place]:
    """A platform in `home`. Tool environments are shared by all runs, since each takes a while to build."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("IVCAP_")}
    env |= {f"IVCAP_{kind}_DIR": str(home / kind.lower()) for kind in ("STATE", "CONFIG")}
    env |= {"IVCAP_CACHE_DIR": str(BUILD / "interop" / "cache"), "HOME": str(home), "PYTHONPATH": str(ROOT)}
    found = Place(home / "platform", env, services)
    try:
        yield found
    finally:
        found.stop()


@contextmanager
def started(command: list[str], env: dict[str, str], ready: str, stream: str = "stderr") -> Iterator[re.Match[str]]:
    """A process of ours that says when it is ready; ended with the block.

    Args:
        command: What to start.
        env: Its environment.
        ready: Pattern to wait for in all it has said so far.
        stream: Where it says so.
    """
    process = subprocess.Popen(
        command, env=env, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if stream == "stdout" else subprocess.DEVNULL,
        stderr=subprocess.PIPE if stream == "stderr" else subprocess.DEVNULL,
    )  # fmt: skip
    pipe = process.stdout or process.stderr
    assert pipe is not None
    try:
        yield _awaited(process, pipe, ready)
    finally:
        process.terminate()
        try:
            process.wait(START)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        finally:
            pipe.close()


def _awaited(process: subprocess.Popen[str], pipe: IO[str], ready: str) -> re.Match[str]:
    said, limit = "", time.monotonic() + START
    while True:
        left = limit - time.monotonic()
        assert left > 0, f"not ready after {START} s\n{said}"
        if not select.select([pipe], [], [], left)[0]:
            continue
        piece = os.read(pipe.fileno(), 65536).decode()
        assert piece, f"ended with code {process.wait(START)} before it was ready\n{said}"
        said += piece
        found = re.search(ready, said, re.DOTALL)
        if found:
            return found
