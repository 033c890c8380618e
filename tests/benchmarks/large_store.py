"""Makes a directory with a real amount of data, as files alone: the index is what is measured."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ivcap_client._local.identity import ACCOUNT, POLICY_ARTIFACT, POLICY_SERVICE

START = datetime(2026, 1, 1, tzinfo=UTC)
SERVICE = "urn:ivcap:service:33333333-3333-5333-8333-33333333333{}"
SCHEMA = "urn:bench:schema:reading.{}"
ENTITIES, SCHEMAS = 1000, 10


def make(base: Path, *, aspects: int, artifacts: int, jobs: int) -> None:
    """Write the files; not synced, since writing is not what is measured."""
    for folder in ("aspects", "artifacts", ".ivcap/artifacts", ".ivcap/jobs", ".ivcap/tmp", ".ivcap/uploads"):
        (base / folder).mkdir(parents=True, exist_ok=True)
    for number in range(aspects):
        _aspect(base / "aspects", number)
    for number in range(artifacts):
        _artifact(base, number)
    for number in range(jobs):
        _job(base / ".ivcap" / "jobs", number)


def _aspect(folder: Path, number: int) -> None:
    id = uuid.uuid5(uuid.NAMESPACE_URL, f"aspect/{number}")
    entity, schema = f"urn:bench:thing:{number % ENTITIES}", SCHEMA.format(number % SCHEMAS)
    begun = START + timedelta(seconds=number)
    ended = (begun + timedelta(days=1)).isoformat() if number % 7 == 3 else None
    content = {
        "$schema": schema,
        "$entity": entity,
        "value": number,
        "kind": "rare" if number % 5000 == 17 else "usual",
    }
    record = {"id": f"urn:ivcap:aspect:{id}", "entity": entity, "schema": schema, "content": content}
    _write(folder / f"{id}.json", {**record, "valid_from": begun.isoformat(), "valid_to": ended})


def _artifact(base: Path, number: int) -> None:
    id = uuid.uuid5(uuid.NAMESPACE_URL, f"artifact/{number}")
    at = (START + timedelta(minutes=number)).isoformat()
    (base / "artifacts" / f"data-{number}.csv").write_bytes(b"x,y\n1,2\n")
    record = {"id": f"urn:ivcap:artifact:{id}", "name": f"data-{number}.csv", "status": "ready", "size": 8, "stamp": 0}
    record |= {"mime_type": "text/csv", "sha256": "0" * 64, "path": f"artifacts/data-{number}.csv", "account": ACCOUNT}
    record |= {"policy": POLICY_ARTIFACT, "collection": None, "job": None, "created_at": at, "modified_at": at}
    _write(base / ".ivcap" / "artifacts" / f"{id}.json", record | {"length": 8, "deferred": False, "open_ended": False})


def _job(folder: Path, number: int) -> None:
    id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"job/{number}"))
    at = [(START + timedelta(minutes=number, seconds=s)).isoformat().replace("+00:00", "Z") for s in (0, 1, 2)]
    record = {"id": id, "name": f"b-{id}", "service": SERVICE.format(number % 4), "service_name": f"bench-{number % 4}"}
    record |= {"status": "failed" if number % 50 == 7 else "succeeded", "order": f"urn:ivcap:order:{id}"}
    record |= {"requested_at": at[0], "started_at": at[1], "finished_at": at[2], "account": ACCOUNT}
    record |= {"request_content_type": "application/json", "result_content_type": "application/json"}
    _write(folder / f"{id}.json", record | {"policy": POLICY_SERVICE, "products": [], "used": []})
    (folder / f"{id}.result").write_bytes(b'{"value": 1}')


def _write(path: Path, record: dict[str, object]) -> None:
    path.write_text(json.dumps(record))
