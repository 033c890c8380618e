"""Each test has its own directories, short limits, and everything it started gone at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivcap_client._local import launch
from tests.local.running.desk import LONG, Desk


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    for name in [item for item in os.environ if item.startswith("IVCAP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("IVCAP_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("IVCAP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("IVCAP_LOCAL_IDLE", "30")
    monkeypatch.setenv("IVCAP_TOOL_POLL", "0.05")
    monkeypatch.setenv("IVCAP_TOOL_STOP", "1")
    found = Desk(tmp_path / "base", monkeypatch)
    yield found
    launch.stop_runner(found.base, force=True, seconds=LONG)
    found.store.close()
