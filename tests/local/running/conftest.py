"""Directories of the test's own, short limits, and everything that was started gone at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivcap_client._local import launch
from tests.local.running.desk import LONG, Desk


def settled(home: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk whose directories are below `home`."""
    for name in [item for item in os.environ if item.startswith("IVCAP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("IVCAP_STATE_DIR", str(home / "state"))
    monkeypatch.setenv("IVCAP_CACHE_DIR", str(home / "cache"))
    monkeypatch.setenv("IVCAP_LOCAL_IDLE", "30")
    monkeypatch.setenv("IVCAP_TOOL_POLL", "0.05")
    monkeypatch.setenv("IVCAP_TOOL_STOP", "1")
    monkeypatch.setenv("IVCAP_TOOL_REPORT_GRACE", "5")
    return Desk(home / "base", monkeypatch)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk with a runner of its own, for which limits can be set."""
    found = settled(tmp_path, monkeypatch)
    yield found
    launch.stop_runner(found.base, force=True, seconds=LONG)
    found.store.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    where = tmp_path_factory.mktemp("shared")
    yield where
    launch.stop_runner(where / "base", force=True, seconds=LONG)


@pytest.fixture
def shared(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk whose runner serves all tests of the file that only run jobs."""
    found = settled(home, monkeypatch)
    yield found
    found.store.close()
