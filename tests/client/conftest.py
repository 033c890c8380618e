"""No test is judged by how long it took: the machine may be busy. Servers end with their test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.client.server import Server, serving

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture
def server() -> Iterator[Server]:
    """A platform on loopback that answers what it is told."""
    with serving() as found:
        yield found
