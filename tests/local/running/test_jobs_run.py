"""Jobs on a real runner with a real tool process: each ends once, and says why."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from ivcap_client._local import launch, specs
from ivcap_client._local.job_output import output
from tests.local.running.desk import LONG, TOOL, Desk, gone, until


def test_a_job_runs_and_its_result_is_what_the_tool_returned(shared: Desk) -> None:
    job = shared.run(do="echo", text="hello")
    assert (job.status, job.error_message) == ("succeeded", None)
    assert shared.result(job)["text"] == "hello"
    # The last event is written right after the record that says so.
    until(lambda: shared.store.jobs.events(job)[-1]["Data"].get("status") == "succeeded")
    told = [event["Data"] for event in shared.store.jobs.events(job) if event["Type"] == "ivcap.job.status"]
    assert [data["status"] for data in told] == ["scheduled", "executing", "succeeded"]


def test_jobs_of_one_service_share_one_process(shared: Desk) -> None:
    jobs = [shared.submit(do="sleep", seconds=0.05) for _ in range(20)]
    assert len({shared.result(shared.ended(job))["pid"] for job in jobs}) == 1


def test_a_tool_that_says_when_to_ask_again_is_asked_then(desk: Desk) -> None:
    desk.limit(IVCAP_TOOL_POLL=10 * LONG)
    job = desk.run(do="echo", later=0.05, silent=True)
    assert job.status == "succeeded", job.error_message


@pytest.mark.parametrize("how", [{"later": True}, {"later": True, "silent": True}, {"late": 0.2}])
def test_a_result_arrives_inline_or_by_report_or_by_polling(shared: Desk, how: dict[str, Any]) -> None:
    assert shared.result(shared.run(do="echo", **how))["do"] == "echo"


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"x": 1}, "failed", "the service did not accept the input: do: Field required"),
        ({"do": "value"}, "failed", "ValueError: bad"),
        ({"do": "boom"}, "failed", "RuntimeError: boom"),
        ({"do": "none"}, "failed", "no result"),
    ],
)
def test_a_failure_of_the_tool_is_told_in_a_line(shared: Desk, asked: dict[str, Any], status: str, said: str) -> None:
    job = shared.run(**asked)
    assert (job.status, job.error_message) == (status, said)
    assert shared.result(job)["$schema"] == "urn:ivcap:schema.service.error.1"


@pytest.mark.parametrize(("do", "said"), [("value", "ValueError: bad"), ("boom", "boom")])
def test_a_failure_that_was_not_reported_is_told_in_a_line_too(desk: Desk, do: str, said: str) -> None:
    desk.limit(IVCAP_TOOL_REPORT_GRACE=0.1)
    job = desk.run(do=do, silent=True)
    assert (job.status, job.error_message) == ("failed", said)
    assert desk.result(job)["$schema"] == "urn:ivcap:schema.service.error.1"


def test_a_process_that_dies_takes_its_jobs_with_it_and_the_next_job_gets_a_new_one(shared: Desk) -> None:
    before = shared.result(shared.run(do="echo"))["pid"]
    other = shared.submit(do="sleep", seconds=60)
    shared.started(other)
    dead = shared.run(do="die")
    assert dead.status == "error"
    assert "exit code 9" in (dead.error_message or "")
    assert shared.ended(other).status == "error"
    assert shared.result(shared.run(do="echo"))["pid"] != before


def test_a_job_that_hangs_ends_at_its_deadline_and_its_process_is_killed(shared: Desk) -> None:
    service = shared.service(deadline=0.3)
    overdue = "the job did not end within its 0.3 s"

    def serving() -> int:
        """The process; on a busy machine a job that only tells it may be overdue, too."""
        while (told := shared.run(service, do="echo")).error_message == overdue:
            continue
        return int(shared.result(told)["pid"])

    pid = serving()
    job = shared.run(service, do="hang")
    assert (job.status, job.error_message) == ("error", overdue)
    until(lambda: gone(pid))
    assert serving() != pid


def test_a_cancelled_job_ends_at_once_and_its_process_when_its_other_jobs_are_done(shared: Desk) -> None:
    pid = shared.result(shared.run(do="echo"))["pid"]
    other, job = shared.submit(do="sleep", seconds=0.5), shared.submit(do="hang")
    shared.started(other), shared.started(job)
    assert launch.cancel(shared.base, job.id)
    now = shared.store.jobs.find(job.id)
    assert now is not None
    assert now.status == "error"
    assert "cancelled" in (now.error_message or "")
    assert not launch.cancel(shared.base, job.id)
    assert shared.result(shared.run(do="echo"))["pid"] != pid  # it takes no new jobs
    assert shared.ended(other).status == "succeeded"
    until(lambda: gone(pid))


def test_a_large_result_is_kept_whole(shared: Desk) -> None:
    size = 50_000_000
    hows: list[dict[str, Any]] = [{}, {"later": True}]
    for how in hows:
        job = shared.run(do="large", size=size, **how)
        assert job.status == "succeeded"
        kind, body = shared.store.jobs.result_body(job) or ("", b"")
        assert (kind, len(body), body.strip(b"x")) == ("application/octet-stream", size, b"")


@pytest.mark.parametrize(
    ("spoiled", "said"),
    [
        ("exit", ["ended with 3 before it was ready", "cannot find my model file"]),
        ("deaf", ["was not ready within 0.5 s"]),
    ],
)
def test_a_tool_that_does_not_start_fails_its_job_with_its_last_words(
    desk: Desk, spoiled: str, said: list[str]
) -> None:
    desk.limit(IVCAP_TOOL_START=0.5 if spoiled == "deaf" else 20)
    job = desk.run(desk.service(env={"PLAIN_TOOL": spoiled}), do="echo")
    assert job.status == "error"
    assert all(part in (job.error_message or "") for part in said)
    if spoiled == "exit":  # it ended before it had the job, and said why all the same
        printed = output(desk.store, job)
        assert printed is not None
        assert "cannot find my model file" in printed.text


def test_a_command_that_does_not_exist_fails_its_job(shared: Desk) -> None:
    job = shared.run(shared.service(command=("/no/such/command",)), do="echo")
    assert job.status == "error"
    assert "cannot start /no/such/command" in (job.error_message or "")


def test_a_changed_file_gets_a_new_process(shared: Desk) -> None:
    script = shared.base.parent / "mine.py"
    script.write_text(TOOL.read_text())
    mine = specs.from_option(f"mine={{python}} {script}")
    before = shared.result(shared.run(mine, do="echo"))["pid"]
    script.write_text(script.read_text() + "\n# changed\n")
    assert shared.result(shared.run(mine, do="echo"))["pid"] != before
    until(lambda: gone(before))


def test_an_idle_tool_is_stopped_and_started_again(desk: Desk) -> None:
    desk.limit(IVCAP_TOOL_IDLE=0.1)
    before = desk.result(desk.run(do="echo"))["pid"]
    until(lambda: gone(before))
    assert desk.result(desk.run(do="echo"))["pid"] != before


def test_a_tool_sees_its_own_address_and_nothing_that_points_elsewhere(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("IVCAP_URL", "IVCAP_JWT", "http_proxy", "OTEL_EXPORTER_OTLP_ENDPOINT", "PORT", "PIP_INDEX_URL"):
        monkeypatch.setenv(name, "http://elsewhere.invalid")
    found = desk.result(desk.run(do="environment"))
    assert not [name for name, value in found.items() if value == "http://elsewhere.invalid"]
    assert found["IVCAP_BASE_URL"].startswith("http://127.0.0.1:")
    assert "/s/" in found["IVCAP_BASE_URL"]
    assert found["SECRETMGR_PROXY"] == found["IVCAP_BASE_URL"]
    assert found["NO_PROXY"] == "127.0.0.1,localhost"


def test_events_of_a_tool_are_kept_in_order(shared: Desk) -> None:
    job = shared.run(do="events", count=5)
    events = shared.store.jobs.events(job)
    told = [event["Data"]["options"]["at"] for event in events if event["Data"].get("name") == "n"]
    assert told == list(range(5))
    assert events[-1]["Data"]["status"] == "succeeded"


def test_a_tool_may_not_report_on_jobs_that_are_not_its_own(shared: Desk) -> None:
    other = shared.submit(shared.service("other"), do="sleep", seconds=30)
    shared.started(other)
    for path in (f"/results/{other.id}", f"/events/{other.id}"):
        asked = shared.result(shared.run(do="ask", method="POST", path=path, body={"x": 1}))
        assert asked["status"] == 404
    now = shared.store.jobs.find(other.id)
    assert now is not None
    assert now.status == "executing"


def test_a_killed_tool_ends_its_job(shared: Desk) -> None:
    pid = shared.result(shared.run(do="echo"))["pid"]
    job = shared.submit(do="sleep", seconds=60)
    shared.started(job)
    os.kill(pid, signal.SIGKILL)
    assert shared.ended(job).status == "error"


def test_what_a_tool_started_ends_with_it_also_when_its_guard_is_killed(desk: Desk) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux shows what a process carries in its environment")
    first, other = desk.result(desk.run(do="leave")), desk.result(desk.run(desk.service("other"), do="leave"))
    os.kill(guard_of(first["pid"]), signal.SIGKILL)
    until(lambda: gone(first["left"]) and gone(first["pid"]))
    assert not gone(other["left"])
    # Both at once: whoever serves the directory next ends it.
    for pid in (launch.ensure_runner(desk.base).pid, guard_of(other["pid"])):
        os.kill(pid, signal.SIGKILL)
    until(lambda: gone(other["pid"]))
    launch.ensure_runner(desk.base)
    until(lambda: gone(other["left"]))


def guard_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
