"""`ivcap-mcp jobs`: what a person sees of jobs in a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivcap_client import LocalIVCAP
from ivcap_client.platform import stop_platform
from tests.mcp.commands import ivcap_mcp

PLAIN = Path(__file__).parents[1] / "local" / "tools" / "plain_tool.py"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    where = tmp_path_factory.mktemp("jobs") / "store"
    with LocalIVCAP(where, services=[f"plain={{python}} {PLAIN}"]) as ivcap:
        service = ivcap.get_service_by_name("plain")
        assert service.run({"do": "echo", "n": 1}, timeout=60)["n"] == 1
        beside = [service.request_job({"do": "sleep", "seconds": 0.3, "n": number}, timeout=0) for number in range(2)]
        for job in beside:
            job.wait(timeout=60)
        service.request_job({"do": "value"}, timeout=60)
    yield where
    stop_platform(where, force=True)


def jobs(store: Path, *arguments: str) -> str:
    ran = ivcap_mcp("jobs", *arguments, "--local-dir", str(store))
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_jobs_are_listed_the_newest_first_and_can_be_chosen(store: Path) -> None:
    listed = json.loads(jobs(store, "list", "--json"))
    assert [job["status"] for job in listed] == ["failed", "succeeded", "succeeded", "succeeded"]
    assert len(json.loads(jobs(store, "list", "--json", "--limit", "2"))) == 2
    (failed,) = json.loads(jobs(store, "list", "--json", "--status", "failed"))
    assert failed == listed[0]
    assert len(json.loads(jobs(store, "list", "--json", "--of", "plain"))) == 4
    text = jobs(store, "list")
    assert all(job["job"] in text for job in listed)
    assert jobs(store, "list", "--of", "another") == "no job fits\n"


def test_a_job_is_shown_with_its_result_or_its_error(store: Path) -> None:
    failed, *_, first = json.loads(jobs(store, "list", "--json"))
    told = json.loads(jobs(store, "show", first["job"], "--json"))
    assert (told["status"], told["result"]["n"]) == ("succeeded", 1)
    assert '"n": 1' in jobs(store, "show", first["job"].rpartition(":")[2])
    assert "bad" in jobs(store, "show", failed["job"])


def test_logs_are_those_of_the_job_and_say_who_else_ran(store: Path) -> None:
    _, later, earlier, first = [job["job"] for job in json.loads(jobs(store, "list", "--json"))]
    ran = ivcap_mcp("jobs", "logs", first, "--local-dir", str(store))
    assert ran.returncode == 0
    assert "POST / HTTP" in ran.stdout
    assert "other jobs" not in ran.stderr
    beside = ivcap_mcp("jobs", "logs", later, "--local-dir", str(store))
    assert earlier in beside.stderr
    assert "some lines may be theirs" in beside.stderr


def test_a_job_that_is_not_there_is_refused(store: Path) -> None:
    ran = ivcap_mcp("jobs", "show", "00000000-0000-4000-8000-000000000000", "--local-dir", str(store))
    assert ran.returncode == 1
    assert "is not known here" in ran.stderr
