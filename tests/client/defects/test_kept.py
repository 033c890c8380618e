"""Archives, files, collections, secrets and orders: what the public SDK gets wrong, and what we do."""

from __future__ import annotations

import contextlib
import io
import json
import re
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ivcap_client import IVCAP, DataUrlArtifact, LocalFileArtifact, LocalIVCAP, TarMember
from ivcap_client.artifact import ArtifactStatus, CMPath
from ivcap_client.exception import InvalidInput, IvcapError, ProtocolError, ServerError
from tests.client.defects.conftest import Table

HERE = Path(__file__).parent
URN = "urn:ivcap:artifact:00000000-0000-0000-0000-000000000001"
LISTED = """
S1 S2 S3 S4 S5 S6 S7 S8  H1 H2 H3 H4 H5 H6 H7 H8 H9 H10 H11 H12
J1 J2 J3 J4 J5 J6 J7 J8 J9 J10 J11 J12 J13 J14 J15 J16 J17 J18 J19 J20 J21  P1 P2 P3 P4 P5 P6
A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11 A12 A13  D1 D2 D3 D4 D5 D6 D7 D8 D9 D10 D11  L1 L2 L3 L4 L5 L6 L7
"""


def test_each_defect_of_the_list_has_its_test() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in HERE.glob("test_*.py"))
    marks = {
        mark.upper() for name in re.findall(r"def test_((?:[a-z]\d+_)+)", source) for mark in name.split("_") if mark
    }
    assert set(LISTED.split()) - marks == set()


