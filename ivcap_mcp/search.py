"""Ranking of services for a query in words: by what their texts say (`search_terms`) and are about (`search_topics`).

No model and no network: the same query over the same catalogue always gives the same answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from .search_terms import Document, Terms
from .search_topics import described, topics
from .search_words import words

__all__ = ["CONFIDENT", "Document", "Index"]

ABOUT: Final = 3.0
"""What the same topics count, in scores of words."""
AKIN: Final = 0.02
"""Likeness of topics under which a text says nothing of what was asked."""
TOPICAL: Final = 0.3
"""What the same topics count as evidence, of one rare word that means the same."""
CONFIDENT: Final = 0.78
"""Fit of the first under which probably nothing in the catalogue does what was asked."""


class Index:
    """A catalogue ready to be searched; build it once for each version of the catalogue.

    Args:
        documents: What is searched.
    """

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = tuple(documents)
        self._terms = Terms(documents)
        self._by_topic: defaultdict[int, dict[int, float]] = defaultdict(dict)
        for place, document in enumerate(documents):
            for topic, share in described(f"{document.name} {document.description}").items():
                self._by_topic[topic][place] = share

    def search(self, query: str) -> tuple[list[tuple[str, float]], float]:
        """Keys with their scores, best first, and how well the first fits.

        An empty query ranks all by name; documents in which nothing was found are left out.

        Returns:
            The ranking, and a fit from 0: not at all; under `CONFIDENT` probably nothing does what was asked.
        """
        if not words(query):
            return self._terms.rank(query), 1.0
        found = self._terms.found(query)
        about = self._about(query)
        ranked = []
        for place in found.scores.keys() | about.keys():
            document = self.documents[place]
            score = found.scores.get(place, 0.0) + ABOUT * about.get(place, 0.0)
            ranked.append((-round(score, 4), document.name, document.key, place))
        ranked.sort()
        first = ranked[0][3] if ranked else -1
        fit = found.evidence.get(first, 0.0) + TOPICAL * about.get(first, 0.0)
        return [(key, -score) for score, _, key, _ in ranked if score < 0], round(fit, 4)

    def rank(self, name: str) -> list[tuple[str, float]]:
        """Keys with their scores by words alone, best first: for a name that somebody has nearly right."""
        return self._terms.rank(name)

    def _about(self, query: str) -> dict[int, float]:
        alike: defaultdict[int, float] = defaultdict(float)
        for topic, share in topics().of(query, guess=True).items():
            for place, there in self._by_topic.get(topic, {}).items():
                alike[place] += share * there
        return {place: how for place, how in alike.items() if how >= AKIN}
