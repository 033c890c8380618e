"""Rows about the local datafabric: finding and writing durably."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from ivcap_client import LocalIVCAP
from tests.benchmarks.bench import Bench
from tests.benchmarks.figures import Figure, at_least, at_most
from tests.benchmarks.rows_import import public_python

SCHEMA = "urn:bench:schema:reading.1"
PAGE = 50

# The public client ignores the order and stops at its limit; for the same answer it must read all, and we sort.
PUBLIC = """
import json, sys, time
from ivcap_client import IVCAP
ivcap = IVCAP.local(sys.argv[1])
started = time.perf_counter()
listing = ivcap.list_aspects(schema=sys.argv[2], limit=None)
found = sorted(listing, key=lambda aspect: aspect.valid_from, reverse=True)[: int(sys.argv[3])]
spent = time.perf_counter() - started
print(json.dumps([spent, [aspect.id for aspect in found]]))
"""

SQL = """
SELECT id, entity, schema, content, content_type, policy, account, asserter, retracter, replaces, valid_from, valid_to
FROM aspects WHERE schema = ? AND valid_to IS NULL ORDER BY valid_from DESC, id DESC LIMIT ?
"""


def finding(bench: Bench) -> list[Figure]:
    """A page of one schema among many aspects: our client, the public one on the same files, the SQL alone."""
    count = bench.many(100_000, 10_000)
    base = bench.fresh("finding")
    _files(base, count)
    ivcap = LocalIVCAP(base)
    wanted = SCHEMA + "3"
    list(ivcap.list_aspects(schema=wanted, limit=PAGE))  # the index is made
    connection = sqlite3.connect(base / ".ivcap" / "index.sqlite")
    mine, sql, decoded = [], [], []
    for _ in range(bench.many(200, 50)):
        started = time.perf_counter()
        rows = connection.execute(SQL, (wanted, PAGE)).fetchall()
        sql.append(time.perf_counter() - started)
        started = time.perf_counter()
        found = list(ivcap.list_aspects(schema=wanted, limit=PAGE))
        mine.append(time.perf_counter() - started)
        started = time.perf_counter()
        for row in connection.execute(SQL, (wanted, PAGE)):
            json.loads(row[3])
        decoded.append(time.perf_counter() - started)
        assert [aspect.id.rpartition(":")[2] for aspect in found] == [row[0] for row in rows]
    connection.close()
    ivcap.close()
    env = {key: value for key, value in bench.env(base).items() if key != "PYTHONPATH"}
    args = (str(base), wanted, str(PAGE))
    theirs, ids = bench.python(PUBLIC, env, *args, python=public_python())
    assert ids == [aspect.id for aspect in found], "the public client found others"
    faster = theirs / median(mine)
    note = f"a page of {PAGE} among {count} aspects, measured on the same files, not extrapolated"
    what = f"list_aspects among {count:,} local aspects"
    alone = f"{note}; the SQL with its content decoded {median(decoded) * 1e6:.0f} µs"
    public = f"{note}; public client {theirs:.2f} s, asked for all and sorted"
    return [
        at_most(f"{what} | the SQL itself", mine, sql, times=3, unit="µs", note=alone),
        at_least(f"{what} | public local mode", faster, 1.0, times=1000, unit="× as fast", note=public),  # noqa: RUF001
    ]


def _files(base: Path, count: int) -> None:
    """Files as both clients write them; not synced, since writing is not what is measured here."""
    folder = base / "aspects"
    folder.mkdir()
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(count):
        id = uuid.uuid5(uuid.NAMESPACE_URL, str(number))
        schema = f"{SCHEMA}{number % 10}"
        entity = f"urn:bench:thing:{number % 1000}"
        record = {
            "id": f"urn:ivcap:aspect:{id}",
            "entity": entity,
            "schema": schema,
            "content": {"$schema": schema, "$entity": entity, "value": number, "text": "some words " * 10},
            "valid_from": (start + timedelta(seconds=number)).isoformat(),
            "valid_to": None,
        }
        (folder / f"{id}.json").write_text(json.dumps(record))


def writing(bench: Bench) -> list[Figure]:
    """A durable statement, and a durable replacement, in turns with files that are safe after a power cut."""
    base, by_hand = bench.fresh("writing"), bench.fresh("by-hand")
    ivcap = LocalIVCAP(base)
    content = {"$schema": SCHEMA, "value": 1, "text": "some words " * 10}
    data = json.dumps(content).encode()
    added, one, updated, two, bare = [], [], [], [], []
    for number in range(bench.many(100, 25) + 2):
        entity = f"urn:bench:thing:{number}"
        started = time.perf_counter()
        durable(by_hand, data)
        first = time.perf_counter()
        ivcap.add_aspect(entity, content)
        second = time.perf_counter()
        durable(by_hand, data)
        durable(by_hand, data)
        third = time.perf_counter()
        ivcap.update_aspect(entity, {**content, "value": 2})
        fourth = time.perf_counter()
        durable(by_hand, data, folder_too=False)
        if number >= 2:
            bare.append(time.perf_counter() - fourth)
            one.append(first - started)
            added.append(second - first)
            two.append(third - second)
            updated.append(fourth - third)
    ivcap.close()
    note = f"medians of {len(one)}; by hand: new file, fsync, rename, fsync of the directory"
    note += f"; without the directory's {median(bare) * 1e6:.0f} µs"
    return [
        at_most("durable add_aspect | one fsynced file", added, one, times=2, unit="µs", note=note),
        at_most("durable update_aspect | two fsynced files", updated, two, times=2, unit="µs", note=note),
    ]


def durable(folder: Path, data: bytes, *, folder_too: bool = True) -> None:
    name = folder / secrets.token_hex(8)
    temp = f"{name}.tmp"
    handle = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    os.write(handle, data)
    os.fsync(handle)
    os.close(handle)
    os.replace(temp, name)
    if not folder_too:
        return
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
