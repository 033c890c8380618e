"""Artifacts as files, as data, as archives; what a note beside a file is good for."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import pickle
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from ivcap_client import Artifact, DataUrlArtifact, LocalFileArtifact, TarMember
from ivcap_client.artifact import CMPath, ProxyFile, SafePath, is_data_url, mark_file_already_uploaded, md5sum
from ivcap_client.exception import IvcapError
from tests.congruence.legs import LONG, Leg, Legs

TABLE = b"x,y\n1,2\n3,4\n"


def upload(leg: Leg, **how: Any) -> Artifact:
    made: Artifact = leg.do(leg.ivcap, "upload_artifact", **how)
    return made


def stored(leg: Leg, data: bytes = TABLE, name: str = "t.csv") -> Artifact:
    return upload(leg, name=name, io_stream=io.BytesIO(data))


def everything(leg: Leg, artifact: Artifact, there: Path) -> Any:
    """All that can be done with an artifact's bytes, on any kind of artifact."""
    pieces = list(artifact.as_stream(5)) if leg.runner is None else leg.all(artifact.as_stream_async(5))
    with leg.do(artifact, "open") as file:
        lines = [file.readline(), file.seek(2), file.read(1), file.tell(), file.seek(-2, os.SEEK_END), file.read()]
        rest = file.seek(4), list(file)
    assert file.closed
    kept = leg.do(artifact, "as_local_file", there / "new" / "copy.csv")
    status = artifact.status if leg.runner is None else leg.do(artifact, "status")
    return (
        b"".join(pieces),
        lines,
        rest,
        kept.read_bytes(),
        leg.do(artifact, "part", 4, 3),
        leg.do(artifact, "as_data_url"),
        leg.do(artifact, "refresh").size,
        str(status),
        (artifact.mime_type, artifact.is_tar_file),
    )


def test_every_kind_of_artifact_gives_its_bytes_in_the_same_ways(legs: Legs, tmp_path: Path) -> None:
    file = tmp_path / "t ü%41.csv"
    file.write_bytes(TABLE)
    url = "data:text/csv;base64," + base64.b64encode(TABLE).decode()
    ids = [f"urn:file://{file}", f"file://{quote(str(file))}", f"file://localhost{quote(str(file))}", url, f"urn:{url}"]

    def behaviour(leg: Leg) -> Any:
        found = [leg.do(leg.ivcap, "get_artifact", id) for id in ids]
        told = [everything(leg, each, tmp_path) for each in [stored(leg), *found]]
        assert all(each == told[0] for each in told), told
        return told[0]

    told = legs.same(behaviour)
    assert (told[0], told[3], told[4]) == (TABLE, TABLE, b"1,2")
    assert told[1] == [b"x,y\n", 2, b"y", 3, len(TABLE) - 2, b"4\n"]
    assert told[2] == (4, [b"1,2\n", b"3,4\n"])
    assert told[6:] == (len(TABLE), "ready", ("text/csv", False))


