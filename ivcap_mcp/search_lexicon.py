"""What words of science mean to each other: `search_lexicon.txt`, read once, when something is searched first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from .search_words import words

HEAD, KIND, SOUGHT = 1.0, 0.75, 0.8
"""How strongly a member stands for its concept: a synonym, a kind of it, what a question looks for."""
ASIDE, BESIDE = 0.9, 0.25
"""What goes with it: in a query, and in a description, where it may go with much else."""
DILUTED: Final = 0.15


@dataclass(frozen=True, slots=True)
class Found:
    """A word or phrase of the lexicon in a text.

    Attributes:
        start: Place of its first word.
        length: How many words.
        concepts: Concept → how strongly it is meant.
    """

    start: int
    length: int
    concepts: dict[int, float]


class Lexicon:
    """Concepts by the stems of the words and phrases that name them.

    Args:
        text: One concept a line: `a, b` mean the same; `a > b, c`: kinds or parts of it; `a ~ b, c`: what goes with
            it; `a => b, c`: a question with `a` looks for `b` and `c`; `! a, b`: says nothing; `? a, b`: says little.
    """

    def __init__(self, text: str) -> None:
        members: defaultdict[tuple[str, ...], dict[int, tuple[float, float]]] = defaultdict(dict)
        self.silent: set[str] = set()
        self.weak: set[str] = set()
        number = 0
        for line in text.splitlines():
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            if line[0] in "!?":
                (self.silent if line[0] == "!" else self.weak).update(
                    part for phrase in line[1:].split(",") for part in words(phrase)
                )
                continue
            number += 1
            for phrase, asked, told in _members(line):
                key = tuple(words(phrase))
                was = members[key].get(number, (0.0, 0.0))
                members[key][number] = (max(was[0], asked), max(was[1], told))
        members.pop((), None)
        self._asked = {key: _diluted({c: w[0] for c, w in of.items() if w[0]}) for key, of in members.items()}
        self._told = {key: _diluted({c: w[1] for c, w in of.items() if w[1]}) for key, of in members.items()}
        self._longest: dict[str, int] = {}
        for key in members:
            self._longest[key[0]] = max(len(key), self._longest.get(key[0], 0))

    def asked(self, stems: Sequence[str]) -> list[Found]:
        """What a query means."""
        return list(self._scan(stems, self._asked))

    def told(self, stems: Sequence[str]) -> list[Found]:
        """What a description speaks of."""
        return list(self._scan(stems, self._told))

    def means(self, stem: str) -> dict[int, float]:
        """What a word means in a query by itself."""
        return self._asked.get((stem,), {})

    def _scan(self, stems: Sequence[str], table: dict[tuple[str, ...], dict[int, float]]) -> Iterator[Found]:
        for start, first in enumerate(stems):
            for length in range(min(self._longest.get(first, 0), len(stems) - start), 0, -1):
                concepts = table.get(tuple(stems[start : start + length]))
                if concepts:
                    yield Found(start, length, concepts)


def _members(line: str) -> Iterator[tuple[str, float, float]]:
    for sign, heads, others in (
        ("=>", (HEAD, 0.0), (0.0, SOUGHT)),
        (">", (HEAD, HEAD), (KIND, KIND)),
        ("~", (HEAD, HEAD), (ASIDE, BESIDE)),
    ):
        before, found, after = line.partition(f" {sign} ")
        if found:
            yield from ((part, *heads) for part in before.split(","))
            yield from ((part, *others) for part in after.split(","))
            return
    yield from ((part, HEAD, HEAD) for part in line.split(","))


def _diluted(concepts: dict[int, float]) -> dict[int, float]:
    """A word with many meanings says less of each."""
    many = len(concepts)
    return {concept: weight / (1 + DILUTED * (many - 1)) for concept, weight in concepts.items()}


@cache
def lexicon() -> Lexicon:
    """The package's own."""
    return Lexicon(files("ivcap_mcp").joinpath("search_lexicon.txt").read_text(encoding="utf-8"))
