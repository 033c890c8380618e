"""A real tool on a real local platform, a server over it, and real clients of both protocol eras."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ivcap_client import IVCAP, LocalIVCAP
from ivcap_client.platform import stop_platform
from ivcap_mcp import Settings, build_server, examples
from ivcap_mcp.server import IvcapServer
from tests.client.identity_provider import Provider, providing
from tests.mcp.accounts import platforms
from tests.mcp.clients import Served
from tests.mcp.issuing import Issuer, issuing
from tests.mcp.proxied import Proxy, platform

REHEARSAL = examples.path("rehearsal.py")


@pytest.fixture(params=["2026-07-28", "legacy"])
def mode(request: pytest.FixtureRequest) -> str:
    """The protocol era of the client."""
    return str(request.param)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A platform's directory for the tests of one file, which share its runner and its tool."""
    where = tmp_path_factory.mktemp("platform") / "store"
    yield where
    stop_platform(where, force=True)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path / "state", local=True, refresh=0.2, first_list=60)


@pytest.fixture
async def server(base: Path, settings: Settings) -> AsyncIterator[IvcapServer]:
    """A server whose platform can run the rehearsal tool; its connections close in the loop that opened them."""
    async with LocalIVCAP(base, services=[str(REHEARSAL)]) as ivcap:
        yield build_server(ivcap, settings)


@pytest.fixture
def served(base: Path, tmp_path: Path) -> Served:
    """How to start the same as a process of its own."""
    return Served(base, tmp_path, [str(REHEARSAL)])


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a platform that is a process of its own and runs the plain tool."""
    with platform(tmp_path_factory.mktemp("deployment") / "store") as url:
        yield url


@pytest.fixture
async def proxy(deployment: str) -> AsyncIterator[Proxy]:
    """What stands between the server and that platform."""
    async with Proxy(deployment).listening() as found:
        yield found


@pytest.fixture
def brief(settings: Settings) -> Settings:
    """Limits in tenths of seconds."""
    return dataclasses.replace(
        settings,
        local=False,
        find_for=3.0,
        find_pause=0.05,
        find_settle=0.8,
        find_slack=0.3,
        order_timeout=2.0,
        new_job=1.0,
        max_wait=10.0,
        default_wait=8.0,
    )


@pytest.fixture
async def remote(proxy: Proxy, brief: Settings) -> AsyncIterator[IvcapServer]:
    """A server whose platform is behind the proxy."""
    async with IVCAP(proxy.url, token="t") as ivcap:
        yield build_server(ivcap, brief)


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A platform for each of several people."""
    with platforms(tmp_path_factory.mktemp("accounts")) as found:
        yield found


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """Who gives callers of a server over HTTP their tokens."""
    with issuing() as found:
        yield found


@pytest.fixture
def idp() -> Iterator[Provider]:
    """Who signs people in to a platform."""
    with providing() as found:
        yield found
