"""Servers end with their test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.client.server import Server, serving


@pytest.fixture
def server() -> Iterator[Server]:
    """A platform on loopback that answers what it is told."""
    with serving() as found:
        yield found
