"""The runner's own life: found, started once, ended, killed; and what becomes of the jobs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ivcap_client._local import launch, pending
from tests.local.running.desk import Desk, gone, until


def test_starters_that_race_share_one_runner(desk: Desk) -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(launch.ensure_runner(desk.base).pid)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(set(found)) == 1


def test_processes_that_race_share_one_runner(desk: Desk, tmp_path: Path) -> None:
    code = "import sys; from ivcap_client._local import launch; print(launch.ensure_runner(sys.argv[1]).pid)"
    words = [sys.executable, "-c", code, str(desk.base)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    racing = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(3)]
    assert len({item.communicate(timeout=30)[0] for item in racing}) == 1


def test_what_a_runner_says_about_itself_is_for_its_user_alone(desk: Desk) -> None:
    runner = launch.ensure_runner(desk.base)
    file = desk.base / ".ivcap" / "runner.json"
    assert file.stat().st_mode & 0o777 == 0o600
    said = json.loads(file.read_text())
    assert (said["pid"], said["port"], said["token"]) == (runner.pid, runner.port, runner.token)
    stranger = launch.Runner(runner.pid, runner.port, "not the token")
    assert launch.ask(stranger, "GET", "/.runner/state")[0] == 401
    assert launch.ask(stranger, "GET", "/1/services2")[0] == 401


def test_a_runner_ends_when_nothing_has_run_for_a_while(desk: Desk) -> None:
    desk.limit(IVCAP_LOCAL_IDLE=0.3)
    tool = desk.result(desk.run(do="echo"))["pid"]
    until(lambda: launch.read_runner(desk.base) is None)
    until(lambda: gone(tool))
    assert desk.run(do="echo").status == "succeeded"  # by a new one


def test_a_running_job_keeps_its_runner(desk: Desk) -> None:
    desk.limit(IVCAP_LOCAL_IDLE=0.1)
    assert desk.run(do="sleep", seconds=0.6).status == "succeeded"


def test_a_killed_runner_takes_its_tools_with_it_and_the_next_one_says_what_became_of_the_job(desk: Desk) -> None:
    tool = desk.result(desk.run(do="echo"))["pid"]
    running = desk.submit(do="sleep", seconds=60)
    desk.started(running)
    os.kill(launch.ensure_runner(desk.base).pid, signal.SIGKILL)
    until(lambda: gone(tool))
    launch.ensure_runner(desk.base)
    job = desk.ended(running)
    assert (job.status, job.error_message) == ("error", "the local platform was killed while this job ran")


def test_a_job_scheduled_with_a_runner_that_was_killed_runs_on_the_next_one(desk: Desk) -> None:
    job = desk.create(do="echo")
    pending.record(desk.base.resolve(), job.id, desk.plain)
    launch.ensure_runner(desk.base)
    assert desk.ended(job).status == "succeeded"
    assert pending.recall(desk.base.resolve(), job.id) is None


def test_a_job_that_had_not_reached_its_tool_waits_for_the_next_runner(desk: Desk) -> None:
    job = desk.submit(desk.service("slow", env={"PLAIN_TOOL": "deaf"}), do="echo")
    until(lambda: [item["state"] for item in desk.state["services"]] == ["starting"])
    assert launch.stop_runner(desk.base, force=True)
    now = desk.store.jobs.find(job.id)
    assert now is not None
    assert now.status == "scheduled"
    assert pending.recall(desk.base.resolve(), job.id) is not None


def test_a_scheduled_job_nobody_knows_the_command_of_is_given_up(desk: Desk) -> None:
    desk.limit(IVCAP_JOB_ORPHAN=0.2)
    job = desk.create(do="echo")
    launch.ensure_runner(desk.base)
    assert "does not know which command" in (desk.ended(job).error_message or "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_runner_told_to_end_leaves_nothing_behind(desk: Desk, number: int) -> None:
    tool = desk.result(desk.run(do="echo"))["pid"]
    job = desk.submit(do="sleep", seconds=60)
    desk.started(job)
    pid = launch.ensure_runner(desk.base).pid
    os.kill(pid, number)
    assert desk.ended(job).error_message == "the local platform was stopped while this job ran"
    until(lambda: gone(tool))
    until(lambda: gone(pid))
    assert not (desk.base / ".ivcap" / "runner.json").exists()


def test_a_runner_asked_to_stop_finishes_what_it_runs(desk: Desk) -> None:
    job = desk.submit(do="sleep", seconds=0.5)
    desk.started(job)
    assert launch.stop_runner(desk.base)
    assert desk.ended(job).status == "succeeded"


def test_a_stale_runner_json_is_seen_through(desk: Desk) -> None:
    hidden = desk.base / ".ivcap"
    hidden.mkdir(parents=True)
    (hidden / "runner.json").write_text(json.dumps({"pid": os.getpid(), "port": 1, "token": "t"}))
    (hidden / "runner.json").chmod(0o600)
    assert desk.run(do="echo").status == "succeeded"


def test_a_runner_whose_directory_was_made_anew_leaves_the_next_one_alone(desk: Desk) -> None:
    old = launch.ensure_runner(desk.base)
    (desk.base / ".ivcap").rename(desk.base.parent / "gone")  # at once: the old runner may still write into it
    new = launch.ensure_runner(desk.base)
    assert new.pid != old.pid
    os.kill(old.pid, signal.SIGTERM)
    until(lambda: gone(old.pid))
    assert launch.read_runner(desk.base) is not None
    assert launch.ensure_runner(desk.base).pid == new.pid


def test_a_runner_json_that_others_could_have_written_is_not_believed(desk: Desk) -> None:
    hidden = desk.base / ".ivcap"
    hidden.mkdir(parents=True)
    (hidden / "runner.json").write_text(json.dumps({"pid": os.getpid(), "port": 80, "token": "t"}))
    (hidden / "runner.json").chmod(0o644)
    assert launch.read_runner(desk.base) is None


def test_a_runner_that_cannot_start_says_why(desk: Desk) -> None:
    desk.limit(IVCAP_LOCAL_IDLE="soon")
    with pytest.raises((launch.RunnerUnavailable, ValueError), match="soon"):
        launch.ensure_runner(desk.base)


def test_a_service_is_described_once_and_kept(desk: Desk) -> None:
    status, said = launch.describe(desk.base, desk.plain, seconds=20)
    assert status == 200
    assert said["tool"]["service-id"] == desk.plain.urn
    assert said["service"]["controller-schema"] == "urn:ivcap:schema.service.rest.1"
    assert said["digest"] == desk.plain.digest
    launch.stop_runner(desk.base, force=True)
    assert launch.describe(desk.base, desk.plain, seconds=20)[1] == said
    assert not desk.state["running"]


def test_a_service_that_cannot_be_described_says_why_and_is_tried_again(desk: Desk) -> None:
    broken = desk.service(env={"PLAIN_TOOL": "exit"})
    for _ in range(2):
        status, said = launch.describe(desk.base, broken, seconds=20)
        assert status == 424
        assert "before it was ready" in said["message"]
        assert said["log"].count("cannot find my model file") == 1
    assert [item["state"] for item in desk.state["services"]] == ["failed"]


def test_a_description_that_takes_longer_than_asked_says_where_it_is(desk: Desk) -> None:
    desk.limit(IVCAP_TOOL_START=2)
    status, said = launch.describe(desk.base, desk.service(env={"PLAIN_TOOL": "deaf"}), seconds=0.5)
    assert (status, said["state"]) == (202, "starting")


def test_a_client_of_the_runner_loads_no_event_loop_and_no_http_library() -> None:
    heavy = "('asyncio', 'uvicorn', 'httpx', 'pydantic', 'anyio')"
    code = (
        f"import sys; from ivcap_client._local import runners; print([name for name in {heavy} if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=30)
    assert done.stdout == "[]\n", done.stderr
