"""Which words are used like which: `search_near.txt.gz`, read when something is searched first.

Each line is a stem, then those of the lexicon's and the topics' stems that stand nearest to it in a public table of
word vectors (GloVe), each with a digit: how near, from 1 to 9. `tests/evals/near.py` makes the file.
"""

from __future__ import annotations

import gzip
from functools import cache
from importlib.resources import files


@cache
def _lines() -> dict[str, str]:
    packed = files("ivcap_mcp").joinpath("search_near.txt.gz").read_bytes()
    told: dict[str, str] = {}
    for line in gzip.decompress(packed).decode("ascii").splitlines():
        stem, _, rest = line.partition(" ")
        told[stem] = rest
    return told


def near(stem: str) -> list[tuple[str, float]]:
    """Neighbours of a word, nearest first, and how near from 0 to 1; nothing for words that are not in the table."""
    return [(one[:-1], int(one[-1]) / 10) for one in _lines().get(stem, "").split()]
