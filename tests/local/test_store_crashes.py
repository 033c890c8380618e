"""What is left when a process is killed, an index is lost, or the directory is not ours to write."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ivcap_client._local import store as store_module
from ivcap_client._local.store import Store

Asker = Any

WRITER = """
import os, sys
from ivcap_client._local.store import Store
import ivcap_client._local.mirror as mirror

at = int(sys.argv[2])
calls = 0
def dying(name, real):
    def call(*args, **kw):
        global calls
        calls += 1
        if calls == at:
            os.kill(os.getpid(), 9)
        out = real(*args, **kw)
        calls += 1
        if calls == at:
            os.kill(os.getpid(), 9)
        return out
    return call

class Os:
    def __getattr__(self, name): return getattr(os, name)
    replace = staticmethod(dying("replace", os.replace))
mirror.os = Os()
mirror.write_temp = dying("temp", mirror.write_temp)
mirror.sync_directory = dying("sync", mirror.sync_directory)
store = Store(sys.argv[1])
store.aspects.update("urn:e", "urn:s", {"v": 2})
job, _ = store.jobs.create(service="urn:ivcap:service:33333333-3333-5333-8333-333333333333", service_name="x",
                           body=b"{}", content_type="application/json", key="k")
job = store.jobs.start(job)
store.jobs.finish(job, status="succeeded", content_type="application/json", body=b"1")
print("done")
"""


@pytest.mark.parametrize("at", range(1, 40, 1))
def test_a_killed_writer_leaves_one_valid_aspect_and_at_most_one_job(tmp_path: Path, at: int) -> None:
    survivor = Store(tmp_path)
    survivor.aspects.add("urn:e", "urn:s", {"v": 1})
    run = subprocess.run(
        [sys.executable, "-c", WRITER, str(tmp_path), str(at)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    finished = run.stdout.strip() == "done"
    assert finished or run.returncode == -signal.SIGKILL, run.stderr
    for store in (survivor, Store(tmp_path)):
        store.jobs.unfinished()
        (valid,) = store.aspects.live("urn:e", "urn:s")
        assert json.loads(valid.content)["v"] in (1, 2)
        again, _ = store.jobs.create(
            service="urn:ivcap:service:33333333-3333-5333-8333-333333333333",
            service_name="x",
            body=b"{}",
            content_type="application/json",
            key="k",
        )
        assert len(list(store.jobs.directory.glob("*.json"))) == 1
        assert len(store.jobs.unfinished()) == (0 if again.ended else 1)
        if again.ended:
            assert store.jobs.result_body(again) == ("application/json", b"1")
        # The status, and the result once there is one.
        assert store.aspects.live_count(again.urn) == 1 + again.ended
        assert store.problems == []
        store.close()
    # What the files say and what the index says is the same.
    rebuilt = Store(tmp_path)
    before = _dump(rebuilt)
    rebuilt.close()
    (tmp_path / ".ivcap" / "index.sqlite").unlink()
    rebuilt = Store(tmp_path)
    assert _dump(rebuilt) == before
    rebuilt.close()


def _dump(store: Store) -> list[Any]:
    def work(connection: sqlite3.Connection) -> list[Any]:
        return [
            connection.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()
            for table in ("aspects", "jobs", "artifacts")
        ]

    return store.index.read(work)


def test_a_broken_index_is_made_again_while_it_is_in_use(ask: Asker, base_dir: Path) -> None:
    ids = {ask.add("urn:e", "urn:s", {"n": n}) for n in range(20)}
    index = base_dir / ".ivcap" / "index.sqlite"
    ask.platform.close()
    index.write_bytes(b"this is no database" * 1000)
    assert {item["id"] for item in ask.aspects()} == ids
    # Deleted under a running platform.
    index.unlink()
    assert {item["id"] for item in ask.aspects()} == ids
    with sqlite3.connect(index) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    ask.platform.close()
    assert {item["id"] for item in ask.aspects()} == ids
    with sqlite3.connect(index) as connection:
        connection.execute("DROP TABLE aspects")
    connection.close()
    assert {item["id"] for item in ask.aspects()} == ids
    ids.add(ask.add("urn:e", "urn:s", {}))
    assert {item["id"] for item in ask.aspects()} == ids


def _work(base_dir: str, number: int) -> None:
    store = Store(base_dir)
    for turn in range(10):
        store.aspects.update("urn:shared", "urn:s", {"by": number, "turn": turn})
        store.aspects.add("urn:own", "urn:s", {"by": number})
    store.close()


def test_processes_replacing_one_aspect_leave_one(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_work, args=(str(tmp_path), number)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    store = Store(tmp_path)
    assert len(store.aspects.live("urn:shared", "urn:s")) == 1
    assert store.aspects.live_count("urn:own") == 30
    assert store.problems == []
    store.close()


def test_threads_share_a_store_and_it_can_be_used_after_close_and_fork(tmp_path: Path) -> None:
    store = Store(tmp_path)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for _ in range(10):
                store.aspects.update("urn:shared", "urn:s", {"by": number})
        except BaseException as problem:
            failures.append(problem)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    store.close()
    assert len(store.aspects.live("urn:shared", "urn:s")) == 1
    if hasattr(os, "fork"):
        child = os.fork()
        if child == 0:
            try:
                store.aspects.add("urn:child", "urn:s", {})
            except BaseException:
                os._exit(1)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert len(store.aspects.live("urn:child", "urn:s")) == 1
    store.close()


def test_a_read_only_directory_can_be_read_and_refuses_writes_by_name(
    ask: Asker, base_dir: Path, opened: Callable[..., Asker]
) -> None:
    id = ask.add("urn:e", "urn:s", {})
    ask.platform.close()
    (base_dir / ".ivcap" / "index.sqlite").unlink()
    directories = [base_dir, *(path for path in base_dir.rglob("*") if path.is_dir())]
    for directory in directories:
        directory.chmod(0o500)
    try:
        if os.access(base_dir, os.W_OK):
            pytest.skip("this user may write anywhere")
        again = opened(base_dir)
        assert [item["id"] for item in again.aspects()] == [id]
        body = again.refused(403, "POST", "/1/aspects", body=b"{}", entity="urn:e", schema="urn:s")
        assert str(base_dir) in body["message"]
    finally:
        for directory in directories:
            directory.chmod(0o700)


def test_an_index_on_a_network_file_system_lives_in_the_users_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        f"/dev/x / ext4 rw 0 0\nserver:/x {tmp_path}/far\\040away nfs4 rw 0 0\nproc {tmp_path}/far proc rw 0 0\n"
    )
    assert store_module._on_network(tmp_path / "far away" / "base", mounts)
    assert not store_module._on_network(tmp_path / "far", mounts)
    assert not store_module._on_network(tmp_path / "near", mounts)
    monkeypatch.setenv("IVCAP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(store_module, "_on_network", lambda path: True)
    store = Store(tmp_path / "base")
    store.aspects.add("urn:e", "urn:s", {})
    assert list((tmp_path / "cache" / "index").glob("*.sqlite"))
    assert not (tmp_path / "base" / ".ivcap" / "index.sqlite").exists()
    store.close()


def test_a_durable_assertion_costs_two_syncs_and_a_replacement_one_more_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    store.aspects.add("urn:e", "urn:s", {})
    synced: list[int] = []
    real = os.fsync

    def counted(handle: int) -> None:
        synced.append(handle)
        real(handle)

    monkeypatch.setattr(os, "fsync", counted)
    store.aspects.add("urn:x", "urn:s", {})
    assert len(synced) == 2
    synced.clear()
    store.aspects.update("urn:e", "urn:s", {})
    assert len(synced) == 3
    store.close()
