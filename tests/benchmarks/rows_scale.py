"""Rows about a large store: pages of its lists, opening it, making its index, and how these grow towards a million."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import timedelta
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from ivcap_client import LocalIVCAP
from ivcap_client._local import times
from ivcap_client.job import JOB_SCHEMA
from tests.benchmarks import large_store
from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import Figure, bounded, noted

PAGE = 50
FAR = 100
"""Pages before the one that stands for "far on"."""
MOST = 10_000.0
"""Microseconds that a page may take where an index applies."""
Lists = dict[str, Callable[[], Iterable[Any]]]


def scale(bench: Bench) -> list[Figure]:
    """Pages of 50 among 200,000 aspects, 20,000 artifacts and 20,000 jobs."""
    aspects, others = bench.many(200_000, 20_000), bench.many(20_000, 2_000)
    base = bench.fresh("scale")
    large_store.make(base, aspects=aspects, artifacts=others, jobs=others)
    return [*_pages(base, aspects, bench.many(40, 10)), *_opening(base, aspects, others)]


def curve(bench: Bench) -> list[Figure]:
    """The same pages, and making the index, while the store grows to a million aspects."""
    base, figures, others = bench.fresh("curve"), list[Figure](), bench.many(20_000, 200)
    there = (0, 0, 0)
    for aspects in (100_000, 300_000, 1_000_000) if not bench.quick else (5_000, 15_000, 50_000):
        large_store.make(base, aspects=aspects, artifacts=others, jobs=others, since=there)
        there = (aspects, others, others)
        size = f"{aspects:,} aspects: "
        made = _opening(base, aspects, others, size)
        figures += [*_pages(base, aspects, bench.many(20, 5), size), *made]
    return figures


def _pages(base: Path, aspects: int, turns: int, size: str = "") -> list[Figure]:
    figures = []
    with LocalIVCAP(base) as ivcap, closing(sqlite3.connect(base / ".ivcap" / "index.sqlite")) as bare:
        bare.create_function("rfc3339", 1, times.rfc3339, deterministic=True)
        list(ivcap.list_aspects(limit=1))
        for what, work in _walked(ivcap, aspects).items():
            spent, sql, note = _page(ivcap, bare, work, turns)
            what = f"page of {PAGE}: {size}{what} | its SQL"
            figures.append(bounded(what, spent, most=MOST, unit="µs", peer=sql, note=note))
        for what, work in _looked(ivcap).items():
            spent, sql, note = _page(ivcap, bare, work, 3)
            figures.append(noted(f"page of {PAGE}: {size}{what} (no index applies)", spent, sql, unit="µs", note=note))
    return figures


def _walked(ivcap: LocalIVCAP, aspects: int) -> Lists:
    then = large_store.START + timedelta(seconds=aspects // 2)
    schema, entity = large_store.SCHEMA.format(3), "urn:bench:thing:3"
    before = ivcap.list_aspects(schema=schema, limit=FAR * PAGE)
    for _ in before:
        continue
    far = before.cursor
    return {
        "aspects": lambda: ivcap.list_aspects(limit=PAGE),
        "aspects, oldest first": lambda: ivcap.list_aspects(order_direction="ASC", limit=PAGE),
        "aspects of a schema": lambda: ivcap.list_aspects(schema=schema, limit=PAGE),
        f"aspects of a schema, after {FAR} pages": lambda: ivcap.list_aspects(schema=schema, cursor=far, limit=PAGE),
        "aspects of schemas with %": lambda: ivcap.list_aspects(schema="urn:bench:schema:%", limit=PAGE),
        "aspects of an entity": lambda: ivcap.list_aspects(entity=entity, limit=PAGE),
        "aspects of both": lambda: ivcap.list_aspects(entity=entity, schema=schema, limit=PAGE),
        "aspects then": lambda: ivcap.list_aspects(at_time=then, limit=PAGE),
        "aspects of a schema then": lambda: ivcap.list_aspects(schema=schema, at_time=then, limit=PAGE),
        "aspects with a JSONPath, of an entity": lambda: ivcap.list_aspects(
            entity=entity, content_path='$.kind ? (@ == "usual")', limit=PAGE
        ),
        "artifacts": lambda: ivcap.list_artifacts(limit=PAGE),
        "jobs of a service": lambda: ivcap.list_jobs(large_store.SERVICE.format(1), limit=PAGE),
        "jobs of all": lambda: ivcap.list_aspects(schema=JOB_SCHEMA, limit=PAGE),
    }


def _looked(ivcap: LocalIVCAP) -> Lists:
    schema = large_store.SCHEMA.format(3)
    return {
        "aspects with a rare JSONPath": lambda: ivcap.list_aspects(content_path='$.kind ? (@ == "rare")', limit=PAGE),
        "aspects by a key of their content": lambda: ivcap.list_aspects(schema=schema, order_by="value", limit=PAGE),
        "artifacts by a filter of the name": lambda: ivcap.list_artifacts(filter="name ~= '%-77.csv'", limit=PAGE),
    }


def _opening(base: Path, aspects: int, others: int, size: str = "") -> list[Figure]:
    for path in (base / ".ivcap").glob("index.sqlite*"):
        path.unlink()
    read = _reading(base / "aspects", aspects)
    spent, began = time.process_time(), time.perf_counter()
    with LocalIVCAP(base) as ivcap:
        list(ivcap.list_aspects(limit=1))
    made, spent = time.perf_counter() - began, time.process_time() - spent
    opened: list[float] = []
    bare: list[float] = []
    for _ in range(5):
        with LocalIVCAP(base) as again:
            began = time.perf_counter()
            list(again.list_aspects(limit=1))
            opened.append((time.perf_counter() - began) * 1e6)
        began = time.perf_counter()
        with closing(sqlite3.connect(base / ".ivcap" / "index.sqlite")) as connection:
            connection.execute("SELECT * FROM aspects LIMIT 1").fetchall()
        bare.append((time.perf_counter() - began) * 1e6)
    each = 1e6 / (aspects + 2 * others)
    note = f"{aspects} aspects, {others} artifacts, {others} jobs; {made:.1f} s, {spent * each:.0f} µs of work a record"
    opening, making = f"{size}opening, first page | its SQLite", f"{size}making the index, a record | reading its file"
    return [
        noted(opening, median(opened), median(bare), unit="µs", note="no look at the files; medians of 5"),
        noted(making, made * each, read, unit="µs", note=note),
    ]


def _reading(folder: Path, count: int) -> float:
    """Microseconds in which a file is read, and nothing is made of it."""
    began, most = time.perf_counter(), 20_000
    for entry in islice(os.scandir(folder), most):
        handle = os.open(entry.path, os.O_RDONLY)
        os.read(handle, 65536)
        os.close(handle)
    return (time.perf_counter() - began) * 1e6 / min(most, count)


def _page(
    ivcap: LocalIVCAP, bare: sqlite3.Connection, work: Callable[[], Iterable[Any]], turns: int
) -> tuple[float, float, str]:
    """Microseconds of a page, of the SQL behind it alone, and a note."""
    said: list[str] = []
    (connection,) = ivcap._local.platform.store.index._idle
    connection.set_trace_callback(said.append)
    list(work())
    connection.set_trace_callback(None)
    mine, sql = [], []
    for _ in range(turns):
        began = time.perf_counter()
        found = list(work())
        between = time.perf_counter()
        for statement in said:
            _ = bare.execute(statement).fetchmany(PAGE + 1)
        mine.append((between - began) * 1e6)
        sql.append((time.perf_counter() - between) * 1e6)
    return median(mine), median(sql), f"medians of {turns}; {len(found)} items; the largest {max(mine):.0f} µs"
