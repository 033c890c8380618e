"""A full disk, a directory that may not be written, a clock set back, hands that edit: clear errors, nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ivcap_client import LocalIVCAP
from ivcap_client._local.store import Store
from tests.local.conftest import Asker

NOBODY = 65534

# What a program does whose disk is full from some moment on; `fill` fills it.
FULL = """
import io, json, sys
from pathlib import Path
from ivcap_client import LocalIVCAP
from ivcap_client.exception import IvcapError
base, mode = Path(sys.argv[1]), sys.argv[2]
def fill():
    if mode == "limit":
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    else:
        with open(base.parent / "filler", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
def refused(work):
    try:
        work()
    except IvcapError as error:
        return [error.status_code, str(error)]
    return "not refused"
said = {}
with LocalIVCAP(base) as ivcap:
    for number in range(12):
        ivcap.add_aspect(f"urn:x:{number}", {"$schema": "urn:s:1", "n": number})
    kept = ivcap.upload_artifact(name="kept.txt", io_stream=io.BytesIO(b"kept"), content_type="text/plain")
    fill()
    said["add"] = refused(lambda: ivcap.add_aspect("urn:x:0", {"$schema": "urn:s:1"}))
    said["update"] = refused(lambda: ivcap.update_aspect("urn:x:0", {"$schema": "urn:s:1"}))
    said["upload"] = refused(lambda: ivcap.upload_artifact(name="big", io_stream=io.BytesIO(b"y" * 2**20)))
    said["open"] = len(list(ivcap.list_aspects(schema="urn:s:1", limit=None)))
    said["bytes"] = kept.as_bytes().decode()
with LocalIVCAP(base) as ivcap:
    said["reopened"] = len(list(ivcap.list_aspects(schema="urn:s:%", limit=None)))
for file in (base / ".ivcap").glob("index.sqlite*"):
    file.unlink()
fill()
with LocalIVCAP(base) as ivcap:
    said["without an index"] = len(list(ivcap.list_aspects(schema="urn:s:1", limit=None)))
    said["names"] = [artifact.name for artifact in ivcap.list_artifacts(filter="status = ready")]
print(json.dumps(said))
"""


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 4 MiB."""
    where = Path(tempfile.mkdtemp(prefix="ivcap-small-"))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(where)], capture_output=True)
    if mounted.returncode:
        where.rmdir()
        pytest.skip("this user may not mount a small file system")
    yield where
    subprocess.run(["umount", "-l", str(where)], check=True)
    where.rmdir()


def _on_a_full_disk(base: Path, mode: str) -> None:
    run = subprocess.run([sys.executable, "-c", FULL, str(base), mode], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout)
    for what in ("add", "update", "upload"):
        status, message = said[what]
        assert status == 507, said
        assert "no space left" in message
        assert str(base) in message
    assert said["open"] == said["reopened"] == said["without an index"] == 12
    assert said["bytes"] == "kept"
    assert said["names"] == ["kept.txt"]


def _whole_again(base: Path) -> None:
    with LocalIVCAP(base) as ivcap:
        assert len(list(ivcap.list_aspects(schema="urn:s:1", limit=None))) == 12
        ivcap.update_aspect("urn:x:0", {"$schema": "urn:s:1", "n": "new"})
        (found,) = ivcap.list_aspects(entity="urn:x:0")
        assert found.content["n"] == "new"
    store = Store(base)
    assert store.problems == []
    assert not list(store.temp.iterdir())
    store.close()


def test_a_process_that_may_write_no_more_can_read_everything(tmp_path: Path) -> None:
    _on_a_full_disk(tmp_path / "base", "limit")
    _whole_again(tmp_path / "base")


def test_a_full_disk_can_be_read_and_loses_nothing(small_disk: Path) -> None:
    _on_a_full_disk(small_disk / "base", "fill")
    (small_disk / "filler").unlink()
    _whole_again(small_disk / "base")