def test_files_and_data_are_described(legs: Legs, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(TABLE)

    def behaviour(leg: Leg) -> Any:
        as_file = leg.do(leg.ivcap, "get_artifact", f"urn:file://{file}")
        as_data = leg.do(leg.ivcap, "get_artifact", "data:text/plain;name=a%20b.txt,hello%21")
        assert isinstance(as_file, LocalFileArtifact)
        assert isinstance(as_data, DataUrlArtifact)
        with leg.do(as_file, "as_local_file") as itself:
            itself.unlink()
        assert (type(itself), itself) == (SafePath, file)
        assert file.exists()
        with leg.do(as_data, "as_local_file") as temporary:
            assert (type(temporary), temporary.read_bytes()) == (CMPath, b"hello!")
        assert not temporary.exists()
        again = pickle.loads(pickle.dumps([as_file, as_data]))
        assert again == [as_file, as_data]
        assert [leg.do(each, "as_bytes") for each in again] == [TABLE, b"hello!"]
        return as_file.id, as_file.etag, as_file.name, as_data.id, as_data.urn, as_data.etag, as_data.name

    data = "data:text/plain;name=a%20b.txt,hello%21"
    md5 = [hashlib.md5(each).hexdigest() for each in (TABLE, b"hello!")]
    assert legs.same(behaviour) == (f"urn:file://{file}", md5[0], "t.csv", data, f"urn:{data}", md5[1], "a b.txt")


def test_statements_about_a_file_are_kept_by_the_client_that_found_it(legs: Legs, tmp_path: Path) -> None:
    (tmp_path / "a b.csv").write_bytes(TABLE)

    def behaviour(leg: Leg) -> Any:
        for id in (f"urn:file://{tmp_path / 'a b.csv'}", f"data:,{uuid.uuid4()}"):
            found = leg.do(leg.ivcap, "get_artifact", id)
            assert leg.do(found, "add_metadata", {"unit": leg.name}, schema="urn:example:unit") is found
            yield next(one.content["unit"] for one in leg.all(found.metadata))

    legs.same(lambda leg: list(behaviour(leg)) == [leg.name] * 2)


def test_without_a_client_they_can_be_read_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(TABLE)
    for made in (LocalFileArtifact(tmp_path / "t.csv"), DataUrlArtifact("data:text/csv,x")):
        assert made.as_bytes()
        with pytest.raises(IvcapError, match="made without a client"):
            list(made.metadata)
        with pytest.raises(IvcapError, match="made without a client"):
            made.add_metadata({"a": 1}, schema="urn:s:1")
        with pytest.raises(IvcapError):
            made.fill(io.BytesIO(b""), size=0)


@pytest.mark.parametrize(
    ("id", "kind"),
    [
        ("file:///no/such/file", "ResourceNotFound"),
        ("urn:file:///", "ResourceNotFound"),
        ("file://elsewhere/x", "InvalidInput"),
        ("urn:file://here.csv", "InvalidInput"),
        ("data:text/plain", "InvalidInput"),
        ("data:;base64,%%%", "InvalidInput"),
        ("urn:data:", "InvalidInput"),
    ],
)
def test_an_id_that_leads_nowhere_is_the_same_error(legs: Legs, id: str, kind: str) -> None:
    assert legs.error(lambda leg: leg.do(leg.ivcap, "get_artifact", id))[0] == kind


def test_ids_of_strangers_open_no_file(legs: Legs, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"x")
    for id in (f"urn:file://{file}", f"file://{file}", "data:,x"):
        kind, _ = legs.error(lambda leg, id=id: leg.do(leg.ivcap, "stored_artifact", id))  # type: ignore[misc]
        assert kind in ("ResourceNotFound", "InvalidInput")


def test_an_archive_is_sent_as_it_is_made_and_unpacked_again(legs: Legs, tmp_path: Path) -> None:
    large = tmp_path / "large.bin"
    large.write_bytes(os.urandom(300_000))
    members = [
        TarMember.from_file(large),
        TarMember.from_file(large, "deep/er/" + "n" * 150 + "ü.bin"),
        TarMember.from_bytes(b"{}", "about.json", mtime=1_000_000_000, mode=0o600),
        TarMember.from_bytes(b"", "empty"),
    ]

    def behaviour(leg: Leg) -> Any:
        made = leg.do(leg.ivcap, "upload_tar_artifact", members, name="study.tar.gz", chunk_size=100_000)
        target, told = tmp_path / leg.name, []
        assert leg.do(made, "untar", target, progress_callback=lambda *now: told.append(now)) == target
        assert (target / "large.bin").read_bytes() == large.read_bytes()
        about = (target / "about.json").stat()
        leg.do(made, "untar", target)  # replaces what is there
        assert told[-1] == (600_002, made.size)
        listed = sorted((path.name, path.stat().st_size) for path in target.rglob("*") if path.is_file())
        return made.is_tar_file, made.mime_type, listed, about.st_mtime, about.st_mode & 0o777

    is_tar, kind, listed, mtime, mode = legs.same(behaviour)
    assert (is_tar, kind, mtime, mode) == (True, "application/gzip", 1_000_000_000, 0o600)
    assert [size for _, size in listed] == [2, 0, 300_000, 300_000]


def test_an_archive_with_a_missing_file_is_not_begun(legs: Legs, tmp_path: Path) -> None:
    members = [TarMember.from_bytes(b"x", "x"), TarMember.from_file(tmp_path / "none")]

    def behaviour(leg: Leg) -> Any:
        before = len(leg.all(leg.ivcap.list_artifacts(limit=None)))
        with pytest.raises(IvcapError, match="is not a file"):
            leg.do(leg.ivcap, "upload_tar_artifact", members)
        return len(leg.all(leg.ivcap.list_artifacts(limit=None))) - before

    assert legs.same(behaviour) == 0


def test_an_archive_whose_file_vanishes_meanwhile_is_never_completed(legs: Legs, tmp_path: Path) -> None:
    def behaviour(leg: Leg) -> Any:
        def members() -> Any:
            yield TarMember.from_bytes(os.urandom(50_000), "x")
            yield TarMember.from_file(tmp_path / "none")

        name = f"{uuid.uuid4()}.tar.gz"
        with pytest.raises(IvcapError, match="cannot be read"):
            leg.do(leg.ivcap, "upload_tar_artifact", members(), name=name, chunk_size=10_000)
        (left,) = leg.all(leg.ivcap.list_artifacts(filter=f"name='{name}'"))
        return left.record.status

    # What went out before the file was missed; no platform takes it for all there is.
    assert legs.same(behaviour) in ("partial", "pending")


def test_what_is_no_archive_is_not_unpacked(legs: Legs, tmp_path: Path) -> None:
    kind, told = legs.error(lambda leg: leg.do(stored(leg), "untar", tmp_path / "none"))
    assert kind == "InvalidInput"
    assert "not a whole tar archive" in told
    assert not (tmp_path / "none").exists()


# Notes beside a file: only deployments have them


@pytest.fixture
def http(legs: Legs) -> list[Leg]:
    return [leg for leg in legs if "http" in leg.name]


def test_a_file_that_a_deployment_has_is_not_sent_again(http: list[Leg], tmp_path: Path) -> None:
    for leg in http:
        file = tmp_path / f"{leg.name}.csv"
        file.write_bytes(leg.name.encode())
        assert leg.do(leg.ivcap, "artifact_for_file", file) is None
        first = upload(leg, file_path=file)
        note = tmp_path / f".ivcap-{file.name}.txt"
        assert note.read_text() == f"{md5sum(file)}|{first.id}\n"
        assert upload(leg, file_path=str(file)) == first
        assert leg.do(leg.ivcap, "artifact_for_file", file) == first
        assert upload(leg, file_path=file, force_upload=True) != first
        file.write_bytes(b"changed")
        assert leg.do(leg.ivcap, "artifact_for_file", file) is None
        assert upload(leg, file_path=file) != first


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\xff\xfe\0",
        b"no line of ours",
        b"{md5}|",
        b"{md5}|urn:x|y",
        b"{md5}|../x",
        b"{md5}|{missing}\n",
        b"\n" * 9,
    ],
)
def test_a_note_that_is_broken_or_another_deployments_is_passed_over(
    http: list[Leg], tmp_path: Path, note: bytes
) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(note or b"empty")
    missing = f"urn:ivcap:artifact:{uuid.uuid4()}"
    text = note.replace(b"{md5}", md5sum(file).encode()).replace(b"{missing}", missing.encode())
    (tmp_path / ".ivcap-a.csv.txt").write_bytes(text)
    leg = http[0]
    made = upload(leg, file_path=file)
    kept = (tmp_path / ".ivcap-a.csv.txt").read_text().splitlines()
    assert kept[0] == f"{md5sum(file)}|{made.id}"
    assert upload(leg, file_path=file) == made
    # What another deployment calls the same file is kept behind ours.
    assert (missing in "".join(kept[1:])) == (b"missing" in note)


