"""Fixtures: a recording sidecar, and the example tools running against it in both generations of the tool library."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from ivcap_mcp import examples
from tests.examples.environments import python_for
from tests.examples.sidecar import Sidecar
from tests.examples.tool import Tool

Start = Callable[[str], Tool]

# The newest one is a shim over ivcap-lambda; 0.7.22 is what services in the field pin.
GENERATIONS = {"newest": (), "0.7.22": ("ivcap-ai-tool==0.7.22",)}


@pytest.fixture(scope="session")
def sidecar() -> Iterator[Sidecar]:
    with closing(Sidecar()) as sidecar:
        yield sidecar
        assert sidecar.strange == [], "requests the service contract does not know"


@pytest.fixture(scope="session", params=list(GENERATIONS))
def generation(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def start(generation: str, sidecar: Sidecar, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start a packaged tool; it ends with the test session."""
    with ExitStack() as running:

        def start(name: str) -> Tool:
            script = examples.path(name)
            python: Path = python_for(script, *GENERATIONS[generation])
            return running.enter_context(
                closing(Tool(python, script, sidecar.base_url, tmp_path_factory.mktemp("tool")))
            )

        yield start


@pytest.fixture(scope="session")
def co2_trend(start: Start) -> Tool:
    return start("co2_trend.py")


@pytest.fixture(scope="session")
def rehearsal(start: Start) -> Tool:
    return start("rehearsal.py")
