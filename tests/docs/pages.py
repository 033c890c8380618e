"""Where the pages are, and what they include."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples"
PAGES = sorted(DOCS.rglob("*.md"))

_INCLUDED = re.compile(r'^\s*--8<-- "([^":]+)(?::(\d+)(?::(\d+))?)?"$', re.MULTILINE)


def included(page: Path) -> list[tuple[Path, int | None, int | None]]:
    """The files a page includes, with the first and last line where it names them."""
    return [
        (ROOT / path, int(first) if first else None, int(last) if last else None)
        for path, first, last in _INCLUDED.findall(page.read_text(encoding="utf-8"))
    ]


def rows(text: str) -> list[list[str]]:
    """The cells of the Markdown tables in a text, without heads and rulers."""
    found: list[list[str]] = []
    body = False
    for line in text.splitlines():
        if not line.startswith("|"):
            body = False
        elif re.fullmatch(r"[|:\- ]+", line):
            body = True
        elif body:
            cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
            found.append([cell.replace("\\|", "|").strip() for cell in cells])
    return found


def section(text: str, heading: str) -> str:
    """The part of a page under a heading, up to the next of the same or a higher level."""
    level = len(heading) - len(heading.lstrip("#"))
    after = text.partition(f"\n{heading}\n")[2]
    assert after, f"no heading {heading!r}"
    return re.split(rf"^#{{1,{level}}} ", after, maxsplit=1, flags=re.MULTILINE)[0]
