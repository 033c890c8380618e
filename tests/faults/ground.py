"""A platform in a process of its own, with a tool, and what the trials need."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ivcap_client.platform import stop_platform
from tests.congruence.legs import served
from tests.faults.trial import Ground


@contextmanager
def prepared(home: Path) -> Iterator[Ground]:
    """The platform, its directories below `home`."""
    settings = {f"IVCAP_{name}_DIR": str(home / name.lower()) for name in ("STATE", "CONFIG")}
    settings |= {"IVCAP_TOOL_POLL": "0.05", "IVCAP_TOOL_STOP": "1", "IVCAP_EVENTS_KEEP_ALIVE": "0.5"}
    before = {name: os.environ.get(name) for name in settings}
    os.environ |= settings
    try:
        with served(home / "there") as url:
            ground = Ground(url, home)
            try:
                yield ground
            finally:
                ground.close()
                stop_platform(home / "there", force=True)
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)
