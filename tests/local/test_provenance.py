"""What the platform states about jobs and artifacts, at every moment before, while and after they were."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ivcap_client._local import times
from ivcap_client._local.identity import SCHEMA_ARTIFACT, SCHEMA_JOB, SCHEMA_JOB_RESULT, SCHEMA_PRODUCED, SCHEMA_USED
from ivcap_client._local.job_facts import facts
from ivcap_client._local.job_record import EndStatus, LocalJob

Asker = Any
SERVICE = "urn:ivcap:service:33333333-3333-5333-8333-333333333333"
NOW = 1_700_000_000_000_000
USED = "urn:ivcap:artifact:11111111-0000-4000-8000-000000000001"


class Runners:
    """Runs nothing: the test does what a runner would, when it likes."""

    def submitted(self, job: LocalJob, spec: Any) -> None: ...

    def trouble(self, spec: Any) -> str:
        return ""

    def describe(self, specs: Any) -> dict[str, Any]:
        return {}


class Spec:
    urn, name, digest = SERVICE, "adder", "d1"


@given(
    requested=st.integers(-3, 3),
    started=st.none() | st.integers(-3, 3),
    finished=st.none() | st.integers(-3, 3),
    status=st.sampled_from(["succeeded", "failed", "error"]),
)
def test_one_state_holds_at_every_moment_also_of_a_clock_that_jumps(
    requested: int, started: int | None, finished: int | None, status: EndStatus
) -> None:
    def said(moment: int | None) -> str | None:
        return None if moment is None else times.rfc3339(NOW + moment)

    running = "scheduled" if started is None else "executing"
    job = LocalJob(
        id="22222222-0000-4000-8000-000000000001",
        name="n",
        service=SERVICE,
        service_name="adder",
        status=running if finished is None else status,
        order="urn:ivcap:order:1",
        request_content_type="application/json",
        requested_at=times.rfc3339(NOW + requested),
        started_at=said(started),
        finished_at=said(finished),
        result_content_type=None if finished is None else "application/json",
        used=(USED,),
    )
    rows = facts(job, Path("/nowhere"))
    for moment in range(NOW - 10, NOW + 10):
        valid = [row for row in rows if row.valid_from <= moment and (row.valid_to is None or row.valid_to > moment)]
        states = [json.loads(row.content)["status"] for row in valid if row.schema == SCHEMA_JOB]
        begun = moment >= NOW + requested
        assert len(states) == (1 if begun else 0)
        assert any(row.schema == SCHEMA_USED for row in valid) is begun
        ended = states == [status] and status != "error"
        assert any(row.schema == SCHEMA_JOB_RESULT for row in valid) is ended
    assert len({row.id for row in rows}) == len(rows)


def test_the_past_of_a_job_is_told_as_it_was(base_dir: Path, opened: Callable[..., Asker]) -> None:
    clock = [NOW]
    ask = opened(base_dir, services=[Spec()], runners=Runners(), now=lambda: clock[0])
    store = ask.platform.store

    def after(seconds: int) -> str:
        clock[0] = NOW + seconds * 1_000_000
        return times.rfc3339(clock[0])

    given = ask.upload(b"in")["id"]
    after(10)
    href = f"/1/services2/{SERVICE}/jobs"
    job = json.loads(ask("POST", href, json.dumps({"in": given}).encode()).body)["job-id"]
    after(20)
    record = store.jobs.start(store.jobs.find(job))
    after(30)
    made = store.artifacts.add(b"out", name="out.txt", mime_type="text/plain", job=job).urn
    after(40)
    store.jobs.finish(record, status="succeeded", content_type="application/json", body=b'{"sum": 3}')
    after(50)

    def told(seconds: int) -> tuple[list[str], list[str], list[str], list[Any]]:
        def contents(**query: str) -> list[Any]:
            moment = times.rfc3339(NOW + seconds * 1_000_000)
            return [item["content"] for item in ask.aspects(include_content="true", at_time=moment, **query)]

        return (
            [content["status"] for content in contents(entity=job, schema=SCHEMA_JOB)],
            [content["job"] for content in contents(entity=given, schema=SCHEMA_USED)],
            [content["artifact"] for content in contents(entity=job, schema=SCHEMA_PRODUCED)],
            [content["result-content"] for content in contents(entity=job, schema=SCHEMA_JOB_RESULT)],
        )

    def check() -> None:
        assert told(9) == ([], [], [], [])
        assert told(10) == (["scheduled"], [job], [], [])
        assert told(20) == told(29) == (["executing"], [job], [], [])
        assert told(30) == told(39) == (["executing"], [job], [made], [])
        assert told(40) == told(60) == (["succeeded"], [job], [made], [{"sum": 3}])
        (history,) = ask.aspects(entity=job, schema=SCHEMA_JOB, at_time=times.rfc3339(NOW + 25_000_000))
        assert history["valid-from"] == times.rfc3339(NOW + 20_000_000)
        assert history["valid-to"] == times.rfc3339(NOW + 40_000_000)

    check()
    ask.platform.close()
    (base_dir / ".ivcap" / "index.sqlite").unlink()
    check()  # computed again from the records, it is the same


def test_an_edited_file_has_a_past(base_dir: Path, opened: Callable[..., Asker]) -> None:
    clock = [NOW]
    ask = opened(base_dir, now=lambda: clock[0])
    job = "urn:ivcap:job:22222222-0000-4000-8000-000000000001"
    urn = ask.platform.store.artifacts.add(b"first", name="a.txt", mime_type="text/plain", job=job).urn
    (before,) = ask.aspects(entity=urn, schema=SCHEMA_ARTIFACT, include_content="true")
    path = base_dir / "artifacts" / "a.txt"
    path.write_bytes(b"edited!")
    later = NOW + 60_000_000
    os.utime(path, ns=(later * 1000, later * 1000))
    clock[0] = NOW + 120_000_000
    assert ask.json("GET", f"/1/artifacts/{urn}")["size"] == 7
    (now,) = ask.aspects(entity=urn, schema=SCHEMA_ARTIFACT, include_content="true")
    (then,) = ask.aspects(entity=urn, schema=SCHEMA_ARTIFACT, include_content="true", at_time=times.rfc3339(later - 1))
    assert {**then, "valid-to": None} == {**before, "valid-to": None}
    assert (then["valid-to"], now["valid-from"]) == (times.rfc3339(later),) * 2
    assert (then["content"]["size"], now["content"]["size"]) == (5, 7)
    assert then["content"]["etag"] != now["content"]["etag"]
    # Which job made it does not change with what its file holds.
    (made,) = ask.aspects(entity=job, schema=SCHEMA_PRODUCED, at_time=times.rfc3339(later - 1))
    assert made["valid-from"] == before["valid-from"]
    os.utime(path, ns=((later + 9) * 1000, (later + 9) * 1000))
    ask.json("GET", f"/1/artifacts/{urn}")
    assert ask.aspects(entity=urn, schema=SCHEMA_ARTIFACT, include_content="true") == [now]
