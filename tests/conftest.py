"""Every test runs without the caller's IVCAP settings, and keeps what it writes in directories of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent
CACHE = Path(os.environ.get("IVCAP_TEST_CACHE") or ROOT / "build" / "test-cache")
"""Environments of real tools are built once and kept between runs: they are keyed by what is in them."""


# No test is judged by how long it took: the machine may be busy.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])


def pytest_configure() -> None:
    settings.load_profile("patient")
    for name in [name for name in os.environ if name.startswith("IVCAP_") and not name.startswith("IVCAP_TEST_")]:
        del os.environ[name]
    CACHE.mkdir(parents=True, exist_ok=True)
    os.environ["IVCAP_CACHE_DIR"] = str(CACHE)


@pytest.fixture(autouse=True)
def _own_directories(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path_factory.mktemp("user")
    for name in ("STATE", "CONFIG"):
        monkeypatch.setenv(f"IVCAP_{name}_DIR", str(home / name.lower()))
    monkeypatch.setenv("IVCAP_LOCAL_IDLE", "5")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
