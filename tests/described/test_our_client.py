"""What our own client says to a platform, judged by the published description like what others say."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from ivcap_client import IVCAP
from ivcap_client.exception import IvcapError, ResourceNotFound
from tests.described.conftest import PLAIN, Stage

SCHEMA = "urn:x:schema:ours.1"
NOWHERE = "00000000-0000-4000-8000-00000000dead"


@pytest.fixture
def ivcap(stage: Stage) -> IVCAP:
    return IVCAP(url=stage.url, token="any")


def test_services_and_jobs(ivcap: IVCAP) -> None:
    with ivcap:
        assert PLAIN in [one.id for one in ivcap.list_services(limit=None)]
        service = ivcap.get_service_by_name("plain")
        job = service.request_job({"do": "events", "count": 2})
        assert [event.type for event in job.events()][-1] == "ivcap.job.status"
        assert job.refresh().succeeded
        assert service.run({"do": "echo", "n": 1}, timeout=20)["n"] == 1
        assert ivcap.get_job(job.id).status() == job.status()
        assert job.id in [one.id for one in ivcap.list_jobs(limit=50)]
        hanging = service.request_job({"do": "sleep", "seconds": 30})
        hanging.cancel()
        assert hanging.refresh().finished
        assert list(ivcap.search_services("plain", limit=3))


def test_artifacts(ivcap: IVCAP, tmp_path: Path) -> None:
    with ivcap:
        sent = ivcap.upload_artifact(name="a.txt", io_stream=io.BytesIO(b"abc"), content_type="text/plain")
        again = ivcap.get_artifact(sent.id)
        assert again.as_local_file(tmp_path / "a.txt").read_bytes() == b"abc"
        again.add_metadata({"n": 1}, schema=SCHEMA)
        assert [one.content["n"] for one in again.metadata if one.schema == SCHEMA] == [1]
        assert sent.id in [one.id for one in ivcap.list_artifacts(limit=None)]


def test_aspects(ivcap: IVCAP) -> None:
    with ivcap:
        added = ivcap.add_aspect("urn:x:ours", {"n": 1}, schema=SCHEMA)
        ivcap.update_aspect("urn:x:ours", {"n": 2}, schema=SCHEMA)
        (found,) = ivcap.list_aspects(entity="urn:x:ours", schema=SCHEMA, content_path="$.n ? (@ == 2)")
        assert ivcap.get_aspect(added.id).content["n"] == 1
        found.retract()


def test_what_is_missing_or_refused(ivcap: IVCAP) -> None:
    with ivcap:
        for ask in (ivcap.get_artifact, ivcap.get_aspect, ivcap.get_job):
            with pytest.raises(ResourceNotFound):
                ask(f"urn:ivcap:{ask.__name__.removeprefix('get_')}:{NOWHERE}").refresh()
        for refused in (lambda: ivcap.search("?- a(X)."), lambda: list(ivcap.list_artifacts(order_by="colour"))):
            with pytest.raises(IvcapError):
                refused()
