"""One platform with the rehearsal tool, reached over stdio and HTTP by programs of others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop.node import Node, node
from tests.interop.place import REHEARSAL, Place, place, started


@dataclass(frozen=True)
class Address:
    """Where the server is served over HTTP, and what lets a client in."""

    url: str
    token: str


INSTALL = 900
"""Seconds a test may take: the first one installs the judges and builds the environments of tools."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave time for the installations of a first run."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.timeout(INSTALL))


@pytest.fixture(scope="session")
def judge() -> Node:
    """Node with the JavaScript judges."""
    return node()


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An embedded platform with the rehearsal tool, described."""
    with place(tmp_path_factory.mktemp("interop"), str(REHEARSAL)) as found:
        found.described("rehearsal")
        yield found


@pytest.fixture(scope="session")
def address(platform: Place) -> Iterator[Address]:
    """The same platform's MCP server over HTTP, with a token in front."""
    command = platform.command("serve", "--transport", "http", "--port", "0")
    with started(command, platform.env, r"(\{.*\n\})\s*\n") as said:
        (entry,) = json.loads(said[1])["mcpServers"].values()
        yield Address(entry["url"], entry["headers"]["Authorization"].removeprefix("Bearer "))


@pytest.fixture(params=["stdio", "http"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")
