"""The published tool library, in an environment built from a script's own metadata, once, and kept between runs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ivcap_client._core.messages import Request
from ivcap_client._local import launch, specs
from ivcap_client._local.platform import LocalPlatform
from ivcap_client._local.runners import OutsideRunners
from ivcap_client._local.specs import ServiceSpec
from ivcap_mcp import examples
from tests.local.running.desk import Desk, gone, until

KEPT = Path(os.environ.get("IVCAP_TEST_ENVIRONMENTS") or Path(__file__).parents[3] / "build" / "environments") / "own"


@pytest.fixture
def rehearsal(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> ServiceSpec:
    monkeypatch.setenv("IVCAP_CACHE_DIR", str(KEPT))
    return specs.from_option(str(examples.path("rehearsal.py")))


def test_every_way_to_end_is_told_apart(desk: Desk, rehearsal: ServiceSpec) -> None:
    desk.limit(IVCAP_JOB_DEADLINE=3)
    submitted = {
        how: desk.submit(rehearsal, outcome=how, size_mb=1)
        for how in ("succeed", "value_error", "exception", "none", "text", "image", "artifact", "nope", "system_exit")
    }
    ended = {how: desk.ended(job) for how, job in submitted.items()}
    told = {how: (job.status, (job.error_message or "").partition(":")[0]) for how, job in ended.items()}
    assert told == {
        "succeed": ("succeeded", ""),
        "text": ("succeeded", ""),
        "image": ("succeeded", ""),
        "artifact": ("succeeded", ""),
        "value_error": ("failed", "ValueError"),
        "exception": ("failed", "RuntimeError"),
        "none": ("failed", "service did not return a result"),
        "nope": ("failed", "the service did not accept the input"),
        "system_exit": ("error", "the job did not end within its 3 s"),
    }
    assert ended["image"].result_urn in ended["image"].products
    assert len(ended["artifact"].products) == 1


def test_its_steps_arrive_before_its_result(desk: Desk, rehearsal: ServiceSpec) -> None:
    job = desk.run(rehearsal, outcome="succeed", steps=2)
    schemas = [event["Schema"].rpartition(":")[2] for event in desk.store.jobs.events(job)]
    assert schemas.count("service.event.step.start.1") == schemas.count("service.event.step.finish.1") == 2
    assert schemas[-1] == "job.status.1"


def test_it_runs_sub_jobs_through_its_own_address(desk: Desk, rehearsal: ServiceSpec) -> None:
    job = desk.run(rehearsal, outcome="sub_job", service=rehearsal.urn, input={"outcome": "succeed", "echo": "inner"})
    assert job.status == "succeeded", job.error_message
    child = desk.store.jobs.find(desk.result(job)["sub_job"])
    assert child is not None
    assert child.parent == job.urn
    assert desk.result(desk.ended(child))["echo"] == "inner"


def test_it_describes_itself(desk: Desk, rehearsal: ServiceSpec) -> None:
    status, said = launch.describe(desk.base, rehearsal, seconds=100)
    assert status == 200, said
    assert said["tool"]["service-id"] == rehearsal.urn
    assert "outcome" in said["tool"]["fn_schema"]["properties"]
    assert "Arguments:" not in said["service"]["description"]
    assert said["service"]["result-schema"]["type"] == "object"


def test_a_killed_runner_takes_it_along(desk: Desk, rehearsal: ServiceSpec) -> None:
    job = desk.submit(rehearsal, outcome="hang")
    desk.started(job)
    runner = launch.ensure_runner(desk.base)
    tools = children_of(runner.pid)
    assert tools
    os.kill(runner.pid, 9)
    until(lambda: all(gone(pid) for pid in tools))


def test_a_platform_in_this_process_follows_and_cancels(desk: Desk, rehearsal: ServiceSpec) -> None:
    platform = LocalPlatform(desk.base, services=[rehearsal], runners=OutsideRunners(desk.base))
    body = json.dumps({"outcome": "succeed", "seconds": 0.5, "steps": 3}).encode()
    headers = {"content-type": "application/json"}
    made = platform.handle(Request("POST", f"/1/services2/{rehearsal.urn}/jobs", headers=headers, body=body))
    assert made.status == 202, made.body
    job = json.loads(made.body)["job-id"]
    stream = platform.open(Request("GET", f"/1/services2/{rehearsal.urn}/jobs/{job}/events"))
    text = b""
    while piece := stream.read():
        text += piece
    stream.close()
    told = [json.loads(line[6:]) for line in text.splitlines() if line.startswith(b"data: ")]
    assert told[-1]["Data"]["status"] == "succeeded"
    assert sum("step.finish" in event["Schema"] for event in told) == 3
    listed = json.loads(platform.handle(Request("GET", "/1/services2")).body)
    assert [item["name"] for item in listed["items"]] == ["rehearsal"]
    body = json.dumps({"outcome": "hang"}).encode()
    made = platform.handle(Request("POST", f"/1/services2/{rehearsal.urn}/jobs", headers=headers, body=body))
    job = json.loads(made.body)["job-id"]
    assert platform.handle(Request("POST", f"/1/services2/{rehearsal.urn}/jobs/{job}/cancel")).status == 202
    read = platform.handle(Request("GET", f"/1/services2/{rehearsal.urn}/jobs/{job}"))
    assert json.loads(read.body)["status"] == "error"
    platform.close()


def children_of(pid: int) -> list[int]:
    """All descendants of a process."""
    found = [int(item) for item in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return found + [deeper for child in found for deeper in children_of(child)]


BATCH = '''# /// script
# requires-python = ">=3.11"
# dependencies = ["ivcap-ai-tool>=0.7.22"]
# ///
"""Doubles a number."""
import os
from ivcap_service import JobContext, Service, start_batch_service
from pydantic import BaseModel, Field

class Request(BaseModel):
    jschema: str = Field("urn:test:schema:double.request.1", alias="$schema")
    number: int

class Result(BaseModel):
    jschema: str = Field("urn:test:schema:double.1", alias="$schema")
    doubled: int

def double(request: Request, ctxt: JobContext) -> Result:
    """Double a number."""
    if request.number == 13:
        raise RuntimeError("unlucky")
    if request.number == 9:
        os._exit(9)
    return Result(doubled=2 * request.number)

if __name__ == "__main__":
    start_batch_service(Service(name="double", contact={"name": "a", "email": "a@b.cd"}), double)
'''


def test_a_batch_service_fetches_its_job_and_ends(desk: Desk, rehearsal: ServiceSpec) -> None:
    script = desk.base.parent / "double.py"
    script.write_text(BATCH)
    double = specs.from_option(str(script))
    assert double.kind == "batch"
    status, said = launch.describe(desk.base, double, seconds=100)
    assert status == 200, said
    assert said["service"]["controller-schema"] == "urn:ivcap:schema.service.batch.1"
    assert "number" in said["tool"]["fn_schema"]["properties"]
    jobs = {number: desk.submit(double, number=number) for number in (4, 13, 9)}
    ended = {number: desk.ended(job) for number, job in jobs.items()}
    assert ended[4].status == "succeeded", ended[4].error_message
    assert desk.result(ended[4])["doubled"] == 8
    assert (ended[13].status, ended[13].error_message) == ("failed", "RuntimeError: unlucky")
    assert ended[9].status == "error"
    assert "exit code 9" in (ended[9].error_message or "")
    until(lambda: not children_of(launch.ensure_runner(desk.base).pid))
