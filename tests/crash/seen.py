"""What must hold of a store after a crash: what was acknowledged is there, what is there is whole, the index agrees."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

from ivcap_client._local.store import Store

SERVICE = "urn:ivcap:service:33333333-3333-5333-8333-333333333333"
ORDER = ("scheduled", "executing", "succeeded")


def faults(base: Path, acknowledged: list[dict[str, Any]]) -> list[str]:
    """Everything that does not hold; empty is what is wanted."""
    store = Store(base)
    try:
        found = [fault for told in acknowledged for fault in _lost(store, told)]
        found += _doubled(store)
        found += [f"unreadable: {problem}" for problem in store.problems]
        found += _halves(base)
        before = _rows(store)
    finally:
        store.close()
    for file in (base / ".ivcap").glob("index.sqlite*"):
        file.unlink()
    again = Store(base)
    try:
        after = _rows(again)
    finally:
        again.close()
    for table, rows in before.items():
        if rows != after[table]:
            found.append(f"{table}: the index and the files differ in {len(rows ^ after[table])} rows")
    return found


def _lost(store: Store, told: dict[str, Any]) -> list[str]:
    if "aspect" in told:
        row = store.aspects.find(told["aspect"])
        if row is None or json.loads(row.content)["turn"] != told["turn"]:
            return [f"acknowledged aspect is lost: {told}"]
        return [f"retracted aspect is valid: {told}"] if told.get("retracted") and row.valid_to is None else []
    if "artifact" in told:
        artifact = store.artifacts.find(told["artifact"])
        path = None if artifact is None else store.artifacts.data(artifact)
        whole = path is not None and hashlib.sha256(path.read_bytes()).hexdigest() == told["sha256"]
        return [] if whole else [f"acknowledged artifact is lost or changed: {told}"]
    job = store.jobs.find(told["job"])
    if job is None or ORDER.index(job.status) < ORDER.index(told["status"]):
        return [f"acknowledged state of a job is lost: {told}, it is {job and job.status}"]
    if told["status"] == "succeeded":
        result = store.jobs.result_body(job)
        if result is None or json.loads(result[1])["turn"] != told["turn"]:
            return [f"acknowledged result is lost: {told}"]
    return []


def _doubled(store: Store) -> list[str]:
    found = []
    for number in range(3):
        live = store.aspects.read(
            lambda c, entity=f"urn:crash:{number}": c.execute(  # type: ignore[misc]
                "SELECT id FROM aspects WHERE entity = ? AND schema = 'urn:crash:one' AND valid_to IS NULL", (entity,)
            ).fetchall()
        )
        if len(live) > 1:
            found.append(f"{len(live)} aspects are valid where one must be")
    return found


def _halves(base: Path) -> list[str]:
    """Files whose place says that they are complete, and that are not."""
    found = []
    for folder in ("aspects", ".ivcap/jobs", ".ivcap/artifacts"):
        for path in (base / folder).glob("*.json"):
            try:
                json.loads(path.read_bytes())
            except ValueError:
                found.append(f"half a record is visible: {path}")
    records = [json.loads(path.read_bytes()) for path in (base / ".ivcap/artifacts").glob("*.json")]
    known = {record["path"]: record for record in records if record["path"]}
    for path in (base / "artifacts").iterdir() if (base / "artifacts").is_dir() else ():
        record = known.get(f"artifacts/{path.name}")
        if record is None or hashlib.sha256(path.read_bytes()).hexdigest() != record["sha256"]:
            found.append(f"half a file, or one without a record, is visible: {path}")
    return found


def _rows(store: Store) -> dict[str, set[Any]]:
    def work(connection: sqlite3.Connection) -> dict[str, set[Any]]:
        return {
            table: set(connection.execute(f"SELECT * FROM {table}").fetchall())
            for table in ("aspects", "artifacts", "jobs")
        }

    store.aspects.mirror.catch_up()
    store.jobs.mirror.catch_up()
    store.artifacts.mirror.catch_up()
    return store.index.read(work)
