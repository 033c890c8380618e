"""One platform in a process of its own and one in this process, for all tests of this directory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ivcap_client.platform import stop_platform
from tests.congruence.legs import Legs, served, way

NAMES = ["sync local", "async local", "sync http", "async http"]


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The URL of the served platform, and the directory of the other."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        home = tmp_path_factory.mktemp("congruence")
        for name in ("STATE", "CONFIG"):
            patch.setenv(f"IVCAP_{name}_DIR", str(home / name.lower()))
        patch.setenv("IVCAP_TOOL_POLL", "0.05")
        patch.setenv("IVCAP_TOOL_STOP", "1")
        patch.setenv("IVCAP_EVENTS_KEEP_ALIVE", "0.5")
        stack.callback(stop_platform, home / "here", force=True)
        yield stack.enter_context(served(home / "there")), home / "here"


@pytest.fixture
def legs(places: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Legs]:
    """The four ways."""
    # Of the runner that the first job starts, and that serves all tests.
    monkeypatch.setenv("IVCAP_LOCAL_IDLE", "60")
    monkeypatch.setenv("IVCAP_STATE_DIR", str(places[1].parent / "state"))
    for name, value in {"TOOL_POLL": "0.05", "TOOL_STOP": "1", "EVENTS_KEEP_ALIVE": "0.5"}.items():
        monkeypatch.setenv(f"IVCAP_{name}", value)
    with ExitStack() as stack:
        yield Legs([stack.enter_context(way(name, *places)) for name in NAMES])
