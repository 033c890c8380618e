"""Search by topics and by neighbouring words: tables that come with the package, read at the first search only."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from importlib.resources import files

from hypothesis import given, settings
from hypothesis import strategies as st

from ivcap_mcp.search import Document, Index
from ivcap_mcp.search_near import near
from ivcap_mcp.search_topics import Topics, topics
from ivcap_mcp.search_words import words

DOCUMENTS = [
    Document("a", "a", "", "Finds the hypocentre of a seismic event from arrival times at stations."),
    Document("b", "b", "", "Quotas from a surplus production model fitted to landings and survey indices."),
    Document("c", "c", "", "Reads tables out of scanned reports."),
]
INDEX = Index(DOCUMENTS)


def test_what_is_about_the_same_is_found_though_it_shares_no_word() -> None:
    assert INDEX.search("how many tuna may boats take without the sea running empty")[0][0][0] == "b"
    known = Topics("surplus stock assessment: tuna boats take\nhypocentre: earth shakes\n")
    told = known.of("surplus production", guess=False)
    assert told == known.of("tuna boats", guess=False)
    assert told != known.of("the earth shakes", guess=False)


def test_neighbours_are_near_and_none_is_the_word_itself() -> None:
    found = near(words("flooding")[0])
    assert {"inund", "delug"} <= {other for other, _ in found}
    assert [how for _, how in found] == sorted((how for _, how in found), reverse=True)


def test_every_line_of_the_table_is_a_word_with_at_most_twelve_neighbours() -> None:
    text = gzip.decompress(files("ivcap_mcp").joinpath("search_near.txt.gz").read_bytes()).decode("ascii")
    lines = text.splitlines()
    assert len(lines) > 20_000
    assert [line for line in lines if not re.fullmatch(r"[a-z]{2,}( [a-z0-9.]*[a-z.0-9][1-9]){1,12}", line)] == []
    heads = [line.split(" ", 1)[0] for line in lines]
    assert heads == sorted(set(heads))
    assert [line for line in lines if line.split(" ", 1)[0] in {told[:-1] for told in line.split()[1:]}] == []


def test_every_topic_has_the_field_s_words_and_everybody_s() -> None:
    text = files("ivcap_mcp").joinpath("search_topics.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(lines) == len(set(lines))
    assert [line for line in lines if line.count(":") != 1 or min(map(len, map(words, line.split(":")))) < 2] == []


@settings(max_examples=40)
@given(st.text(max_size=80))
def test_whatever_is_asked_in_whatever_script_is_answered_best_first_and_always_alike(query: str) -> None:
    ranked, fit = INDEX.search(query)
    assert (ranked, fit) == Index(DOCUMENTS[::-1]).search(query)
    assert [score for _, score in ranked] == sorted((score for _, score in ranked), reverse=True)
    assert fit >= 0
    assert sum(share * share for share in topics().of(query, guess=True).values()) <= 1 + 1e-9


def test_nothing_to_search_and_nothing_to_say_are_answered_too() -> None:
    assert Index([]).search("earthquake") == ([], 0.0)
    assert Index([Document("x", "", "", "")]).search("earthquake") == ([], 0.0)
    assert [key for key, _ in INDEX.search("?!")[0]] == ["a", "b", "c"]
    assert near("") == near("地震") == []


def test_no_table_is_read_before_the_first_search() -> None:
    code = (
        "import sys; sys.addaudithook(lambda event, told: event == 'open' and 'search_' in str(told[0]) "
        "and str(told[0]).endswith(('.txt', '.gz')) and print(told[0]))\n"
        "import ivcap_mcp.server; print('started')\n"
        "from ivcap_mcp.search import Index; Index([]).search('earthquake')\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    before, after = told.split("started")
    assert before == ""
    assert {name.rsplit("/", 1)[-1].rsplit("\\", 1)[-1] for name in after.split()} == {
        "search_lexicon.txt",
        "search_near.txt.gz",
        "search_topics.txt",
    }