def test_an_artifact_that_is_not_there_whole_does_not_count(http: list[Leg], tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(TABLE)
    leg = http[0]
    announced = leg.do(leg.ivcap, "create_artifact", size=len(TABLE), name="a.csv")
    mark_file_already_uploaded(announced.id, file)
    made = upload(leg, file_path=file)
    assert (made.id != announced.id, made.status) == (True, "ready")


KILLED = """
import os, sys
from ivcap_client import IVCAP
def progress(done, total):
    if done >= 8 << 20:
        os._exit(9)
IVCAP(sys.argv[1], "any").upload_artifact(file_path=sys.argv[2], progress_callback=progress)
"""


def test_an_upload_that_was_killed_goes_on_in_another_process(http: list[Leg], tmp_path: Path) -> None:
    file = tmp_path / "large.bin"
    file.write_bytes(os.urandom(20 << 20))
    words = [sys.executable, "-c", KILLED, http[0].ivcap.url, str(file)]
    env = {**os.environ, "PYTHONPATH": os.getcwd()}
    assert subprocess.run(words, env=env, timeout=LONG, check=False).returncode == 9
    begun = list((Path(os.environ["IVCAP_STATE_DIR"]) / "uploads").iterdir())
    told: list[int] = []
    made = upload(http[0], file_path=file, progress_callback=lambda done, total: told.append(done))
    assert told[0] > 8 << 20  # what had arrived was not sent again
    assert told[-1] == 20 << 20
    assert made.as_local_file(tmp_path / "back").read_bytes() == file.read_bytes()
    assert len(begun) == 1
    assert not begun[0].exists()


def test_a_file_that_changed_since_its_upload_was_begun_is_sent_from_the_start(http: list[Leg], tmp_path: Path) -> None:
    file = tmp_path / "large.bin"
    file.write_bytes(os.urandom(20 << 20))
    words = [sys.executable, "-c", KILLED, http[0].ivcap.url, str(file)]
    env = {**os.environ, "PYTHONPATH": os.getcwd()}
    assert subprocess.run(words, env=env, timeout=LONG, check=False).returncode == 9
    file.write_bytes(os.urandom(20 << 20))
    told: list[int] = []
    made = upload(http[0], file_path=file, progress_callback=lambda done, total: told.append(done))
    assert told[0] == 8 << 20
    assert made.as_local_file(tmp_path / "back").read_bytes() == file.read_bytes()


def test_small_things_are_as_documented() -> None:
    assert [is_data_url(id) for id in ("data:,x", "urn:data:,x", "urn:ivcap:artifact:1")] == [True, True, False]
    with ProxyFile(io.BytesIO(b"a\nb\n")) as file:
        assert (file.readable(), file.seekable(), file.readlines()) == (True, True, [b"a\n", b"b\n"])
