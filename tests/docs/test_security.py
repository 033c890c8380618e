"""The threat model names tests that exist, for every attack it lists."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import DOCS, ROOT, rows

PAGE = (DOCS / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED])
def test_a_test_that_the_page_names_exists(file: str, name: str) -> None:
    assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_attack_has_a_defence_and_a_test() -> None:
    found = rows(PAGE)
    assert len(found) > 40
    for attack, defence, shown in found:
        assert attack
        assert defence
        assert re.fullmatch(r"`tests/[\w/]+\.py::test_\w+`", shown), attack


@pytest.mark.parametrize(
    "who",
    [
        "author of a service", "maker of an artifact", "author of an aspect", "web page in the user's browser",
        "Another user", "man in the middle", "model, misled", "opened repository",
    ],
)  # fmt: skip
def test_every_attacker_has_a_section(who: str) -> None:
    assert re.search(rf"^### .*{re.escape(who)}", PAGE, re.MULTILINE)
