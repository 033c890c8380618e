"""Rows about a large store: pages of its lists, and how long making its index takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from statistics import median
from typing import Any

from ivcap_client import LocalIVCAP
from ivcap_client.job import JOB_SCHEMA
from tests.benchmarks import large_store
from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import Figure, bounded

PAGE = 50
MOST = 10_000.0
"""Microseconds that a page may take where an index applies."""
SLOW = 1_000_000.0
"""Microseconds where none does, and all is looked at until the page is full."""


def scale(bench: Bench) -> list[Figure]:
    """Pages of 50 among 200,000 aspects, 20,000 artifacts and 20,000 jobs."""
    aspects, others = bench.many(200_000, 20_000), bench.many(20_000, 2_000)
    base = bench.fresh("scale")
    large_store.make(base, aspects=aspects, artifacts=others, jobs=others)
    with LocalIVCAP(base) as ivcap:
        began = time.perf_counter()
        list(ivcap.list_aspects(limit=1))
        made = time.perf_counter() - began
        opened: list[float] = []
        for _ in range(5):
            with LocalIVCAP(base) as again:
                began = time.perf_counter()
                list(again.list_aspects(limit=1))
                opened.append((time.perf_counter() - began) * 1e6)
        then = large_store.START + timedelta(seconds=aspects // 2)
        schema, entity = large_store.SCHEMA.format(3), "urn:bench:thing:3"
        walked: dict[str, Callable[[], Iterable[Any]]] = {
            "aspects": lambda: ivcap.list_aspects(limit=PAGE),
            "aspects, oldest first": lambda: ivcap.list_aspects(order_direction="ASC", limit=PAGE),
            "aspects of a schema": lambda: ivcap.list_aspects(schema=schema, limit=PAGE),
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
        looked: dict[str, Callable[[], Iterable[Any]]] = {
            "aspects with a rare JSONPath": lambda: ivcap.list_aspects(
                content_path='$.kind ? (@ == "rare")', limit=PAGE
            ),
            "aspects by a key of their content": lambda: ivcap.list_aspects(
                schema=schema, order_by="value", limit=PAGE
            ),
            "artifacts by a filter of the name": lambda: ivcap.list_artifacts(filter="name ~= '%-77.csv'", limit=PAGE),
        }
        figures = [_page(what, work, MOST, bench.many(40, 10)) for what, work in walked.items()]
        figures += [_page(f"{what} (no index applies)", work, SLOW, 5) for what, work in looked.items()]
    note = f"{aspects} aspects, {others} artifacts, {others} jobs; {made:.1f} s to make the index"
    figures.append(bounded("opening a large store, first page", median(opened), most=250_000, unit="µs", note=note))
    each = made * 1e6 / (aspects + 2 * others)
    figures.append(bounded("making the index, for each record", each, most=250, unit="µs", note=note))
    return figures


def _page(what: str, work: Callable[[], Iterable[Any]], bound: float, turns: int) -> Figure:
    list(work())
    spent = []
    for _ in range(turns):
        began = time.perf_counter()
        found = list(work())
        spent.append((time.perf_counter() - began) * 1e6)
    note = f"median of {turns}; {len(found)} items; the largest {max(spent):.0f} µs, the median {median(spent):.0f} µs"
    return bounded(f"page of {PAGE}: {what}", median(spent), most=bound, unit="µs", note=note)
