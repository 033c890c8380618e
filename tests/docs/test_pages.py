"""Pages include examples rather than repeat them, leave none out, and link to what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, EXAMPLES, PAGES, ROOT, included

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def test_every_example_is_on_a_page_with_what_it_says() -> None:
    shown = {path for page in PAGES for path, _, _ in included(page)}
    assert [path.name for path in EXAMPLES.iterdir() if path.is_file() and path not in shown] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_shows_python_only_from_files(page: Path) -> None:
    for block in re.findall(r"^ *```python[^\n]*\n(.*?)^ *```$", page.read_text(), re.MULTILINE | re.DOTALL):
        assert re.fullmatch(r'\s*--8<-- "[^"]+"\s*', block), block


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_includes_exists_and_is_whole(page: Path) -> None:
    for path, first, last in included(page):
        lines = path.read_text(encoding="utf-8").splitlines()
        if first is not None and last is not None:
            # Parts are named by line numbers: they must begin and end where a definition does.
            assert re.match(r"class |def |@", lines[first - 1]), f"{path.name}:{first} begins with {lines[first - 1]!r}"
            assert (lines[first - 2], lines[last]) == ("", ""), f"{path.name}:{first}:{last} cuts something off"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "AGENTS.md", ROOT / "CHANGELOG.md"], ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", found.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", text).strip().lower().replace(" ", "-") for text in headings]


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert {page.relative_to(DOCS).as_posix() for page in PAGES} == listed


def test_the_site_fetches_nothing_from_elsewhere() -> None:
    settings = (ROOT / "mkdocs.yml").read_text()
    assert "font: false" in settings
    assert not re.search(r"https?://", settings)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_opens_with_its_readers_problem(page: Path) -> None:
    _, _, body = page.read_text(encoding="utf-8").partition("\n\n")
    opening = body.split("\n\n")[0]
    assert not opening.startswith(("#", "|", "-", "```"))
    assert re.search(r"\b[Yy]ou\b|\bclients?\b", opening)
