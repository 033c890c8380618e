"""What a text is about, among the things that people of science do: `search_topics.txt`.

A question and a description rarely have words in common, but each has some in common with the line of its topic, which
has the field's words and everybody's.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache
from heapq import nsmallest
from importlib.resources import files
from typing import Final

from .search_terms import Document, Terms

MOST: Final = 15
"""How many topics a text has at most."""
SHARP: Final = 3
"""Power of how well a topic fits: the better ones count much more."""


class Topics:
    """Topics by their words.

    Args:
        text: A topic a line, `the field's words: other people's words`; `#` begins a comment.
    """

    def __init__(self, text: str) -> None:
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
        self._terms = Terms([Document(str(at), "", "", line) for at, line in enumerate(lines)])

    def of(self, text: str, *, guess: bool) -> dict[int, float]:
        """The topics of a text with their shares: a vector of length 1, empty if it has none.

        Args:
            text: A question, or a name with its description.
            guess: Whether its words may stand for their neighbours.
        """
        found = self._terms.found(text, guess=guess).scores
        best = nsmallest(MOST, ((-score, topic) for topic, score in found.items() if score > 0))
        shares = {topic: (score / best[0][0]) ** SHARP for score, topic in best}
        length = math.sqrt(sum(share * share for share in shares.values()))
        return {topic: share / length for topic, share in shares.items()}


@cache
def topics() -> Topics:
    """The package's own."""
    return Topics(files("ivcap_mcp").joinpath("search_topics.txt").read_text(encoding="utf-8"))


@lru_cache(maxsize=4096)
def described(text: str) -> dict[int, float]:
    """The topics of a description: kept, as a catalogue changes by a service or two."""
    return topics().of(text, guess=False)
