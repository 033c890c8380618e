"""Names from outside as file names."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from ivcap_client._local.names import MOST_BYTES, candidates, safe_name, split

anything = st.text() | st.text(alphabet='./\\:*?"<>| \0\n\u202eaCONux1', max_size=300)


@given(anything)
def test_any_text_becomes_one_legal_component(name: str) -> None:
    safe = safe_name(name, "fallback")
    assert safe
    assert not set(safe) & set('/\\:*?"<>|\0\n')
    assert safe not in (".", "..")
    assert not safe.startswith((".", " "))
    assert not safe.endswith((".", " "))
    assert len(safe.encode()) <= MOST_BYTES
    assert safe.split(".")[0].lower() not in {"con", "nul", "aux", "prn", "com1", "lpt9"}


@given(anything)
def test_a_safe_name_stays_as_it_is(name: str) -> None:
    safe = safe_name(name, "fallback")
    assert safe_name(safe, "fallback") == safe


@given(anything)
def test_further_names_differ_and_keep_the_suffix(name: str) -> None:
    safe = safe_name(name, "fallback")
    some = list(itertools.islice(candidates(safe), 5))
    assert len(set(some)) == 5
    assert {split(one)[1] for one in some} == {split(safe)[1]}


def test_ordinary_names_are_left_alone() -> None:
    for name in ("used.csv", "Bericht 2024 (alt).pdf", "日本語.txt", "a.tar.gz", "x"):
        assert safe_name(name, "f") == name
    assert list(itertools.islice(candidates("a.tar.gz"), 2)) == ["a.tar.gz", "a (2).tar.gz"]
    assert safe_name("../x", "f") == "x"
