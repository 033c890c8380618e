"""A table in text: its dialect, its columns with their types, its first rows, how many there are."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any

from ivcap_mcp.text import clip

DELIMITERS = (",", "\t", ";", "|")
NAMES = {",": "comma", "\t": "tab", ";": "semicolon", "|": "bar"}
SNIFFED = 50
"""Lines from which the dialect is told."""
TYPED = 5_000
"""Rows from which the types are told."""
SHOWN_ROWS = 8
SHOWN_COLUMNS = 60
MOST_CELL = 100

_INTEGER = re.compile(r"[+-]?\d{1,30}")
_NUMBER = re.compile(r"[+-]?(\d{1,30}\.?\d{0,30}|\.\d{1,30})([eE][+-]?\d{1,4})?|[+-]?(nan|inf|infinity)", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}|\d{1,2}[/.]\d{1,2}[/.]\d{2,4}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?\s?(Z|[+-]\d{2}:?\d{2})?")
_TRUTH = frozenset({"true", "false", "yes", "no", "t", "f"})
EMPTY = frozenset({"", "na", "n/a", "null", "none"})


def delimiter(text: str, name: str) -> str | None:
    """What separates cells: the one that cuts the most lines into the same number of cells; `None`: no table."""
    lines = [line for line in islice(io.StringIO(text), 10 * SNIFFED) if line.strip() and not line.startswith("#")]
    sample = "".join(lines[:SNIFFED])
    best: tuple[float, str] | None = None
    for number, mark in enumerate(DELIMITERS):
        if mark not in sample:
            continue
        try:
            widths = Counter(len(row) for row in csv.reader(io.StringIO(sample), delimiter=mark) if row)
        except csv.Error:
            continue
        width, lines_of_it = widths.most_common(1)[0]
        if width < 2:
            continue
        score = lines_of_it / sum(widths.values()) + min(width, 50) / 1000 - number / 10_000
        if name.lower().endswith((".tsv", ".tab")) and mark == "\t":
            score += 1
        best = max(best or (0.0, ""), (score, mark))
    return best[1] if best and best[0] >= 0.8 else None


def table(text: str, mark: str, whole: bool, size: int | None) -> dict[str, Any]:
    """What a person wants to know of a table before using it.

    Args:
        text: It, or its beginning.
        mark: What separates cells.
        whole: The text is all of it.
        size: Bytes in all, if known.

    Raises:
        csv.Error: It is none after all.
    """
    told: dict[str, Any] = {"dialect": {"delimiter": NAMES[mark]}}
    comments, body = _commented(text)
    if comments:
        told["comments"] = [clip(line, 200) for line in comments[:10]]
        told["comment_lines"] = len(comments)
    cut = body if whole or "\n" not in body else body[: body.rindex("\n") + 1]
    reader = csv.reader(io.StringIO(cut), delimiter=mark)
    rows: list[list[str]] = []
    count = ragged = 0
    for row in reader:
        if not row:
            continue
        count += 1
        if len(rows) <= TYPED:
            rows.append(row)
        ragged += len(row) != len(rows[0])
    if not rows:
        return told | {"columns": [], "row_count": 0}
    has_header = _is_header(rows)
    names = rows[0] if has_header else [f"column {number + 1}" for number in range(len(rows[0]))]
    values = rows[1:] if has_header else rows
    count -= has_header
    told["dialect"]["header"] = has_header
    columns = [
        {"name": clip(name, MOST_CELL)} | described([row[number] for row in values if number < len(row)])
        for number, name in enumerate(names[:SHOWN_COLUMNS])
    ]
    told |= {"columns": columns, "column_count": len(names)}
    if count > len(values):
        told["columns_from"] = f"Types, ranges and empty cells are those of the first {len(values)} rows."
    told["first_rows"] = [[clip(cell, MOST_CELL) for cell in row[:SHOWN_COLUMNS]] for row in values[:SHOWN_ROWS]]
    if whole:
        told["row_count"] = count
    else:
        told["rows_read"] = count
        if size is not None and cut:
            told["row_count_estimated"] = round(count * size / max(1, len(cut.encode(errors="replace"))))
    if ragged:
        told["note"] = f"{ragged} of the rows read have another number of cells than the first."
    return told


def _commented(text: str) -> tuple[list[str], str]:
    """Lines before the table that begin with '#', and the rest."""
    comments, at = [], 0
    while text.startswith("#", at):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end + 1
        comments.append(text[at:end].rstrip())
        at = end
    return comments, text[at:]


def _is_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names columns: it has no numbers and no repetition, and the rest does not look like it."""
    first = rows[0]
    if len(rows) == 1 or any(_NUMBER.fullmatch(cell.strip()) or _TIME.fullmatch(cell.strip()) for cell in first):
        return len(rows) == 1 and not any(_NUMBER.fullmatch(cell.strip()) for cell in first)
    if any(not cell.strip() for cell in first[1:]) or len(set(first)) != len(first):
        return False
    if any(kind_of([row[n] for row in rows[1:200] if n < len(row)]) != "text" for n in range(min(len(first), 200))):
        return True
    return all(cell not in {row[n] for row in rows[1:200] if n < len(row)} for n, cell in enumerate(first))


def described(values: Sequence[str]) -> dict[str, Any]:
    """Type of a column, how many cells are empty, and the range of numbers and dates."""
    filled = [value.strip() for value in values if value.strip().lower() not in EMPTY]
    told: dict[str, Any] = {"type": kind_of(values)}
    if len(filled) < len(values):
        told["empty"] = len(values) - len(filled)
    if told["type"] in ("integer", "number"):
        numbers = [float(value) for value in filled]
        finite = [number for number in numbers if number == number and abs(number) != float("inf")]
        if finite:
            whole = told["type"] == "integer"
            told |= (
                {"min": int(min(filled, key=float)), "max": int(max(filled, key=float))}
                if whole
                else {
                    "min": min(finite),
                    "max": max(finite),
                }
            )
    elif told["type"] in ("date", "time") and filled[0][:4].isdigit():
        told |= {"min": min(filled), "max": max(filled)}
    return told


def kind_of(values: Sequence[str]) -> str:
    """`integer`, `number`, `truth`, `date`, `time`, `text`, or `empty` where there is nothing."""
    filled = [value.strip() for value in values if value.strip().lower() not in EMPTY]
    if not filled:
        return "empty"
    for kind, fits in (("integer", _INTEGER), ("number", _NUMBER), ("date", _DATE), ("time", _TIME)):
        if all(fits.fullmatch(value) for value in filled):
            return kind
    return "truth" if all(value.lower() in _TRUTH for value in filled) else "text"
