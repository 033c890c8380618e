"""What the pages show as recorded is what the commands say today."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.conftest import fresh
from tests.docs.pages import PAGES, included
from tests.docs.recordings import RECORDINGS, comparable, recorded

KEPT = sorted(RECORDINGS.glob("*.txt"))

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def said(prepared: None, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every session, run once."""
    with fresh(tmp_path_factory.mktemp("recorded").resolve(), cache) as place:
        return recorded(place.said, place.directory)


@pytest.mark.parametrize("kept", KEPT, ids=lambda path: path.stem)
def test_a_session_says_what_was_recorded(kept: Path, said: dict[str, str]) -> None:
    again = "record it anew: python -m tests.docs.recordings"
    assert comparable(said[kept.stem]) == comparable(kept.read_text(encoding="utf-8")), again


def test_every_session_is_kept_and_on_a_page(said: dict[str, str]) -> None:
    shown = {path for page in PAGES for path, _, _ in included(page)}
    assert set(said) == {path.stem for path in KEPT}
    assert [path.name for path in KEPT if path not in shown] == []
