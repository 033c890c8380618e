"""The examples in docstrings run, and say what they show."""

from __future__ import annotations

import doctest
import importlib
import inspect
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ivcap_client
from ivcap_client import IVCAP, LocalIVCAP
from ivcap_client.platform import stop_platform
from tests.congruence.legs import SERVICES

ROOT = Path(ivcap_client.__file__).parent
MODULES = [
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
    for path in sorted([*ROOT.glob("*.py"), *(ROOT / "_faces").glob("*.py")])
    if path.stem != "__init__"
]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL


def examples() -> list[doctest.DocTest]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [test for name in MODULES for test in finder.find(importlib.import_module(name)) if test.examples]
    return sorted(found, key=lambda test: test.name)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalIVCAP]:
    """A local platform with a service called plain, for all examples; its tool runs once."""
    home = tmp_path_factory.mktemp("docstrings")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IVCAP_STATE_DIR", str(home / "state"))
        patch.setenv("IVCAP_TOOL_POLL", "0.05")
        with LocalIVCAP(home / "platform", services=SERVICES) as ivcap:
            yield ivcap
        stop_platform(home / "platform", force=True)


@pytest.mark.parametrize("test", [pytest.param(test, id=test.name) for test in examples()])
def test_an_example_says_what_it_shows(
    platform: LocalIVCAP, test: doctest.DocTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    test.globs = {"ivcap": platform, "io": io, "Path": Path}
    told: list[str] = []
    results = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=told.append, clear_globs=False)
    assert results.failed == 0, "".join(told)


def documented(thing: Any) -> bool:
    return ">>>" in (inspect.getdoc(thing) or "")


@pytest.mark.parametrize("name", [name for name in ivcap_client.__all__ if name not in ("URN", "__version__")])
def test_every_name_of_the_package_has_an_example(name: str) -> None:
    thing = getattr(ivcap_client, name)
    assert documented(thing) or documented(getattr(ivcap_client, name.removesuffix("_async"), None)), name


@pytest.mark.parametrize(
    "name", [name for name in dir(IVCAP) if not name.startswith("_") and not name.endswith("_async")]
)
def test_every_method_of_the_client_has_an_example(name: str) -> None:
    assert documented(getattr(IVCAP, name)), name
