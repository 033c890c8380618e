"""Downloads are whole or not there."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivcap_client._core.artifacts import ArtifactRecord
from ivcap_client._core.messages import Request
from ivcap_client._core.port import run
from ivcap_client._core.resuming import Reading
from ivcap_client._io import downloads
from ivcap_client.exception import IvcapConnectionError, ProtocolError, ServerError
from tests.core.scripted import Answer, Scripted, Stream, ok

DATA = bytes(range(256)) * 40


def record(size: int | None = len(DATA), **more: Any) -> ArtifactRecord:
    return ArtifactRecord("urn:ivcap:artifact:1", "ready", size=size, data_href="/1/blob", **more)


def stream(data: bytes = DATA, status: int = 200, piece: int = 1000, **headers: str) -> Stream:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Stream(*(data[n : n + piece] for n in range(0, len(data), piece)), status=status, headers=named)


def test_a_download_is_a_new_file_with_the_usual_permissions(tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    port = Scripted([stream()])
    path = run(downloads.to_file(port, record(), tmp_path / "x", progress=lambda *now: told.append(now)))
    (tmp_path / "usual").touch()
    assert (path.read_bytes(), os.listdir(tmp_path)) in [(DATA, ["x", "usual"]), (DATA, ["usual", "x"])]
    assert path.stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert told[-1] == (len(DATA), len(DATA))
    assert port.closed == 1


@pytest.mark.parametrize(
    "answer",
    [
        stream(DATA[:-1]),
        stream(DATA + b"x"),
        stream(DATA[:-1], content_length=str(len(DATA))),
        Stream(DATA[:100], IvcapConnectionError("dropped"), headers={}),
        Stream(DATA[:100], KeyboardInterrupt(), headers={}),
        ok(status=500),
    ],
)
def test_a_download_that_fails_keeps_the_file_that_was_there_and_leaves_nothing(tmp_path: Path, answer: Answer) -> None:
    there = tmp_path / "x"
    there.write_bytes(b"before")
    with pytest.raises((IvcapConnectionError, ServerError, KeyboardInterrupt)):
        run(downloads.to_file(Scripted([answer] * 5), record(), there))
    assert there.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["x"]


class Cut:
    """Bytes behind a line that is cut after so many of them, again and again; with or without ranges."""

    def __init__(self, data: bytes, cuts: list[int], *, ranges: bool, etag: str = '"a"', size: bool = True) -> None:
        self.data, self.cuts, self.ranges, self.etag, self.size = data, list(cuts), ranges, etag, size
        self.asked: list[str] = []

    def __call__(self, request: Request) -> Any:
        wanted = request.headers.get("range", "")
        self.asked.append(wanted)
        # As a platform does: with a mark that is not the present one, everything comes.
        current = request.headers.get("if-range", self.etag) == self.etag
        first = int(wanted[len("bytes=") :].split("-")[0]) if wanted and self.ranges and current else 0
        rest = self.data[first:]
        headers = {"etag": self.etag} if self.etag else {}
        headers |= {"content-length": str(len(rest))} if self.size else {}
        headers |= {"content-range": f"bytes {first}-{len(self.data) - 1}/{len(self.data)}"} if first else {}
        cut = self.cuts.pop(0) if self.cuts else len(rest)
        broken = [] if cut >= len(rest) else [IvcapConnectionError("the line broke")]
        return Stream(rest[:cut], *broken, status=206 if first else 200, headers=headers)


@given(
    data=st.binary(min_size=1, max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=3),
    ranges=st.booleans(),
    etag=st.sampled_from(['"a"', 'W/"a"', ""]),
    size=st.booleans(),
    piece=st.integers(1, 70),
)
@settings(max_examples=300)
def test_a_download_cut_anywhere_is_the_same_bytes(
    data: bytes, cuts: list[int], ranges: bool, etag: str, size: bool, piece: int
) -> None:
    line = Cut(data, cuts, ranges=ranges, etag=etag, size=size)
    reading = Reading(Scripted([line]), record(len(data)))

    async def read() -> bytes:
        await reading.open()
        whole = b""
        while part := await reading.read(piece):
            assert len(part) <= piece
            whole += part
        return whole

    assert run(read()) == data
    first = len(data) // 3
    again = Cut(data, cuts, ranges=ranges, etag=etag, size=size)
    assert run(downloads.part(Scripted([again]), record(len(data)), first, 20)) == data[first : first + 20]


def test_a_download_goes_on_by_range_and_fetches_nothing_twice(tmp_path: Path) -> None:
    line = Cut(DATA, [1000, 2500], ranges=True)
    path = run(downloads.to_file(Scripted([line]), record(), tmp_path / "x"))
    assert path.read_bytes() == DATA
    assert line.asked == ["", "bytes=1000-", "bytes=3500-"]


def test_bytes_that_change_while_they_are_read_are_refused() -> None:
    line = Cut(DATA, [1000], ranges=True)

    def changing(request: Request) -> Any:
        answer = line(request)
        line.etag = '"b"'
        return answer

    with pytest.raises(ProtocolError, match="changed while it was read"):
        run(downloads.to_bytes(Scripted([changing]), record(), most=len(DATA)))


def test_more_bytes_than_promised_stop_the_download_at_once(tmp_path: Path) -> None:
    port = Scripted([Stream(DATA, DATA, DATA, headers={})])
    with pytest.raises(IvcapConnectionError, match="more came"):
        run(downloads.to_file(port, record(len(DATA) + 1), tmp_path / "x"))
    assert os.listdir(tmp_path) == []
    assert len(port.sent) == 1


def test_a_directory_that_cannot_be_made_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    port = Scripted([stream()])
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        run(downloads.to_file(port, record(), tmp_path / "file" / "x"))
    assert port.sent == []
    assert run(downloads.to_file(port, record(), tmp_path / "made" / "here")).read_bytes() == DATA


@pytest.mark.parametrize("kind", ["md5", "sha256"])
@pytest.mark.parametrize("quoted", [True, False])
def test_what_came_is_compared_with_an_etag_that_is_a_digest(tmp_path: Path, kind: str, quoted: bool) -> None:
    etag = hashlib.new(kind, DATA).hexdigest()
    etag = f'"{etag}"' if quoted else etag
    assert run(downloads.to_file(Scripted([stream()]), record(etag=etag), tmp_path / "a")).read_bytes() == DATA
    assert run(downloads.to_bytes(Scripted([stream(etag=etag)]), record(), most=len(DATA))) == DATA
    other = b"!" + DATA[1:]
    with pytest.raises(IvcapConnectionError, match=f"{kind} differs"):
        run(downloads.to_file(Scripted([stream(other)]), record(etag=etag), tmp_path / "b"))
    assert not (tmp_path / "b").exists()
    with pytest.raises(IvcapConnectionError, match=f"{kind} differs"):
        run(downloads.to_bytes(Scripted([stream(other, etag=etag)]), record(), most=len(DATA)))


@pytest.mark.parametrize("piece", [1 << 20, 60_000])
def test_what_is_large_is_compared_too_and_leaves_no_thread(tmp_path: Path, piece: int) -> None:
    large = DATA * 1000
    etag, before = hashlib.sha256(large).hexdigest(), threading.active_count()
    answers = [
        stream(large, piece=piece),
        stream(large[:-1] + b"!", piece=piece),
        stream(large[:-5], piece=piece),
    ]
    ours = record(len(large), etag=etag)
    assert run(downloads.to_file(Scripted([answers[0]]), ours, tmp_path / "a")).read_bytes() == large
    for answer in answers[1:]:
        with pytest.raises(IvcapConnectionError):
            run(downloads.to_file(Scripted([answer] * 5), ours, tmp_path / "b"))
    assert threading.active_count() == before


@pytest.mark.parametrize("etag", ["", "v1", 'W/"' + 32 * "0" + '"', 33 * "0", "x" * 32])
def test_an_etag_of_another_form_says_nothing_about_the_bytes(etag: str) -> None:
    assert run(downloads.to_bytes(Scripted([stream(etag=etag)]), record(etag=etag), most=len(DATA))) == DATA


def test_without_a_path_it_is_a_temporary_file() -> None:
    path = run(downloads.to_file(Scripted([stream()]), record(), None))
    try:
        assert path.read_bytes() == DATA
        assert path.stat().st_mode & 0o077 == 0
    finally:
        path.unlink()


def test_bytes_are_bounded_before_and_while_they_come() -> None:
    assert run(downloads.to_bytes(Scripted([stream()]), record(), most=len(DATA))) == DATA
    for size in (len(DATA), None):
        port = Scripted([stream()])
        with pytest.raises(ProtocolError, match="5000"):
            run(downloads.to_bytes(port, record(size), most=5000))
        assert port.closed == 1


@pytest.mark.parametrize(
    ("first", "length"), [(0, 1), (0, len(DATA)), (5, 10), (999, 2), (len(DATA) - 3, 100), (5000, 0), (len(DATA), 1)]
)
@pytest.mark.parametrize("ranges", [True, False])
def test_a_part_is_the_same_whether_the_platform_has_ranges_or_not(first: int, length: int, ranges: bool) -> None:
    part = DATA[first : first + length]
    answer = (
        stream(part, 206, content_range=f"bytes {first}-{first + len(part) - 1}/{len(DATA)}") if ranges else stream()
    )
    for size in (len(DATA), None):
        assert run(downloads.part(Scripted([answer]), record(size), first, length)) == part


def test_a_part_of_another_place_is_refused() -> None:
    with pytest.raises(ProtocolError):
        run(downloads.part(Scripted([stream(DATA[:5], 206, content_range="bytes 0-4/10240")]), record(), 5, 5))


def test_a_part_beyond_the_end_is_empty() -> None:
    assert run(downloads.part(Scripted([ok(status=416)]), record(None), 5, 5)) == b""


def test_an_artifact_without_data_says_so() -> None:
    with pytest.raises(ProtocolError, match="pending"):
        run(downloads.to_bytes(Scripted(), ArtifactRecord("urn:x:1", "pending"), most=5))
