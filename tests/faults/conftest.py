"""One platform in a process of its own, for all trials."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.ground import prepared
from tests.faults.trial import Ground


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with prepared(tmp_path_factory.mktemp("faults")) as found:
        yield found
