"""Jobs on a real runner with a real tool process: each ends once, and says why."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from ivcap_client._local import launch, specs
from tests.local.running.desk import LONG, TOOL, Desk, gone, until


def test_a_job_runs_and_its_result_is_what_the_tool_returned(desk: Desk) -> None:
    job = desk.run(do="echo", text="hello")
    assert (job.status, job.error_message) == ("succeeded", None)
    assert desk.result(job)["text"] == "hello"
    # The last event is written right after the record that says so.
    until(lambda: desk.store.jobs.events(job)[-1]["Data"].get("status") == "succeeded")
    told = [event["Data"] for event in desk.store.jobs.events(job) if event["Type"] == "ivcap.job.status"]
    assert [data["status"] for data in told] == ["scheduled", "executing", "succeeded"]


def test_jobs_of_one_service_share_one_process(desk: Desk) -> None:
    jobs = [desk.submit(do="sleep", seconds=0.05) for _ in range(20)]
    assert len({desk.result(desk.ended(job))["pid"] for job in jobs}) == 1


def test_a_tool_that_says_when_to_ask_again_is_asked_then(desk: Desk) -> None:
    desk.limit(IVCAP_TOOL_POLL=10 * LONG)
    job = desk.run(do="echo", later=0.05, silent=True)
    assert job.status == "succeeded", job.error_message


@pytest.mark.parametrize("how", [{"later": True}, {"later": True, "silent": True}, {"late": 0.2}])
def test_a_result_arrives_inline_or_by_report_or_by_polling(desk: Desk, how: dict[str, Any]) -> None:
    assert desk.result(desk.run(do="echo", **how))["do"] == "echo"


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"x": 1}, "failed", "the service did not accept the input: do: Field required"),
        ({"do": "value"}, "failed", "ValueError: bad"),
        ({"do": "boom"}, "failed", "RuntimeError: boom"),
        ({"do": "none"}, "failed", "no result"),
        ({"do": "value", "silent": True}, "failed", "ValueError: bad"),
        ({"do": "boom", "silent": True}, "failed", "boom"),
    ],
)
def test_a_failure_of_the_tool_is_told_in_a_line(desk: Desk, asked: dict[str, Any], status: str, said: str) -> None:
    desk.limit(IVCAP_TOOL_REPORT_GRACE=0.1 if asked.get("silent") else 5)
    job = desk.run(**asked)
    assert (job.status, job.error_message) == (status, said)
    assert desk.result(job)["$schema"] == "urn:ivcap:schema.service.error.1"


def test_a_process_that_dies_takes_its_jobs_with_it_and_the_next_job_gets_a_new_one(desk: Desk) -> None:
    before = desk.result(desk.run(do="echo"))["pid"]
    other = desk.submit(do="sleep", seconds=60)
    desk.started(other)
    dead = desk.run(do="die")
    assert dead.status == "error"
    assert "exit code 9" in (dead.error_message or "")
    assert desk.ended(other).status == "error"
    assert desk.result(desk.run(do="echo"))["pid"] != before


def test_a_job_that_hangs_ends_at_its_deadline_and_its_process_is_killed(desk: Desk) -> None:
    service = desk.service(deadline=0.3)
    overdue = "the job did not end within its 0.3 s"

    def serving() -> int:
        """The process; on a busy machine a job that only tells it may be overdue, too."""
        while (told := desk.run(service, do="echo")).error_message == overdue:
            continue
        return int(desk.result(told)["pid"])

    pid = serving()
    job = desk.run(service, do="hang")
    assert (job.status, job.error_message) == ("error", overdue)
    until(lambda: gone(pid))
    assert serving() != pid


def test_a_cancelled_job_ends_at_once_and_its_process_when_its_other_jobs_are_done(desk: Desk) -> None:
    pid = desk.result(desk.run(do="echo"))["pid"]
    other, job = desk.submit(do="sleep", seconds=0.5), desk.submit(do="hang")
    desk.started(other), desk.started(job)
    assert launch.cancel(desk.base, job.id)
    now = desk.store.jobs.find(job.id)
    assert now is not None
    assert now.status == "error"
    assert "cancelled" in (now.error_message or "")
    assert not launch.cancel(desk.base, job.id)
    assert desk.result(desk.run(do="echo"))["pid"] != pid  # it takes no new jobs
    assert desk.ended(other).status == "succeeded"
    until(lambda: gone(pid))


def test_a_large_result_is_kept_whole(desk: Desk) -> None:
    size = 50_000_000
    hows: list[dict[str, Any]] = [{}, {"later": True}]
    for how in hows:
        job = desk.run(do="large", size=size, **how)
        assert job.status == "succeeded"
        kind, body = desk.store.jobs.result_body(job) or ("", b"")
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


def test_a_command_that_does_not_exist_fails_its_job(desk: Desk) -> None:
    job = desk.run(desk.service(command=("/no/such/command",)), do="echo")
    assert job.status == "error"
    assert "cannot start /no/such/command" in (job.error_message or "")


def test_a_changed_file_gets_a_new_process(desk: Desk) -> None:
    script = desk.base.parent / "mine.py"
    script.write_text(TOOL.read_text())
    mine = specs.from_option(f"mine={{python}} {script}")
    before = desk.result(desk.run(mine, do="echo"))["pid"]
    script.write_text(script.read_text() + "\n# changed\n")
    assert desk.result(desk.run(mine, do="echo"))["pid"] != before
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


def test_events_of_a_tool_are_kept_in_order(desk: Desk) -> None:
    job = desk.run(do="events", count=5)
    events = desk.store.jobs.events(job)
    told = [event["Data"]["options"]["at"] for event in events if event["Data"].get("name") == "n"]
    assert told == list(range(5))
    assert events[-1]["Data"]["status"] == "succeeded"


def test_a_tool_may_not_report_on_jobs_that_are_not_its_own(desk: Desk) -> None:
    other = desk.submit(desk.service("other"), do="sleep", seconds=30)
    desk.started(other)
    for path in (f"/results/{other.id}", f"/events/{other.id}"):
        asked = desk.result(desk.run(do="ask", method="POST", path=path, body={"x": 1}))
        assert asked["status"] == 404
    now = desk.store.jobs.find(other.id)
    assert now is not None
    assert now.status == "executing"


def test_a_killed_tool_ends_its_job(desk: Desk) -> None:
    pid = desk.result(desk.run(do="echo"))["pid"]
    job = desk.submit(do="sleep", seconds=60)
    desk.started(job)
    os.kill(pid, signal.SIGKILL)
    assert desk.ended(job).status == "error"


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
