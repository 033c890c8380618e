"""A place to run what the pages show: fresh, with nothing of this user's but the environments of tools."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ivcap_client import LocalIVCAP
from ivcap_client.platform import stop_platform
from ivcap_mcp import examples
from tests.docs.pages import EXAMPLES, ROOT

PATIENCE = 100
"""Seconds one example may take; an environment is built before the first."""


@dataclass(frozen=True)
class Place:
    """A directory, and the variables of what runs in it."""

    directory: Path
    variables: dict[str, str]

    def said(self, *words: str) -> str:
        """What `ivcap-mcp` says on stdout and stderr, however it ends."""
        done = subprocess.run(
            [sys.executable, "-m", "ivcap_mcp", *words],
            cwd=self.directory, env=self.variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
        return done.stdout

    def run(self, *words: str) -> str:
        """What a command says on stdout; it must end with 0."""
        done = subprocess.run(
            words, cwd=self.directory, env=self.variables, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == 0, f"ended with {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def python(self, *words: str) -> str:
        """`run` with this Python."""
        return self.run(sys.executable, *words)

    def command(self, *words: str) -> str:
        """`run ivcap-mcp`."""
        return self.python("-m", "ivcap_mcp", *words)


def settings_for(folder: Path, cache: Path) -> dict[str, str]:
    """Variables that keep what runs away from this user's own data."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("IVCAP_")}
    return variables | {
        "IVCAP_STATE_DIR": str(folder / "state"),
        "IVCAP_CACHE_DIR": str(cache),
        "IVCAP_CONFIG_DIR": str(folder / "config"),
        "IVCAP_LOCAL_IDLE": "20",
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error::DeprecationWarning:__main__",
    }


@pytest.fixture(scope="session")
def cache() -> Path:
    """Where environments of tools stay between test runs; `IVCAP_TEST_CACHE` names another place."""
    return Path(os.environ.get("IVCAP_TEST_CACHE") or ROOT / "build" / "test-cache")


@contextmanager
def fresh(folder: Path, cache: Path) -> Iterator[Place]:
    """A place in an empty folder; the platforms that were started in it are ended."""
    (folder / "work").mkdir()
    yield Place(folder / "work", settings_for(folder, cache))
    for kept in list(folder.rglob("runner.json")):
        stop_platform(kept.parent.parent, force=True)


@pytest.fixture
def place(tmp_path: Path, cache: Path) -> Iterator[Place]:
    """A fresh place."""
    with fresh(tmp_path, cache) as found:
        yield found


@pytest.fixture(scope="session")
def prepared(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The environments of the tools the examples use, built once and long before a test's own time-out counts."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("IVCAP_")]:
            patch.delenv(name)
        patch.setenv("IVCAP_CACHE_DIR", str(cache))
        patch.setenv("IVCAP_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        base = tmp_path_factory.mktemp("base")
        tools = [examples.path("co2_trend.py"), examples.path("rehearsal.py"), EXAMPLES / "first_tool.py"]
        with LocalIVCAP(base, services=[str(tool) for tool in tools]) as ivcap:
            # Each refuses this input at once, which it can do only when it is up.
            jobs = [service.request_job({}) for service in ivcap.list_services()]
            assert len(jobs) == len(tools)
            for job in jobs:
                job.wait(timeout=600)
        stop_platform(base, force=True)
