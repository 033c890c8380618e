"""Handles made by hand, as programs for the public SDK make them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ivcap_client import Artifact, Aspect, Job, LocalIVCAP, Service
from ivcap_client.exception import InvalidInput
from ivcap_client.job import JobStatus

URN = "urn:ivcap:service:00000000-0000-0000-0000-000000000001"


@pytest.fixture
def ivcap(tmp_path: Path) -> LocalIVCAP:
    return LocalIVCAP(tmp_path)


@pytest.mark.parametrize("spelling", ["finished-at", "finished_at"])
def test_fields_are_taken_under_either_spelling(ivcap: LocalIVCAP, spelling: str) -> None:
    when = datetime(2024, 1, 2, tzinfo=UTC)
    fields: dict[str, Any] = {"id": "urn:ivcap:job:1", "status": "succeeded", spelling: when}
    job = Job(ivcap, service=Service(ivcap, id=URN, name="s"), **fields)
    assert (job.finished_at, job.service, job.status(refresh=False)) == (when, URN, JobStatus.SUCCEEDED)
    assert Job(ivcap, service=URN, **{**fields, spelling: when.isoformat()}).finished_at == when
    assert Job(ivcap, **fields).service is None
    assert {job: 1}[Job(ivcap, **fields)] == 1


def test_each_handle_can_be_made_from_its_fields(ivcap: LocalIVCAP) -> None:
    assert Service(ivcap, id=URN, name="s", tags=["t"]).tags == ("t",)
    assert Artifact(ivcap, id="urn:ivcap:artifact:1", size=3).size == 3
    assert Aspect(ivcap, id="urn:ivcap:aspect:1", entity="urn:e:1", schema="urn:s:1", content={"a": 1}).content == {
        "a": 1
    }


@pytest.mark.parametrize("kind", [Service, Artifact, Aspect, Job])
def test_without_a_client_or_an_id_there_is_no_handle(ivcap: LocalIVCAP, kind: Any) -> None:
    with pytest.raises(InvalidInput, match="there is no client"):
        kind(None, id="urn:x:y")
    with pytest.raises(InvalidInput, match="there is no id"):
        kind(ivcap, name="n")


@dataclass
class Reply:
    """What a program's own HTTP library gave it."""

    status_code: int
    headers: dict[str, str]
    content: bytes


def test_a_job_is_made_of_a_reply_that_a_program_got_itself(ivcap: LocalIVCAP) -> None:
    service = Service(ivcap, id=URN)
    later = Job.from_create_job_response(Reply(202, {}, b'{"job-id": "urn:ivcap:job:2"}'), service)
    assert (later.id, later.ended) == ("urn:ivcap:job:2", False)
    headers = {"IVCAP-Job-Id": "urn:ivcap:job:3", "Content-Type": "application/json"}
    inline = Job.from_create_job_response(Reply(200, headers, b'{"sum": 3}'), service)
    assert (inline.id, inline.value()) == ("urn:ivcap:job:3", {"sum": 3})
