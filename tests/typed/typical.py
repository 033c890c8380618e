"""Code as users write it, for type checkers alone: mypy and pyright, both at their strictest, find nothing to say.

What a thing is taken to be is stated by `assert_type`, so that a signature that loses its type is an error here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, assert_type

from ivcap_client import (
    IVCAP,
    Artifact,
    Aspect,
    BearerAuth,
    Event,
    Job,
    JobStatus,
    LocalIVCAP,
    Service,
    gather,
    gather_async,
)
from ivcap_client.exception import IvcapApiError, JobFailed, JobTimeout, TooManyRequests
from ivcap_client.service import PType, ServiceParameter


@dataclasses.dataclass
class Request:
    series: str
    harmonics: int = 3


class Mine:
    """A credential of the user's own."""

    def apply(self, headers: dict[str, str]) -> None:
        headers["x-api-key"] = "k"


def clients() -> None:
    with IVCAP("https://platform.example", "token", timeout=10.0, headers={"x-team": "a"}) as ivcap:
        assert_type(ivcap, IVCAP)
    IVCAP(url="https://platform.example", auth=BearerAuth("token"), proxy="http://proxy.example", verify="ca.pem")
    IVCAP("https://platform.example", auth=Mine())
    assert_type(IVCAP.local("study"), LocalIVCAP)
    assert_type(LocalIVCAP("study", services=["tool.py"]).base_dir, Path)


def services(ivcap: IVCAP) -> None:
    for service in ivcap.list_services(filter="name~='co2%'", limit=None, at_time=datetime.now()):
        assert_type(service, Service)
        assert_type(service.name, str | None)
    one = ivcap.get_service_by_name("co2_trend")
    assert_type(one.parameters, dict[str, ServiceParameter])
    assert_type(one.mandatory_parameters, set[str])
    wanted = [name for name, each in one.parameters.items() if each.type is PType.ARTIFACT and not each.is_optional]
    assert_type(wanted, list[str])


def jobs(ivcap: IVCAP) -> str:
    service = ivcap.get_service_by_name("co2_trend")
    try:
        result = service.run({"series": "urn:ivcap:artifact:1"}, timeout=60)
        assert_type(result, Any)
    except JobFailed as failed:
        return failed.job.error or failed.message
    except JobTimeout as late:
        return f"{late.job.urn} after {late.waited:.0f} s"
    except TooManyRequests as busy:
        return f"again in {busy.retry_after or 1.0:.0f} s"
    except IvcapApiError as refused:
        return f"{refused.operation}: {refused.status_code} {refused.detail}"
    job = service.request_job(Request("urn:ivcap:artifact:1"), timeout=5)
    assert_type(job, Job)
    assert_type(job.status(), JobStatus)
    assert_type(job.finished_at, datetime | None)
    for event in job.events(timeout=10):
        assert_type(event, Event)
        assert_type(event.text, str)
    job.wait(timeout=30, on_progress=lambda event: print(event.text))
    several = gather(*(service.request_job({"harmonics": n}) for n in range(3)), timeout=60)
    assert_type(several, list[Job])
    seen: dict[Job, int] = dict.fromkeys({*several}, 1)
    return ", ".join(each.urn for each in seen)


def artifacts(ivcap: IVCAP, file: Path) -> bytes:
    def progress(done: int, total: int | None) -> None:
        print(done, total or "?")

    sent = ivcap.upload_artifact(file_path=file, name="Data", progress_callback=progress)
    assert_type(sent, Artifact)
    assert_type(sent.as_local_file("copy.csv"), Path)
    assert_type(sent.as_stream(), Iterator[bytes])
    assert_type(sent.as_data_url(max_length=4096), str)
    sent.add_metadata({"quality": "good"}, schema="urn:example:schema:quality.1")
    stated = [aspect.content for aspect in sent.metadata]
    assert_type(stated, list[Any])
    return b"".join(sent.as_stream(chunk_size=65536))


def aspects(ivcap: IVCAP) -> list[str]:
    made = ivcap.add_aspect("urn:example:site:1", {"name": "Hill"}, schema="urn:example:schema:site.1")
    assert_type(made, Aspect)
    assert_type(made.valid_from, datetime | None)
    ivcap.update_aspect("urn:example:site:1", {"name": "Top"}, schema="urn:example:schema:site.1")
    found = ivcap.list_aspects(schema="urn:example:schema:%", order_direction="ASC", include_content=False, limit=5)
    return [aspect.id for aspect in found if aspect.entity]


async def asynchronous() -> list[Job]:
    async with IVCAP() as ivcap:
        service = await ivcap.get_service_by_name_async("co2_trend")
        job = await service.submit_async({"harmonics": 3})
        assert_type(job, Job)
        async for event in job.events():
            assert_type(event, Event)
        assert_type(await job.status_async(), JobStatus)
        artifact = await ivcap.get_artifact_async("urn:ivcap:artifact:1")
        pieces: AsyncIterator[bytes] = artifact.as_stream_async()
        sizes = [len(piece) async for piece in pieces]
        names = [found.name async for found in ivcap.list_services(limit=3)]
        assert_type(sizes, list[int])
        assert_type(names, list[str | None])
        return await gather_async(job, timeout=10)
