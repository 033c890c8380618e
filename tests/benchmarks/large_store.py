"""Makes a directory with a real amount of data, as files alone: the index is what is measured.

Records are written as the platform writes them, but as prepared text, not synced and not one by one through the
platform: a million of them takes a minute instead of an hour.
"""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ivcap_client._local.identity import ACCOUNT, POLICY_ARTIFACT, POLICY_SERVICE

START = datetime(2026, 1, 1, tzinfo=UTC)
SERVICE = "urn:ivcap:service:33333333-3333-5333-8333-33333333333{}"
SCHEMA = "urn:bench:schema:reading.{}"
ENTITIES, SCHEMAS = 1000, 10

FOLDERS = ("aspects", "artifacts", ".ivcap/artifacts", ".ivcap/jobs", ".ivcap/tmp", ".ivcap/uploads")


def make(base: Path, *, aspects: int, artifacts: int, jobs: int, since: tuple[int, int, int] = (0, 0, 0)) -> None:
    """Write the files; not synced, since writing is not what is measured.

    Args:
        base: Directory.
        aspects, artifacts, jobs: How many there are afterwards.
        since: How many of each are there already, made by an earlier call.
    """
    for folder in FOLDERS:
        (base / folder).mkdir(parents=True, exist_ok=True)
    for number in range(since[0], aspects):
        _aspect(f"{base}/aspects", number)
    for number in range(since[1], artifacts):
        _artifact(str(base), number)
    for number in range(since[2], jobs):
        _job(f"{base}/.ivcap/jobs", number)


def _aspect(folder: str, number: int) -> None:
    id = _uuid(f"aspect/{number}")
    entity, schema = f"urn:bench:thing:{number % ENTITIES}", SCHEMA.format(number % SCHEMAS)
    begun = START + timedelta(seconds=number)
    ended = f'"{(begun + timedelta(days=1)).isoformat()}"' if number % 7 == 3 else "null"
    kind = "rare" if number % 5000 == 17 else "usual"
    content = f'{{"$schema": "{schema}", "$entity": "{entity}", "value": {number}, "kind": "{kind}"}}'
    write(
        f"{folder}/{id}.json",
        f'{{\n "id": "urn:ivcap:aspect:{id}",\n "entity": "{entity}",\n "schema": "{schema}",\n "content": {content},\n'
        f' "valid_from": "{begun.isoformat()}",\n "valid_to": {ended}\n}}',
    )


def _artifact(base: str, number: int) -> None:
    id, name = _uuid(f"artifact/{number}"), f"data-{number}.csv"
    at = (START + timedelta(minutes=number)).isoformat()
    write(f"{base}/artifacts/{name}", "x,y\n1,2\n")
    write(
        f"{base}/.ivcap/artifacts/{id}.json",
        f'{{"id": "urn:ivcap:artifact:{id}", "name": "{name}", "status": "ready", "size": 8, "stamp": 0,'
        f' "mime_type": "text/csv", "sha256": "{"0" * 64}", "path": "artifacts/{name}", "account": "{ACCOUNT}",'
        f' "policy": "{POLICY_ARTIFACT}", "collection": null, "job": null, "created_at": "{at}", "modified_at": "{at}",'
        ' "length": 8, "deferred": false, "open_ended": false}',
    )


def _job(folder: str, number: int) -> None:
    id = _uuid(f"job/{number}")
    at = [(START + timedelta(minutes=number, seconds=s)).isoformat()[:19] + "Z" for s in (0, 1, 2)]
    status = "failed" if number % 50 == 7 else "succeeded"
    write(
        f"{folder}/{id}.json",
        f'{{"id": "{id}", "name": "b-{id}", "service": "{SERVICE.format(number % 4)}",'
        f' "service_name": "bench-{number % 4}", "status": "{status}", "order": "urn:ivcap:order:{id}",'
        f' "requested_at": "{at[0]}", "started_at": "{at[1]}", "finished_at": "{at[2]}", "account": "{ACCOUNT}",'
        ' "request_content_type": "application/json", "result_content_type": "application/json",'
        f' "policy": "{POLICY_SERVICE}", "products": [], "used": []}}',
    )
    write(f"{folder}/{id}.result", '{"value": 1}')


def _uuid(name: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, name)


def write(path: str, text: str) -> None:
    """Make a new file: nothing is synced, and nothing stands between this and the system call."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)