def test_a_directory_of_somebody_else_can_be_read_and_refuses_writes_by_name(opened: Callable[..., Asker]) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else; the same is tested with permissions in test_store_crashes")
    # Under /tmp itself, because pytest's own directories are closed to others.
    where = Path(tempfile.mkdtemp(prefix="ivcap-others-"))
    try:
        where.chmod(0o755)
        ask = opened(where / "base")
        id = ask.add("urn:e", "urn:s", {})
        ask.platform.close()
        for path in (where / "base").rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        (where / "base" / ".ivcap" / "index.sqlite").unlink()
        again = opened(where / "base")

        def stranger() -> int:
            os.setuid(NOBODY)
            if [item["id"] for item in again.aspects()] != [id]:
                return 1
            body = again.refused(403, "POST", "/1/aspects", body=b"{}", entity="urn:e", schema="urn:s")
            return 0 if str(where / "base") in body["message"] else 2

        assert _in_a_child(stranger) == 0
    finally:
        shutil.rmtree(where)


def _in_a_child(work: Callable[[], int]) -> int:
    child = os.fork()
    if child == 0:
        try:
            os._exit(work())
        except BaseException:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_clock_that_goes_backwards_leaves_one_valid_aspect_at_any_moment(tmp_path: Path) -> None:
    moments = iter(range(2_000_000_000_000_000, 0, -1_000_000))
    store = Store(tmp_path, now=lambda: next(moments))
    rows = [store.aspects.update("urn:e", "urn:s", {"n": number}) for number in range(6)]
    assert [row.valid_from for row in rows] == sorted({row.valid_from for row in rows})
    (valid,) = store.aspects.live("urn:e", "urn:s")
    assert valid.id == rows[-1].id
    ended = store.aspects.retract(valid.id)
    assert ended is not None and ended.valid_to is not None and ended.valid_to > ended.valid_from  # noqa: PT018
    service = "urn:ivcap:service:33333333-3333-5333-8333-333333333333"
    job, _ = store.jobs.create(service=service, service_name="x", body=b"{}", content_type="application/json")
    assert store.jobs.finish(store.jobs.start(job), status="succeeded", content_type="application/json", body=b"1")

    def spans(connection: object) -> list[tuple[int, int | None]]:
        query = "SELECT valid_from, valid_to FROM aspects WHERE entity = ? AND schema = ? ORDER BY valid_from"
        found = connection.execute(query, (job.urn, "urn:ivcap:schema:job.2"))  # type: ignore[attr-defined]
        return list(found.fetchall())

    found = store.aspects.read(spans)
    assert [until for _, until in found[:-1]] == [since for since, _ in found[1:]]
    assert found[-1][1] is None
    store.close()


def test_what_hands_change_delete_or_spoil_is_noticed_and_named(ask: Asker, base_dir: Path) -> None:
    edited, gone, spoiled, kept = (ask.add("urn:e", f"urn:s:{n}", {"n": n}) for n in range(4))
    files = {id: base_dir / "aspects" / f"{id.rpartition(':')[2]}.json" for id in (edited, gone, spoiled, kept)}
    record = json.loads(files[edited].read_text())
    record["content"]["n"] = "edited in place"
    files[edited].write_text(json.dumps(record))
    assert ask.json("GET", f"/1/aspects/{edited}")["content"]["n"] == "edited in place"
    files[gone].unlink()
    ask.refused(404, "GET", f"/1/aspects/{gone}")
    whole = files[spoiled].read_bytes()
    files[spoiled].write_bytes(whole[: len(whole) // 2])
    ask.refused(404, "GET", f"/1/aspects/{spoiled}")
    (problem,) = ask.platform.store.problems
    assert str(files[spoiled]) in problem
    files[spoiled].write_bytes(whole)
    assert ask.json("GET", f"/1/aspects/{spoiled}")["id"] == spoiled
    assert {item["id"] for item in ask.aspects()} == {edited, spoiled, kept}
    artifact = ask.upload(b"1,2\n", "data.csv")
    (base_dir / "artifacts" / "data.csv").write_bytes(b"1,2\n3,4\n")
    again = ask.json("GET", f"/1/artifacts/{artifact['id']}")
    assert (again["size"], again["status"]) == (8, "ready")
    (base_dir / "artifacts" / "data.csv").unlink()
    assert ask.json("GET", f"/1/artifacts/{artifact['id']}")["status"] == "error"
