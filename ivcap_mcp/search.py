"""Ranking of services for a query in words: names count more than descriptions, rare words more than common ones."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WEIGHTS = (4.0, 2.0, 1.0)
"""For a word found in the name, among the parameters, in the description."""


@dataclass(frozen=True, slots=True)
class Document:
    """What is searched of one service."""

    key: str
    name: str
    parameters: str
    description: str


def words(text: str) -> list[str]:
    """Lower-case words, plural `s` dropped so that "trend" finds "trends"."""
    found = re.findall(r"[^\W_]+", text.lower())
    return [word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in found]


def rank(query: str, documents: Sequence[Document]) -> list[tuple[str, float]]:
    """Keys with their scores, best first; documents in which nothing was found are left out.

    A word also counts, at half weight, where it begins a word of the document. An empty query ranks all by name.
    """
    wanted = list(dict.fromkeys(words(query)))
    if not wanted:
        return [
            (document.key, 0.0) for document in sorted(documents, key=lambda document: (document.name, document.key))
        ]
    parts = [tuple(words(text) for text in (d.name, d.parameters, d.description)) for d in documents]
    everything = [set().union(*part) for part in parts]
    scores = []
    for document, part in zip(documents, parts, strict=True):
        score = sum(_rarity(word, everything) * _found(word, part) for word in wanted)
        if score > 0:
            scores.append((document.key, round(score, 4), document.name))
    scores.sort(key=lambda found: (-found[1], found[2], found[0]))
    return [(key, score) for key, score, _ in scores]


def _found(word: str, part: Iterable[list[str]]) -> float:
    best = 0.0
    for weight, there in zip(WEIGHTS, part, strict=True):
        if word in there:
            best += weight
        elif len(word) >= 3 and any(one.startswith(word) or (len(one) >= 4 and word.startswith(one)) for one in there):
            best += weight / 2
    return best


def _rarity(word: str, everything: Sequence[set[str]]) -> float:
    holding = sum(1 for one in everything if word in one)
    return 1.0 + math.log(1 + len(everything) / (1 + holding))
