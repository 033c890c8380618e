"""Lists walk an index instead of all rows, and an index that is being made can be interrupted and waited for."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from ivcap_client._local import aspect_query, building, filling, jsonpath
from ivcap_client._local.aspect_query import AspectQuery
from ivcap_client._local.store import Store

AT = 1_700_000_000_000_000
WALKED = {
    "everything now": AspectQuery(),
    "oldest first": AspectQuery(descending=False),
    "of an entity": AspectQuery(entity="urn:e:1"),
    "of a schema": AspectQuery(schema="urn:s:1"),
    "of an entity and a schema": AspectQuery(entity="urn:e:1", schema="urn:s:1"),
    "of schemas that fit a pattern": AspectQuery(schema="urn:s:%"),
    "of an entity, with a pattern": AspectQuery(entity="urn:e:1", schema="urn:s:%"),
    "everything then": AspectQuery(at=AT),
    "of a schema then": AspectQuery(schema="urn:s:1", at=AT),
    "with a path": AspectQuery(schema="urn:s:1", path=jsonpath.compile('$.kind ? (@ == "rare")')),
}
SORTED = {
    # All aspects of one entity are looked at, few as they are.
    "of an entity then": AspectQuery(entity="urn:e:1", at=AT),
    "by a key of the content": AspectQuery(schema="urn:s:1", order_by="n"),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("plans"))
    for number in range(40):
        store.aspects.add(f"urn:e:{number % 5}", f"urn:s:{number % 3}", {"n": number})
    return store


def plan(store: Store, query: AspectQuery, after: bool) -> str:
    """What SQLite says it does for a page."""

    def work(connection: sqlite3.Connection) -> str:
        seen: list[str] = []
        connection.set_trace_callback(seen.append)
        try:
            first = aspect_query.find(connection, query, ("aspects",), (), 3)
            if after and first:
                seen.clear()
                aspect_query.find(connection, query, ("aspects",), first[-1][1], 3)
        finally:
            connection.set_trace_callback(None)
        (listing,) = [text for text in seen if "head ||" in text]
        return "\n".join(row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + listing))

    return store.index.read(work)


@pytest.mark.parametrize("after", [False, True], ids=["first page", "next page"])
@pytest.mark.parametrize("what", WALKED)
def test_a_page_costs_what_it_shows(store: Store, what: str, after: bool) -> None:
    told = plan(store, WALKED[what], after)
    assert "USING INDEX" in told
    assert "TEMP B-TREE" not in told, told
    assert "SCAN aspects\n" not in told + "\n", told


@pytest.mark.parametrize("what", SORTED)
def test_what_is_sorted_is_found_by_an_index_first(store: Store, what: str) -> None:
    told = plan(store, SORTED[what], False)
    assert "SEARCH aspects USING INDEX" in told, told


@pytest.mark.parametrize(
    "query",
    [
        "SELECT record, requested_at AS k0, id AS k1 FROM jobs WHERE service = 'x' ORDER BY k0 DESC, k1 DESC LIMIT 51",
        "SELECT record, created_at AS k0, id AS k1 FROM artifacts WHERE 1 ORDER BY k0 DESC, k1 DESC LIMIT 51",
        "SELECT record FROM jobs WHERE finished_at IS NULL ORDER BY requested_at",
        "SELECT record FROM jobs WHERE key = 'k'",
    ],
)
def test_lists_of_jobs_and_artifacts_walk_an_index(store: Store, query: str) -> None:
    told = "\n".join(row[3] for row in store.index.read(lambda c: c.execute("EXPLAIN QUERY PLAN " + query).fetchall()))
    assert "USING INDEX" in told
    assert "TEMP B-TREE" not in told


def _files(base: Path, count: int) -> set[str]:
    folder = base / "aspects"
    folder.mkdir(parents=True)
    ids = {str(uuid.UUID(int=number + 1)) for number in range(count)}
    for id in ids:
        (folder / f"{id}.json").write_text('{"entity": "urn:e", "schema": "urn:s", "content": {}}')
    return ids


def _known(store: Store) -> set[str]:
    return {id for (id,) in store.index.read(lambda c: c.execute("SELECT id FROM aspects").fetchall())}


def test_making_an_index_that_was_interrupted_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = _files(tmp_path, 60)
    monkeypatch.setattr(filling, "BATCH", 10)
    taken: list[int] = []
    real = filling._take

    def interrupted(mirror: object, connection: object, found: list[object]) -> None:
        if len(taken) == 3:
            raise KeyboardInterrupt
        taken.append(len(found))
        real(mirror, connection, found)  # type: ignore[arg-type]

    monkeypatch.setattr(filling, "_take", interrupted)
    store = Store(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        _known(store)
    # Meanwhile one that was read already is gone, and one is new.
    connection = sqlite3.connect(tmp_path / ".ivcap" / "index.sqlite")
    ((gone,),) = connection.execute("SELECT id FROM aspects LIMIT 1").fetchall()
    connection.close()
    (tmp_path / "aspects" / f"{gone}.json").unlink()
    taken[:] = [0] * 4
    assert _known(store) == ids - {gone}
    assert sum(taken) == 30
    store.close()


def test_a_killed_maker_costs_nothing_but_time(tmp_path: Path) -> None:
    ids = _files(tmp_path, 40)
    code = (
        "import os, signal, sys\nfrom ivcap_client._local import filling\nfrom ivcap_client._local.store import Store\n"
        "filling.BATCH = 8\nreal = filling._take\nturns = []\n"
        "def take(*given):\n    real(*given)\n    turns.append(1)\n"
        "    if len(turns) == 3:\n        os.kill(os.getpid(), signal.SIGKILL)\n"
        "filling._take = take\nStore(sys.argv[1]).index.read(lambda c: None)\n"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, timeout=60)
    assert run.returncode == -signal.SIGKILL, run.stderr
    store = Store(tmp_path)
    assert _known(store) == ids
    store.close()


def test_who_waits_for_an_index_says_for_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(building, "QUIET", 0.0)
    monkeypatch.setattr(building, "AGAIN", 0.0)
    monkeypatch.setattr(filling, "BATCH", 10)
    _files(tmp_path, 30)
    with caplog.at_level(logging.WARNING, "ivcap_client"):
        store = Store(tmp_path)
        _known(store)
        assert "20 of 30 records, 66 %" in caplog.text
        store.close()
        # Another process that holds the lock and says how far it is.
        code = (
            "import sys, fcntl\nlock = open(sys.argv[1], 'r+')\nfcntl.flock(lock, fcntl.LOCK_EX)\n"
            "lock.write('pid 1: 7 of 9 records, 77 %')\nlock.flush()\nprint('held', flush=True)\nsys.stdin.read()\n"
        )
        lock = tmp_path / ".ivcap" / "index.sqlite.lock"
        other = subprocess.Popen(
            [sys.executable, "-c", code, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "held\n"

        class _Released(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                if "waiting for another process" in record.getMessage() and other.stdin is not None:
                    other.stdin.close()

        handler = _Released()
        logging.getLogger("ivcap_client._local.building").addHandler(handler)
        try:
            assert len(_known(Store(tmp_path))) == 30
        finally:
            logging.getLogger("ivcap_client._local.building").removeHandler(handler)
            other.wait(20)
            other.stdout.close()
        assert "(pid 1: 7 of 9 records, 77 %)" in caplog.text


def test_an_index_that_is_there_is_opened_without_a_look_at_each_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _files(tmp_path, 30)
    first = Store(tmp_path)
    assert len(_known(first)) == 30
    first.close()
    looked: list[str] = []
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: looked.append(str(path)) or real(path))  # type: ignore[func-returns-value]
    again = Store(tmp_path)
    assert len(again.aspects.read(lambda c: c.execute("SELECT id FROM aspects").fetchall())) == 30
    assert looked == []
    # Not even after the machine was started anew, apart from the names.
    again.close()
    monkeypatch.setattr(building, "boot", lambda: "another")
    monkeypatch.setattr("ivcap_client._local.store.boot", lambda: "another")
    third = Store(tmp_path)
    assert len(_known(third)) == 30
    third.close()


def test_rows_are_written_many_at_a_time_when_an_index_is_made(tmp_path: Path) -> None:
    _files(tmp_path, 400)
    store = Store(tmp_path)
    said: list[str] = []
    real = store._fill

    def traced(connection: sqlite3.Connection, progress: building.Progress) -> None:
        connection.set_trace_callback(said.append)
        real(connection, progress)
        connection.set_trace_callback(None)

    store._fill = traced  # type: ignore[method-assign]
    assert len(_known(store)) == 400
    # 400 records, each a row of its own table and one of the files that are known; those are sorted at the end.
    assert sum(text.startswith("INSERT OR REPLACE INTO aspects") for text in said) == 2
    assert sum(text.startswith("INSERT OR REPLACE INTO filled") for text in said) == 2
    store.close()


def test_a_record_with_a_value_that_no_column_takes_is_skipped_and_named_and_no_other(tmp_path: Path) -> None:
    store = Store(tmp_path)
    jobs = [
        store.jobs.create(service="urn:ivcap:service:x", service_name="x", body=b"{}", content_type="application/json")[
            0
        ]
        for _ in range(3)
    ]
    path = store.jobs.mirror.path(jobs[1].id)
    told = path.read_text()
    store.close()
    path.write_text(told.replace('"urn:ivcap:service:x"', "null"))
    (tmp_path / ".ivcap" / "index.sqlite").unlink()
    again = Store(tmp_path)
    assert again.jobs.find(jobs[0].id) == jobs[0]
    assert again.jobs.find(jobs[1].id) is None
    assert again.jobs.find(jobs[2].id) == jobs[2]
    (problem,) = again.problems
    assert str(path) in problem
    # Once it is whole again, it is taken up.
    temp = path.with_suffix(".new")
    temp.write_text(told)
    temp.replace(path)
    assert jobs[1] in again.jobs.unfinished()
    assert again.problems == []
    again.close()


@pytest.mark.parametrize("made_anew", [True, False])
def test_half_a_character_in_a_record_or_a_name_that_is_no_text_keeps_nobody_from_the_rest(
    tmp_path: Path, made_anew: bool
) -> None:
    store = Store(tmp_path)
    good = store.aspects.add("urn:e", "urn:s", {"n": 1})
    id = "00000000-0000-4000-8000-00000000000a"
    (tmp_path / "aspects" / f"{id}.json").write_text('{"entity": "urn:\\ud800", "schema": "urn:s", "content": {}}')
    with open(os.fsencode(tmp_path) + b"/aspects/\xff.json", "wb") as file:
        file.write(b"{}")
    if made_anew:
        store.close()
        (tmp_path / ".ivcap" / "index.sqlite").unlink()
        store = Store(tmp_path)
    assert store.aspects.find(good.id) == good
    assert [row.id for row in store.aspects.live("urn:e", "urn:s")] == [good.id]
    first, second = sorted(store.problems)
    assert id in first
    assert "\\udcff.json" in second
    store.close()


def test_a_file_under_the_name_of_a_statement_of_the_platform_does_not_keep_the_index_from_being_made(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path)
    job, _ = store.jobs.create(
        service="urn:ivcap:service:x", service_name="x", body=b"{}", content_type="application/json"
    )
    ((own,),) = store.index.read(lambda c: c.execute("SELECT id FROM aspects WHERE entity = ?", (job.urn,)).fetchall())
    store.close()
    (tmp_path / "aspects" / f"{own}.json").write_text('{"entity": "urn:e", "schema": "urn:s", "content": {"n": 1}}')
    (tmp_path / ".ivcap" / "index.sqlite").unlink()
    again = Store(tmp_path)
    assert _known(again) == {own}
    found = again.aspects.find(own)
    assert found is not None
    assert found.entity == "urn:e"
    again.close()