def packed(*names: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 1
            archive.addfile(member, io.BytesIO(b"x"))
    return out.getvalue()


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out", "..\\out"])
def test_s1_an_archive_is_never_unpacked_outside_its_directory(local: LocalIVCAP, tmp_path: Path, name: str) -> None:
    archive = local.upload_artifact(name="a.tgz", io_stream=io.BytesIO(packed("fine", name)))
    inside = tmp_path / "deep" / "inside"
    with contextlib.suppress(ProtocolError):  # a name that is only absolute is taken below the directory
        archive.untar(inside)
    assert not [
        path for path in (*tmp_path.rglob("*out"), Path("/out")) if path.exists() and inside not in path.parents
    ]
    with pytest.raises(ProtocolError):
        local.upload_artifact(name="b.tgz", io_stream=io.BytesIO(packed("a", "b"))).untar(tmp_path / "x", max_bytes=1)


def test_s6_urns_cannot_change_the_path_expression_they_stand_in(ivcap: IVCAP, table: Table) -> None:
    table("GET", "/1/aspects", {"items": [], "links": []})
    item = 'urn:x:" || true || @=="y'
    try:
        ivcap.remove_from_collection("urn:c:1", item)
    except InvalidInput:
        return  # refused altogether
    from urllib.parse import parse_qs, urlsplit

    path = parse_qs(urlsplit(table.asked("GET")[0].path).query)["content-path"][0]
    assert json.dumps(item) in path


def test_h1_an_upload_of_an_archive_that_fails_ends(ivcap: IVCAP, table: Table) -> None:
    table("POST", "/1/artifacts", {"id": URN, "data-href": "/1/artifacts/1/blob"}, status=201)
    table("PATCH", "/1/artifacts/1/blob", {"message": "no"}, status=507)
    members = [TarMember.from_bytes(bytes(5_000_000), "a.bin")]
    with pytest.raises(ServerError):
        ivcap.upload_tar_artifact(members, retries=0)


def test_h2_a_missing_member_is_told_before_anything_is_sent(ivcap: IVCAP, table: Table, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="gone"):
        ivcap.upload_tar_artifact([TarMember.from_bytes(b"x", "a"), TarMember.from_file(tmp_path / "gone")])
    assert table.asked("PATCH") == []


def test_h9_an_open_artifact_is_fetched_in_parts(ivcap: IVCAP, table: Table) -> None:
    size = 50_000_000
    table("GET", "/1/artifacts/urn", {"id": URN, "status": "ready", "size": size, "data-href": "/1/artifacts/1/blob"})
    table("GET", "/1/artifacts/1/blob", b"x" * 262_144, status=206, Content_Range=f"bytes 0-262143/{size}")
    with ivcap.get_artifact(URN).open() as file:
        assert file.read(10) == b"x" * 10
    assert all("range" in asked.headers for asked in table.asked("GET", "/1/artifacts/1/blob"))


def test_p4_a_large_collection_is_retracted_whole(local: LocalIVCAP) -> None:
    local.create_collection("urn:c:1", "C")
    for number in range(55):
        local.add_to_collection("urn:c:1", f"urn:i:{number}")
    assert local.retract_collection("urn:c:1") == 56
    assert list(local.list_aspects(entity="urn:c:1")) == []


@pytest.mark.parametrize("how", [{"order_by": "name"}, {"order_desc": True}, {"at_time": datetime.now(UTC)}])
def test_p5_what_cannot_be_done_for_secrets_is_refused_and_not_dropped(ivcap: IVCAP, how: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        list(ivcap.list_secrets(**how))


@pytest.mark.parametrize("note", ["0" * 32 + "|" + URN + "\n", "nonsense", "\0\xff", ""])
def test_a6_a_foreign_or_broken_note_beside_a_file_is_passed_over(
    local: LocalIVCAP, ivcap: IVCAP, table: Table, tmp_path: Path, note: str
) -> None:
    file = tmp_path / "x.csv"
    file.write_text("a\n1\n")
    (tmp_path / ".ivcap-x.csv.txt").write_text(note)
    assert ivcap.artifact_for_file(file) is None
    (tmp_path / ".ivcap-x.csv.txt").write_text(f"{__import__('hashlib').md5(file.read_bytes()).hexdigest()}|{URN}\n")
    table("GET", "/1/artifacts/", {"id": URN, "message": "another deployment's"}, status=404)
    assert ivcap.artifact_for_file(file) is None


def test_a9_a_temporary_file_that_is_gone_is_no_reason_to_print(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with CMPath(tmp_path / "gone"):
        pass
    assert capsys.readouterr() == ("", "")


def test_a10_a_file_is_an_artifact_like_any_other(tmp_path: Path) -> None:
    file = tmp_path / "grün 1.txt"
    file.write_bytes(b"text")
    for name in (file.as_uri(), f"urn:{file.as_uri()}", str(file)):
        artifact = LocalFileArtifact(name)
        assert artifact.id == f"urn:file://{file}"
        assert b"".join(artifact.as_stream()) == artifact.open().read() == b"text"
        assert artifact.as_local_file(tmp_path / "copy").read_bytes() == b"text"
        assert artifact.urn.startswith("urn:file://")
        assert artifact.etag
    with pytest.raises(IvcapError):
        LocalFileArtifact(tmp_path / "gone")


def test_a11_a12_every_kind_of_artifact_has_the_same_parts(local: LocalIVCAP, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    stored = local.upload_artifact(name="x", io_stream=io.BytesIO(b"x"))
    for artifact in (DataUrlArtifact("data:text/plain;base64,eA=="), LocalFileArtifact(tmp_path / "x"), stored):
        assert artifact.status is ArtifactStatus.READY
        assert artifact.status.value == "ready"
        assert (artifact.as_bytes(), artifact.size) == (b"x", 1)
        for name in ("metadata", "add_metadata", "refresh", "as_data_url", "untar"):
            assert hasattr(type(artifact), name)


def test_d5_a_description_can_be_cleared_and_items_are_listed(local: LocalIVCAP) -> None:
    made = local.create_collection("urn:c:1", "C", description="d")
    made.add_item("urn:i:1")
    assert local.create_collection("urn:c:1", "C").refresh().description is None
    assert [one.item for one in local.get_collection("urn:c:1").items()] == ["urn:i:1"]


ORDER = "urn:ivcap:order:00000000-0000-0000-0000-000000000001"


def test_d6_d7_an_order_has_its_times_and_its_metadata(ivcap: IVCAP, table: Table) -> None:
    told = {"id": ORDER, "status": "succeeded", "ordered-at": "2024-01-01T00:00:00Z", "parameters": []}
    table("GET", "/1/orders/", {**told, "started-at": "2024-01-01T00:00:01Z"})
    table("POST", "/1/aspects", {"id": "urn:ivcap:aspect:1"})
    table(
        "GET",
        "/1/aspects",
        {"items": [{"id": "urn:ivcap:aspect:1", "entity": ORDER, "schema": "urn:s:1"}], "links": []},
    )
    order = ivcap.get_order(ORDER).refresh()
    assert order.ordered_at == datetime(2024, 1, 1, tzinfo=UTC)
    assert order.started_at == datetime(2024, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert order.add_metadata({"a": 1}, schema="urn:s:1") is order
    assert [one.id for one in order.metadata()] == ["urn:ivcap:aspect:1"]


def test_d8_secrets_are_read_and_set(ivcap: IVCAP, table: Table) -> None:
    table("GET", "/1/secrets?", {"secret-name": "s", "secret-value": "a-hash", "expiry-time": 0})
    table("POST", "/1/secrets", status=204)
    assert ivcap.get_secret("s").secret_value == "a-hash"
    assert ivcap.set_secret("s", "the value").secret_value == "a-hash"
    assert json.loads(table.asked("POST")[0].body)["secret-value"] == "the value"
