"""A directory may come from somebody else, with links in it. None of them is followed out, in reading or in writing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivcap_client._io.files import NO_LINK
from ivcap_client._local import artifact_record
from ivcap_client._local.artifact_record import LocalArtifact
from ivcap_client._local.identity import uuid_of
from ivcap_client._local.names import safe_name
from ivcap_client._local.store import Store
from tests.local.conftest import Asker

SERVICE = "urn:ivcap:service:33333333-3333-5333-8333-333333333333"
SECRET = {"entity": "urn:e", "schema": "urn:s", "content": {"secret": "of the user"}}

pytestmark = pytest.mark.skipif(NO_LINK == 0, reason="this system cannot refuse links")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    file = tmp_path / "outside.json"
    file.write_text(json.dumps(SECRET))
    return file


def test_an_artifact_that_is_a_link_out_has_no_bytes(ask: Asker, base_dir: Path, outside: Path) -> None:
    artifact = ask.upload(b"mine", "a.txt")
    file = base_dir / "artifacts" / "a.txt"
    file.unlink()
    file.symlink_to(outside)
    assert ask.json("GET", f"/1/artifacts/{artifact['id']}")["status"] == "error"
    ask.refused(404, "GET", f"/1/artifacts/{artifact['id']}/blob")
    # A link that stays inside is only another name.
    (base_dir / "artifacts" / "real.txt").write_bytes(b"mine")
    file.unlink()
    file.symlink_to("real.txt")
    assert ask("GET", f"/1/artifacts/{artifact['id']}/blob").body == b"mine"


def test_records_results_and_events_that_are_links_are_not_read(base_dir: Path, outside: Path) -> None:
    store = Store(base_dir)
    made = store.aspects.add("urn:e", "urn:s", {})
    job, _ = store.jobs.create(service=SERVICE, service_name="x", body=b"{}", content_type="application/json")
    assert store.jobs.finish(store.jobs.start(job), status="succeeded", content_type="application/json", body=b"1")
    for path in (store.jobs.directory / f"{job.id}.{end}" for end in ("result", "request", "events")):
        path.unlink()
        path.symlink_to(outside)
    found = store.jobs.find(job.id)
    assert found is not None
    for read in (store.jobs.result_body, store.jobs.request_body, store.jobs.events):
        with pytest.raises(OSError, match="symbolic link"):
            read(found)
    with pytest.raises(OSError, match="symbolic link"):
        store.jobs.add_event(found, type="t", schema="s", data={})
    other = base_dir / "aspects" / "00000000-0000-4000-8000-000000000001.json"
    other.symlink_to(outside)
    assert [row.id for row in store.aspects.live("urn:e", "urn:s")] == [made.id]
    assert str(other) in store.problems[0]
    store.close()
    (base_dir / ".ivcap" / "index.sqlite").unlink()
    again = Store(base_dir)
    assert [row.id for row in again.aspects.live("urn:e", "urn:s")] == [made.id]
    again.close()
    assert json.loads(outside.read_text()) == SECRET


def test_what_is_written_goes_through_no_link(ask: Asker, base_dir: Path, outside: Path) -> None:
    made = ask.create("b.bin", 4)
    part = base_dir / ".ivcap" / "uploads" / f"{uuid_of(made['id'], 'artifact')}.part"
    part.symlink_to(outside)
    assert ask.patch(made["data-href"], 0, b"evil").status >= 400
    ask.platform.close()
    for name in ("index.sqlite", "index.sqlite.lock"):
        (base_dir / ".ivcap" / name).unlink()
    (base_dir / ".ivcap" / "index.sqlite.lock").symlink_to(outside)
    ask("GET", "/1/aspects")
    assert json.loads(outside.read_text()) == SECRET


names = st.text(max_size=40) | st.lists(st.sampled_from(["..", ".", "/", "\\", "~", "a", "\0", "C:", "%2e%2e"])).map(
    "".join
)


@given(name=names)
def test_no_name_leads_out_of_the_directory(name: str) -> None:
    made = Path("/base/artifacts") / safe_name(name, "fallback")
    assert made.parent == Path("/base/artifacts")
    assert made.name not in ("", ".", "..")
    assert not made.name.startswith(".")


@given(kind=st.sampled_from(["job", "artifact", "aspect", "service"]), text=names)
def test_what_is_taken_from_a_urn_is_a_uuid_or_nothing(kind: str, text: str) -> None:
    for spelled in (text, f"urn:ivcap:{kind}:{text}"):
        found = uuid_of(spelled, kind)
        assert found is None or (len(found) == 36 and set(found) <= set("0123456789abcdef-"))


@given(path=names.map(lambda text: f"artifacts/{text}") | names)
def test_a_record_whose_path_leaves_the_artifacts_is_refused(path: str) -> None:
    record = artifact_record.record_of(
        LocalArtifact(
            id="0", name="a", status="ready", size=1, mime_type=None, sha256="", path=None, stamp=0, policy="p",
            collection=None, job=None, created_at=0, modified_at=0, length=1, deferred=False, open_ended=False,
        )
    )  # fmt: skip
    try:
        found = artifact_record.of_record("0", {**record, "path": path})
    except ValueError:
        return
    assert found.path is not None
    assert found.path.startswith("artifacts/")
    assert ".." not in Path(found.path).parts
