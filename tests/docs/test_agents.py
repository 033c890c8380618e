"""What AGENTS.md tells coding agents to write works as it stands."""

from __future__ import annotations

import re

import pytest

from tests.docs.conftest import Place
from tests.docs.pages import ROOT

TEXT = (ROOT / "AGENTS.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.mark.usefixtures("prepared")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("code", [pytest.param(code, id=heading) for heading, code in SNIPPETS])
def test_a_snippet_runs_as_it_stands(place: Place, code: str) -> None:
    (place.directory / "snippet.py").write_text(code, encoding="utf-8")
    place.python("snippet.py")


def test_no_snippet_is_overlooked() -> None:
    assert len(SNIPPETS) == TEXT.count("```python") > 0


def test_files_it_names_exist() -> None:
    named = re.findall(r"`((?:docs|tests)/[\w./-]+)`", TEXT)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
