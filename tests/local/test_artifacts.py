"""What a client sees of `/1/artifacts` and of uploads and downloads."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivcap_client._core.messages import Request
from ivcap_client._local.platform import LocalPlatform

Asker = Any


class Line:
    """A connection that delivers some bytes and then breaks."""

    def __init__(self, data: bytes, cut: int | None = None, piece: int = 7) -> None:
        self._data, self._cut, self._piece, self._at = data, cut, piece, 0

    def read(self, size: int, /) -> bytes:
        if self._cut is not None and self._at >= self._cut:
            raise ConnectionResetError("the line is dead")
        end = min(
            self._at + min(size, self._piece), len(self._data), len(self._data) if self._cut is None else self._cut
        )
        piece = self._data[self._at : end]
        self._at = end
        return piece


def blob(ask: Asker, artifact: dict[str, Any], **headers: str) -> Any:
    return ask("GET", artifact["data-href"], headers=headers)


def test_an_upload_becomes_a_file_under_its_name_and_never_overwrites(ask: Asker, base_dir: Path) -> None:
    first, second = ask.upload(b"one", "used.csv"), ask.upload(b"two", "used.csv")
    assert (base_dir / "artifacts" / "used.csv").read_bytes() == b"one"
    assert (base_dir / "artifacts" / "used (2).csv").read_bytes() == b"two"
    assert first["name"] == second["name"] == "used.csv"
    assert first["status"] == "ready"
    assert first["size"] == 3
    assert first["etag"] == hashlib.sha256(b"one").hexdigest()
    assert blob(ask, second).body == b"two"
    assert os.listdir(base_dir / ".ivcap" / "uploads") == []


def test_creating_answers_what_clients_need(ask: Asker) -> None:
    reply = ask(
        "POST", "/1/artifacts", headers={"X-Name": "cGxhaW4=", "X-Content-Type": "text/csv", "X-Content-Length": "5"}
    )
    body = json.loads(reply.body)
    assert reply.status == 201
    assert reply.headers["upload-offset"] == "0"
    assert reply.headers["tus-resumable"] == "1.0.0"
    assert body["status"] == "pending"
    assert body["name"] == "plain"
    assert body["mime-type"] == "text/csv"
    uuid = body["id"].rpartition(":")[2]
    assert body["data-href"] == f"http://ivcap.localhost/1/artifacts/{uuid}/blob"
    other = ask("POST", "/1/artifacts", headers={"x-name": "not base64!", "x-base-url": "http://127.0.0.1:8080"})
    assert json.loads(other.body)["name"] == "not base64!"
    assert json.loads(other.body)["data-href"].startswith("http://127.0.0.1:8080/1/artifacts/")


def test_an_artifact_of_size_0_is_ready_at_once(ask: Asker, base_dir: Path) -> None:
    made = ask.create("empty.txt", 0)
    assert made["status"] == "ready"
    assert made["size"] == 0
    assert (base_dir / "artifacts" / "empty.txt").read_bytes() == b""
    assert blob(ask, made).status == 200


def test_known_length_is_ready_at_the_end_and_partial_before(ask: Asker) -> None:
    made = ask.create("a", 6)
    assert ask.patch(made["data-href"], 0, b"").status == 204
    (begun,) = ask.json("GET", "/1/artifacts", filter="status = pending")["items"]
    assert (begun["id"], begun["status"]) == (made["id"], "pending"), "no byte has come"
    reply = ask.patch(made["data-href"], 0, b"abc")
    assert (reply.status, reply.headers["upload-offset"]) == (204, "3")
    read = ask.json("GET", "/1/artifacts/" + made["id"])
    assert read["status"] == "partial"
    assert ask.json("GET", "/1/artifacts", filter="status = partial")["items"][0]["id"] == made["id"]
    head = ask("HEAD", made["data-href"])
    assert head.status == 200
    assert head.headers["upload-offset"] == "3"
    assert head.headers["upload-length"] == "6"
    assert head.headers["cache-control"] == "no-store"
    assert blob(ask, made).status == 404
    assert ask.patch(made["data-href"], 3, b"def").headers["upload-offset"] == "6"
    assert blob(ask, made).body == b"abcdef"
    # The reply to the last PATCH was lost: the client asks, or sends an empty one.
    assert ask("HEAD", made["data-href"]).headers["upload-offset"] == "6"
    assert ask.patch(made["data-href"], 6, b"").status == 204


def test_a_stream_of_unknown_length_is_ready_after_each_patch(ask: Asker, base_dir: Path) -> None:
    made = ask.create("s.bin", -1)
    ask.patch(made["data-href"], 0, b"abc")
    assert blob(ask, made).body == b"abc"
    assert ask("HEAD", made["data-href"]).headers["upload-defer-length"] == "1"
    assert ask.patch(made["data-href"], 3, Line(b"def")).headers["upload-offset"] == "6"
    assert blob(ask, made).body == b"abcdef"
    assert os.listdir(base_dir / "artifacts") == ["s.bin"]
    assert ask.json("GET", "/1/artifacts/" + made["id"])["etag"] == hashlib.sha256(b"abcdef").hexdigest()
    assert ask.patch(made["data-href"], 6, None, upload_length="6").status == 204
    assert ask.patch(made["data-href"], 6, b"more").status == 409


def test_a_deferred_length_ends_with_an_empty_patch(ask: Asker) -> None:
    made = ask.create("d.bin", -1)
    ask.patch(made["data-href"], 0, b"abc", upload_defer_length="1")
    assert ask.json("GET", "/1/artifacts/" + made["id"])["status"] == "partial"
    reply = ask.patch(made["data-href"], 3, None, upload_length="3")
    assert (reply.status, reply.headers["upload-offset"]) == (204, "3")
    assert ask.json("GET", "/1/artifacts/" + made["id"])["status"] == "ready"


def test_the_upload_of_a_tar_starts_with_a_post(ask: Asker) -> None:
    made = ask.create("t.tar.gz", -1)
    reply = ask("POST", made["data-href"], headers={"upload-defer-length": "1"})
    assert reply.status == 201
    href = reply.headers["location"]
    assert href == made["data-href"]
    ask.patch(href, 0, b"abc")
    assert ask.json("GET", "/1/artifacts/" + made["id"])["status"] == "partial"
    ask.patch(href, 3, b"def", upload_length="6")
    assert ask.json("GET", "/1/artifacts/" + made["id"])["status"] == "ready"


def test_a_wrong_offset_and_too_many_bytes_are_refused_and_change_nothing(ask: Asker) -> None:
    made = ask.create("a", 4)
    ask.patch(made["data-href"], 0, b"ab")
    assert ask.patch(made["data-href"], 0, b"xx").status == 409
    assert ask.patch(made["data-href"], 3, b"x").status == 409
    assert ask.patch(made["data-href"], 2, b"xxx").status == 413
    assert ask.patch(made["data-href"], 2, Line(b"xxxxxxxxxxx", piece=1)).status == 413
    assert ask("PATCH", made["data-href"], b"x").status == 422
    assert ask.patch(made["data-href"], 2, b"cd").status == 204
    assert blob(ask, made).body == b"abcd"


@given(
    data=st.binary(min_size=1, max_size=80),
    cuts=st.lists(st.integers(0, 40), max_size=5),
    known=st.booleans(),
    restart=st.booleans(),
)
@settings(max_examples=40)
def test_an_upload_delivers_every_byte_once_whatever_is_lost(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, cuts: list[int], known: bool, restart: bool
) -> None:
    base = tmp_path_factory.mktemp("base")
    platform = LocalPlatform(base, known=lambda: ())
    length = {"x-content-length": str(len(data) if known else -1), "upload-defer-length": "0" if known else "1"}
    made = json.loads(platform.handle(Request("POST", "/1/artifacts", headers=length)).body)
    href = made["data-href"]
    for cut in cuts:
        at = int(platform.handle(Request("HEAD", href)).headers["upload-offset"])
        request = Request("PATCH", href, headers={"upload-offset": str(at)}, body=Line(data[at:], cut))
        if cut <= len(data) - at:
            with pytest.raises(ConnectionResetError):
                platform.handle(request)
        else:
            platform.handle(request)
            break
        if restart:
            platform.close()
            platform = LocalPlatform(base, known=lambda: ())
    at = int(platform.handle(Request("HEAD", href)).headers["upload-offset"])
    headers = {"upload-offset": str(at), "upload-length": str(len(data))}
    assert platform.handle(Request("PATCH", href, headers=headers, body=data[at:])).status == 204
    body = platform.open(Request("GET", href))
    assert body.headers["etag"] == f'"{hashlib.sha256(data).hexdigest()}"'
    assert body.read(1000) == data
    body.close()
    platform.close()


def test_an_old_connection_that_wakes_up_cannot_damage_the_upload(ask: Asker) -> None:
    made = ask.create("a", 6)

    class Sleeper:
        step = 0

        def read(self, size: int, /) -> bytes:
            self.step += 1
            if self.step == 1:
                return b"ab"
            if self.step == 2:
                # Meanwhile the client has connected again and goes on.
                assert ask.patch(made["data-href"], 2, b"cd").status == 204
                return b"XY"
            return b""

    assert ask.patch(made["data-href"], 0, Sleeper()).status == 409
    assert ask.patch(made["data-href"], 4, b"ef").status == 204
    assert blob(ask, made).body == b"abcdef"


def test_ranges_etags_and_lengths(ask: Asker) -> None:
    made = ask.upload(b"0123456789", "d.txt", x_content_type="text/plain")
    whole = blob(ask, made)
    assert whole.status == 200
    assert whole.headers["content-length"] == "10"
    assert whole.headers["content-type"] == "text/plain"
    etag = whole.headers["etag"]
    for text, status, body in (
        ("bytes=0-3", 206, b"0123"),
        ("bytes=4-", 206, b"456789"),
        ("bytes=-2", 206, b"89"),
        ("bytes=8-99", 206, b"89"),
        ("bytes=-99", 206, b"0123456789"),
        ("bytes=0-1,3-4", 200, b"0123456789"),
        ("lines=1-2", 200, b"0123456789"),
        ("bytes=5-2", 200, b"0123456789"),
    ):
        reply = blob(ask, made, Range=text)
        assert (reply.status, reply.body) == (status, body), text
    assert blob(ask, made, range="bytes=2-3").headers["content-range"] == "bytes 2-3/10"
    for text in ("bytes=10-", "bytes=-0", "bytes=99-100"):
        reply = blob(ask, made, range=text)
        assert (reply.status, reply.headers["content-range"]) == (416, "bytes */10")
    assert blob(ask, made, if_none_match="x").status == 200
    assert ask("GET", made["data-href"], headers={"if-none-match": etag}).status == 304
    assert ask("GET", made["data-href"], headers={"if-range": '"old"', "range": "bytes=0-1"}).status == 200
    body = ask.platform.open(Request("GET", made["data-href"], headers={"range": "bytes=2-7"}))
    assert body.status == 206
    assert [body.read(4), body.read(4), body.read(4)] == [b"2345", b"67", b""]
    body.close()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("nonsense", "urn:ivcap:artifact:nonsense"),
        ("urn:ivcap:artifact:not one", "urn:ivcap:artifact:not%20one"),
        ("urn:ivcap:artifact:grün", "urn:ivcap:artifact:gr%C3%BCn"),
        ("urn:ivcap:artifact:11111111-0000-4000-8000-000000000001", None),
    ],
)
def test_what_is_missing_is_named_as_a_urn_that_begins_once(ask: Asker, asked: str, told: str | None) -> None:
    for spelled in (quote(asked, safe=""), quote(asked, safe=":")):
        assert ask.refused(404, "GET", f"/1/artifacts/{spelled}")["id"] == (told or asked)


def test_a_file_edited_by_hand_is_hashed_again(ask: Asker, base_dir: Path) -> None:
    made = ask.upload(b"before", "e.txt")
    path = base_dir / "artifacts" / "e.txt"
    path.write_bytes(b"after it")
    os.utime(path, ns=(1, 1))
    reply = blob(ask, made)
    assert reply.body == b"after it"
    assert reply.headers["etag"] == f'"{hashlib.sha256(b"after it").hexdigest()}"'
    assert ask.json("GET", "/1/artifacts/" + made["id"])["size"] == 8
    path.unlink()
    assert ask.json("GET", "/1/artifacts/" + made["id"])["status"] == "error"
    assert blob(ask, made).status == 404


def test_a_file_path_inside_resolves_and_outside_does_not(ask: Asker, base_dir: Path, tmp_path: Path) -> None:
    made = ask.upload(b"x", "in side.txt")
    path = base_dir / "artifacts" / "in side.txt"
    for spelled in (f"urn:file://{path}", f"urn:file://{quote(str(path))}"):
        assert ask.json("GET", "/1/artifacts/" + quote(spelled, safe=""))["id"] == made["id"]
    hand = base_dir / "artifacts" / "hand.csv"
    hand.write_bytes(b"1,2")
    assert len(ask.json("GET", "/1/artifacts")["items"]) == 1
    found = ask.json("GET", "/1/artifacts/" + quote(f"urn:file://{hand}", safe=""))
    assert found["mime-type"] == "text/csv"
    assert blob(ask, found).body == b"1,2"
    assert len(ask.json("GET", "/1/artifacts")["items"]) == 2
    outside = tmp_path / "secret"
    outside.write_text("s")
    (base_dir / "artifacts" / "link").symlink_to(outside)
    for path in (outside, base_dir / "artifacts" / ".." / ".." / "secret", base_dir / "artifacts" / "link"):
        ask.refused(404, "GET", "/1/artifacts/" + quote(f"urn:file://{path}", safe=""))


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "..\\..\\x", "", "CON", "a\0b", "x" * 500 + ".csv", ".ssh", "ü\u202e.txt"]
)
def test_names_stay_inside(ask: Asker, base_dir: Path, name: str) -> None:
    ask.upload(b"1", name)
    (found,) = os.listdir(base_dir / "artifacts")
    assert (base_dir / "artifacts" / found).read_bytes() == b"1"
    assert sorted(os.listdir(base_dir)) == [".ivcap", "artifacts", "aspects"]


def test_a_full_disk_answers_507_and_the_upload_goes_on_later(
    ask: Asker, monkeypatch: pytest.MonkeyPatch, base_dir: Path
) -> None:
    made = ask.create("big.bin", 6)
    ask.patch(made["data-href"], 0, b"ab")
    write = os.write

    def full(handle: int, data: Any) -> int:
        if os.readlink(f"/proc/self/fd/{handle}").endswith(".part"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, data)

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        reply = ask.patch(made["data-href"], 2, b"cdef")
    assert reply.status == 507
    assert "no space" in json.loads(reply.body)["message"]
    assert os.listdir(base_dir / "artifacts") == []
    at = int(ask("HEAD", made["data-href"]).headers["upload-offset"])
    assert ask.patch(made["data-href"], at, b"abcdef"[at:]).status == 204
    assert blob(ask, made).body == b"abcdef"


def test_a_crash_between_record_and_move_is_finished_by_the_next_reader(
    ask: Asker, base_dir: Path, opened: Callable[..., Asker], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Stands for the end of the process."""

    made = ask.create("k.bin", 3)

    def dies(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("ivcap_client._local.artifact_store.place", dies)
        with pytest.raises(Killed):
            ask.patch(made["data-href"], 0, b"abc")
    again = opened(base_dir)
    assert again.json("GET", "/1/artifacts/" + made["id"])["status"] == "ready"
    assert (base_dir / "artifacts" / "k.bin").read_bytes() == b"abc"
    assert blob(again, made).body == b"abc"


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path, opened: Callable[..., Asker]) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    ask = opened(blocked / "base")
    reply = ask("POST", "/1/aspects", b"{}", entity="urn:e", schema="urn:s")
    assert reply.status in (403, 500)
    assert str(blocked) in json.loads(reply.body)["message"]
    assert ask.json("GET", "/1/aspects")["items"] == []


def test_artifacts_are_listed_newest_first_and_paged(ask: Asker) -> None:
    ids = [
        ask.upload(b"x", f"{n}.txt", ivcap_job_id="urn:ivcap:job:00000000-0000-0000-0000-000000000001")["id"]
        for n in range(5)
    ]
    reply = ask.json("GET", "/1/artifacts", limit="3")
    assert [item["id"] for item in reply["items"]] == ids[:1:-1]
    assert "data-href" not in reply["items"][0]
    (href,) = [link["href"] for link in reply["links"] if link["rel"] == "next"]
    assert [item["id"] for item in ask.json("GET", href)["items"]] == ids[1::-1]
    assert [i["name"] for i in ask.json("GET", "/1/artifacts", filter="name ~= '3%'")["items"]] == ["3.txt"]
    made = ask.aspects(schema="urn:ivcap:schema:order-produced-artifact.1", include_content="true")
    assert {fact["content"]["artifact"] for fact in made} == set(ids)
    facts = ask.aspects(schema="urn:ivcap:schema.artifact.1", entity=ids[0], include_content="true")
    assert facts[0]["content"]["name"] == "0.txt"
    ask.refused(403, "DELETE", f"/1/aspects/{facts[0]['id']}")
