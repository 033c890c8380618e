"""Which texts have the words of a query, or words that mean the same.

Each word or phrase of the query looks for itself, for what means the same (`search_lexicon`), for its neighbours in the
language (`search_near`) and, if no text knows it, for words that look like it; the best of these counts, by how rare it
is and in which field it was found (BM25F).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from .search_lexicon import lexicon
from .search_near import near
from .search_words import grams, words

NAME, PARAMETERS, DESCRIPTION = 2.2, 0.9, 1.6
"""What a word found in each field counts."""
SATURATION, LENGTH = 3.0, 0.4
MEANT, ALIKE, ADDED = 1.15, 0.45, 0.05
"""What counts, of a word itself: a word that means the same, one that looks alike, a second way in which it fits."""
REPEATED: Final = 0.6
"""What counts, of a meaning found before in the same text, when it is found again in other words."""
LITTLE, PART = 0.5, 0.6
"""What counts, of a word: one that says little, one that is part of a term."""
FLATTENED: Final = 0.8
"""Power of rarity: a word that only one service has must not outweigh everything else."""
BREADTH: Final = 0.8
"""Power of what each word counts: of two services, the one that fits more of the words comes before one fitted better
by fewer."""
MOST_WORDS: Final = 200
NEAR, KNOWN = 0.7, 0.5
"""What counts, of a word: a neighbour; and of that, when the lexicon knows better what the word means."""
GUESSED: Final = 0.8
"""What counts, of a word that only looks alike, when neighbours are known."""


@dataclass(frozen=True, slots=True)
class Document:
    """What is searched of one service."""

    key: str
    name: str
    parameters: str
    description: str


@dataclass(frozen=True, slots=True)
class Scores:
    """What a query finds: by the place of a document.

    Attributes:
        scores: To rank by: of two, the one that fits more of the words comes first.
        evidence: What speaks for it, in rare words: one that means the same counts about 1 in most catalogues.
    """

    scores: dict[int, float]
    evidence: dict[int, float]


class Terms:
    """Texts by their words and what these mean.

    Args:
        documents: What is searched.
    """

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = tuple(documents)
        weights: defaultdict[str | int, dict[int, float]] = defaultdict(dict)
        told = lexicon().told
        lengths = [len(words(d.description)) + len(words(d.parameters)) for d in documents]
        usual = sum(lengths) / max(1, len(lengths)) or 1.0
        for place, document in enumerate(documents):
            short = 1 / (1 - LENGTH + LENGTH * lengths[place] / usual)
            for text, worth in (
                (document.name, NAME),
                (document.parameters, PARAMETERS * short),
                (document.description, DESCRIPTION * short),
            ):
                stems = words(text)
                # A tool's name often is the service's in other letters: once is enough.
                for one in dict.fromkeys(stems) if text is document.name else stems:
                    weights[one][place] = weights[one].get(place, 0.0) + worth
                meant: dict[int, float] = {}
                for found in told(stems):
                    for concept, how in found.concepts.items():
                        meant[concept] = how + REPEATED * meant.get(concept, 0.0)
                for concept, how in meant.items():
                    weights[concept][place] = weights[concept].get(place, 0.0) + worth * how
        self._found = {
            term: {place: weight / (weight + SATURATION) for place, weight in places.items()}
            for term, places in weights.items()
        }
        # In a small catalogue every word would be common, and nothing would fit anything.
        self._size = max(len(self.documents), 50)
        self._most = math.log(1 + 2 * self._size) ** FLATTENED
        self._stems = sorted(term for term in self._found if isinstance(term, str) and len(term) > 3)
        self._by_gram: defaultdict[str, list[str]] = defaultdict(list)
        for stem in self._stems:
            for gram in grams(stem):
                self._by_gram[gram].append(stem)

    def rank(self, query: str) -> list[tuple[str, float]]:
        """Keys with their scores, best first; documents in which nothing was found are left out.

        An empty query ranks all by name.
        """
        if not words(query):
            return [(one.key, 0.0) for one in sorted(self.documents, key=lambda one: (one.name, one.key))]
        ranked = sorted(
            (-round(score, 4), self.documents[place].name, self.documents[place].key)
            for place, score in self.found(query).scores.items()
        )
        return [(key, -score) for score, _, key in ranked if score < 0]

    def found(self, query: str, *, guess: bool = True) -> Scores:
        """What a query finds.

        Args:
            query: Its words.
            guess: Whether to look for neighbours and for what looks alike: not worth its time for a whole description.
        """
        scores: defaultdict[int, float] = defaultdict(float)
        evidence: defaultdict[int, float] = defaultdict(float)
        for found in self._found_by(query, guess):
            for place, score in found.items():
                scores[place] += score**BREADTH
                evidence[place] += score / self._most
        return Scores(scores, evidence)

    def _rarity(self, term: str | int) -> float:
        holding = len(self._found.get(term, ()))
        return float(math.log(1 + (self._size - holding + 0.5) / (holding + 0.5)) ** FLATTENED)

    def _found_by(self, query: str, guess: bool) -> Iterator[dict[int, float]]:
        """What each word and each term of a query finds: document → score."""
        stems = words(query)[:MOST_WORDS]
        known = lexicon()
        meant: defaultdict[tuple[str, ...], dict[int, float]] = defaultdict(dict)
        alone = set(stems)
        for found in known.asked(stems):
            key = tuple(stems[found.start : found.start + found.length])
            meant[key] |= found.concepts
            # A word says less by itself where it is part of a term: "water table" is no table.
            if found.length > 1 and not known.silent.intersection(key):
                alone.difference_update(key)
        for one in stems:
            if one not in known.silent:
                meant.setdefault((one,), {})
        for key, concepts in meant.items():
            if len(key) == 1 and key[0] in known.silent:
                continue
            yield self._of(key, concepts, 1.0 if len(key) > 1 or key[0] in alone else PART, guess)

    def _of(self, key: tuple[str, ...], concepts: dict[int, float], share: float, guess: bool) -> dict[int, float]:
        stem = key[0] if len(key) == 1 else ""
        ways: list[tuple[float, dict[int, float]]] = []
        neighbours = near(stem) if stem and guess else ()
        if stem in self._found:
            ways.append((self._rarity(stem), self._found[stem]))
        elif stem and guess:
            ways.extend((weight * (GUESSED if neighbours else 1.0), places) for weight, places in self._alike(stem))
        ways.extend(self._meant(concepts, MEANT))
        how = NEAR * (KNOWN if any(concept in self._found for concept in concepts) else 1.0)
        for other, close in neighbours:
            if other in self._found:
                ways.append((how * close * self._rarity(other), self._found[other]))
            ways.extend(self._meant(lexicon().means(other), how * close))
        share *= LITTLE if stem in lexicon().weak else 1.0
        best: dict[int, float] = {}
        total: dict[int, float] = {}
        for weight, places in ways:
            for place, there in places.items():
                value = weight * there
                total[place] = total.get(place, 0.0) + value
                if value > best.get(place, 0.0):
                    best[place] = value
        return {place: share * (most + ADDED * (total[place] - most)) for place, most in best.items()}

    def _meant(self, concepts: dict[int, float], weight: float) -> Iterator[tuple[float, dict[int, float]]]:
        for concept, how in concepts.items():
            if concept in self._found:
                yield weight * how * self._rarity(concept), self._found[concept]

    def _alike(self, stem: str) -> list[tuple[float, dict[int, float]]]:
        """Words of the catalogue that look like one it does not know: another form, a compound, a slip of the pen."""
        if len(stem) < 3:
            return []
        own = grams(stem)
        shared: defaultdict[str, int] = defaultdict(int)
        for gram in sorted(own):
            for other in self._by_gram.get(gram, ()):
                shared[other] += 1
        ways = []
        for other, common in shared.items():
            alike = 2 * common / (len(own) + len(grams(other)))
            whole = other.startswith(stem) or (len(other) >= 5 and stem.startswith(other))
            if alike >= 0.6 or whole:
                ways.append((ALIKE * max(alike, 0.6) * self._rarity(other), self._found[other]))
        return ways


@lru_cache(maxsize=8)
def _terms(documents: tuple[Document, ...]) -> Terms:
    return Terms(documents)


def rank(query: str, documents: Sequence[Document]) -> list[tuple[str, float]]:
    """`Terms.rank` over documents that are kept until others are asked for."""
    return _terms(tuple(documents)).rank(query)
