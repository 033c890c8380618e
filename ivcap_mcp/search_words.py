"""Text → stems: what search compares. British and American spellings, plurals and endings fall together."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

_CAMEL: Final = re.compile(r"(?<=[a-z]{2})(?=[A-Z][a-z])")
_CODES: Final = re.compile(r"(?<=[a-z])(?=\d)|(?<=\d)(?=[a-z])")

# Longest first. An ending goes only if enough of a word remains.
_ENDINGS: Final = (
    ("izational", 4), ("ization", 4), ("ational", 4), ("fulness", 4), ("iveness", 4), ("ousness", 4),
    ("ications", 4), ("ication", 4), ("ations", 4), ("itions", 5), ("ation", 4), ("ators", 4), ("ator", 4),
    ("ments", 4), ("ment", 5), ("ingly", 4), ("ities", 4), ("ically", 4), ("ances", 4), ("ance", 5),
    ("izers", 4), ("izer", 4), ("izing", 4), ("ized", 4), ("izes", 4), ("ize", 4), ("ates", 4), ("ated", 4),
    ("ating", 4), ("ate", 5), ("ions", 4), ("ings", 4), ("ical", 4), ("ion", 4), ("ing", 4), ("ity", 4), ("ies", 3),
    ("ive", 5), ("ous", 5), ("ers", 4), ("ics", 4), ("ic", 4), ("al", 5), ("er", 4), ("or", 5), ("ed", 4), ("es", 4),
    ("ly", 4), ("s", 3), ("e", 4), ("y", 4),
)  # fmt: skip

_SPELLINGS: Final = (
    (re.compile(r"(?<=[a-z]{3})is(?=(e|ed|es|er|ers|ing|ation|ations)$)"), "iz"),
    (re.compile(r"ys(?=(e|ed|es|er|ing)$)"), "yz"),
    (re.compile(r"(?<=[a-z]{2})our(?=(s|ed|ing|al|able|less)?$)"), "or"),
    (re.compile(r"(?<=[a-z]{2})tre(?=s?$)"), "ter"),
    (re.compile(r"ae|oe(?=[a-z]{3})"), "e"),
    (re.compile(r"sulph"), "sulf"),
    (re.compile(r"([bdfgklmnprt])\1(?=(ed|ing|er|ers)$)"), r"\1"),
    (re.compile(r"logue(?=s?$)"), "log"),
)
_ODD: Final = {
    "analyses": "analysis", "analyse": "analysis", "analyze": "analysis", "mice": "mouse", "leaves": "leaf",
    "nuclei": "nucleus", "taxa": "taxon", "larvae": "larva", "fungi": "fungus", "axes": "axis", "indices": "index",
    "indexes": "index", "spectra": "spectrum", "criteria": "criterion", "men": "man", "people": "person",
    "children": "child", "wolves": "wolf", "genera": "genus", "loci": "locus", "matrices": "matrix", "foci": "focus",
    "dried": "dry", "drier": "dry", "driest": "dry", "built": "build", "grew": "grow", "grown": "grow",
    "hottest": "hot",
    "burnt": "burn", "fell": "fall", "fallen": "fall", "ran": "run", "sang": "sing", "sung": "sing", "went": "go",
    "gone": "go", "bent": "bend", "broke": "break", "broken": "break", "stuck": "stick", "worn": "wear", "wore": "wear",
    "rose": "rise", "risen": "rise", "sank": "sink", "sunk": "sink", "drove": "drive", "driven": "drive",
    "wrote": "write", "written": "write", "spoke": "speak", "spoken": "speak", "shook": "shake", "froze": "freeze",
    "frozen": "freeze", "bred": "breed", "fed": "feed", "bought": "buy", "spread": "spread", "hidden": "hide",
    "bacterium": "bacteria", "media": "medium", "vertices": "vertex", "bodies": "body", "wheat": "wheat", "gps": "gps",
    "tallest": "tall", "heaviest": "heavy", "colder": "cold", "warmer": "warm", "hotter": "hot", "wetter": "wet",
}  # fmt: skip


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """Cut a lower-case word down to what its forms have in common: a light stemmer, not a dictionary."""
    word = _ODD.get(word, word)
    if len(word) < 4 or not word.isascii() or word[0].isdigit():
        return word
    for pattern, better in _SPELLINGS:
        word = pattern.sub(better, word)
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith(("ss", "us", "is")):
        return word
    for _ in range(2):
        for ending, least in _ENDINGS:
            if word.endswith(ending) and len(word) - len(ending) >= least:
                word = word[: -len(ending)] + ("y" if ending == "ies" else "")
                break
        else:
            break
        if ending not in ("s", "es", "ers", "ings", "ions", "ations"):
            break
    if len(word) > 4 and word[-1] in "iye":
        word = word[:-1]
    return word


def tokens(text: str) -> list[str]:
    """Lower-case words in order; codes such as "era5", "s2" or "pm2.5" come whole and in pieces."""
    plain = unicodedata.normalize("NFKD", _CAMEL.sub(" ", text[:20_000]))
    lower = "".join(char for char in plain.lower() if not unicodedata.combining(char))
    lower = lower.replace("_", " ").replace("'s ", " ").replace("’s ", " ")  # noqa: RUF001 - as people type it
    found: list[str] = []
    for chunk in re.findall(r"[^\W_]+(?:\.\d+)?", lower):
        if any(char.isdigit() for char in chunk) and not chunk.replace(".", "").isdigit():
            found.append(chunk)
            found.extend(piece for piece in _CODES.sub(" ", chunk).split() if len(piece) > 2 and piece.isalpha())
        else:
            found.append(chunk)
    return found


def words(text: str) -> list[str]:
    """The stems of a text in order."""
    return [stem(token) for token in tokens(text)]


def grams(word: str) -> frozenset[str]:
    """Runs of three letters of a word, with its edges: forms and compounds of a word share most of them."""
    edged = f"^{word}$"
    return frozenset(edged[at : at + 3] for at in range(len(edged) - 2))
