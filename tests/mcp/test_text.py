"""What is stripped from text, and where it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivcap_mcp.text import clip, one_line, stripped


@pytest.mark.parametrize(
    "hidden",
    [
        *("\x00", "\r", "\x1b", "\x7f", "\x85", "\u200b", "\u202e", "\u2066", "\u2028", "\u2029", "\ufeff", "\u00ad"),
        *("\U000e0041", "\U000e0100", "\U000e0fff", "\ud800", "\u200d", "\u200c"),
    ],
)
def test_what_cannot_be_seen_is_removed(hidden: str) -> None:
    assert stripped(f"a{hidden}b") == "ab"


@pytest.mark.parametrize("seen", ["\n", "\t", "\u0600", "\u0605", "\u06dd", "\u08e2", "\U000110bd", "é", "\u0301"])
def test_what_is_read_stays(seen: str) -> None:
    assert stripped(f"a{seen}b") == f"a{seen}b"


@pytest.mark.parametrize("word", ["نمی\u200cشود", "क्\u200dष", "ශ්\u200dරී"])
def test_a_joiner_stays_where_letters_need_it(word: str) -> None:
    assert stripped(word) == word


def test_joiners_in_a_row_are_no_spelling() -> None:
    assert stripped("می\u200c\u200d\u200cخ") == "میخ"


@given(st.text())
def test_stripping_twice_changes_nothing_more(text: str) -> None:
    once = stripped(text)
    assert stripped(once) == once


@given(st.text(max_size=80), st.integers(0, 60))
def test_a_cut_text_is_never_too_long_and_says_that_it_was_cut(text: str, most: int) -> None:
    cut = clip(text, most)
    assert len(cut) <= most
    assert cut == text if len(text) <= most else cut == "" or cut.endswith("…")
    assert clip(cut, most) == cut


def test_a_text_is_cut_at_a_word() -> None:
    assert clip("one two three", 10) == "one two…"


def test_a_long_word_is_cut_inside() -> None:
    assert clip("a " + "x" * 50, 20) == "a " + "x" * 17 + "…"


def test_an_accent_stays_with_its_letter() -> None:
    assert clip("xxxe\u0301yyy", 5) == "xxx…"


def test_one_line_has_no_breaks() -> None:
    assert one_line(" a\n\tb\u202e ", 10) == "a b"
