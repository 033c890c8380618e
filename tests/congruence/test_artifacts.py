"""Artifacts, the same on every way to a platform."""

from __future__ import annotations

import io
import os
import random
import uuid
from pathlib import Path
from typing import Any

import pytest

from ivcap_client.exception import ArtifactTooLargeForDataUrlError
from tests.congruence.legs import Leg, Legs

DATA = random.Random(5).randbytes(100_000)
LARGE = random.Random(6).randbytes(20 * 1024 * 1024)
MISSING = f"urn:ivcap:artifact:{uuid.UUID(int=5)}"


class OneWay(io.RawIOBase):
    """A stream that tells neither size nor place."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        return self._data.read(size)


def upload(leg: Leg, **how: Any) -> Any:
    return leg.do(leg.ivcap, "upload_artifact", **how)


def facts(artifact: Any) -> tuple[object, ...]:
    return artifact.size, artifact.mime_type, artifact.record.status, artifact.urn.startswith("urn:ivcap:artifact:")


@pytest.mark.parametrize("data", [b"", b"x", DATA], ids=["empty", "one byte", "some"])
def test_a_file_arrives_as_it_is(legs: Legs, tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "grün und blau.csv"
    file.write_bytes(data)

    def behaviour(leg: Leg) -> Any:
        told: list[tuple[int, int | None]] = []
        made = upload(leg, file_path=file, force_upload=True, progress_callback=lambda *now: told.append(now))
        read = leg.do(leg.ivcap, "get_artifact", made.urn)
        assert leg.do(read, "as_bytes") == data
        return facts(made), facts(read), read.name, told[-1:]

    made, read, name, told = legs.same(behaviour)
    assert made == read == (len(data), "text/csv", "ready", True)
    assert name == "grün und blau.csv"
    assert told == ([(len(data), len(data))] if data else [])


@pytest.mark.parametrize("make", [io.BytesIO, OneWay])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("size", [0, 9_000, 10_000])
def test_a_stream_arrives_as_it_is(legs: Legs, make: Any, known: bool, size: int) -> None:
    def behaviour(leg: Leg) -> Any:
        size_known = {"content_size": size} if known else {}
        made = upload(leg, name="s.bin", io_stream=make(DATA[:size]), chunk_size=5_000, **size_known)
        assert leg.do(made, "as_bytes") == DATA[:size]
        return facts(made)

    assert legs.same(behaviour) == (size, "application/octet-stream", "ready", True)


def test_a_stream_is_read_from_where_it_stands(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        stream = io.BytesIO(b"head and tail")
        stream.seek(9)
        return leg.do(upload(leg, name="t", io_stream=stream, content_type="text/plain"), "as_bytes")

    assert legs.same(behaviour) == b"tail"


def test_a_large_file_travels_in_chunks(legs: Legs, tmp_path: Path) -> None:
    file = tmp_path / "large.bin"
    file.write_bytes(LARGE)

    def behaviour(leg: Leg) -> Any:
        told: list[int] = []
        made = upload(leg, file_path=file, force_upload=True, progress_callback=lambda now, of: told.append(now))
        back = leg.do(made, "as_local_file", tmp_path / "back.bin")
        assert back.read_bytes() == LARGE
        assert told == sorted(set(told))
        return told[0], told[-1], len(told) > 1  # chunks grow while the line is fast

    assert legs.same(behaviour) == (8 << 20, 20 << 20, True)


@pytest.mark.parametrize(
    ("first", "length"), [(0, 5), (5, 5), (99_990, 100), (100_000, 1), (200_000, 5), (3, 0), (0, 100_000)]
)
def test_a_range_is_read(legs: Legs, first: int, length: int) -> None:
    def behaviour(leg: Leg) -> Any:
        made = upload(leg, name="r.bin", io_stream=io.BytesIO(DATA))
        return leg.do(made, "part", first, length)

    assert legs.same(behaviour) == DATA[first : first + length]


def test_bytes_come_as_a_stream_a_file_and_a_data_url(legs: Legs, tmp_path: Path) -> None:
    def behaviour(leg: Leg) -> Any:
        made = upload(leg, name="d.txt", io_stream=io.BytesIO(b"hello"), content_type="text/plain")
        if leg.runner is None:
            pieces = list(made.as_stream(2))
            with made.as_local_file() as temporary:
                assert temporary.read_bytes() == b"hello"
        else:
            pieces = leg.all(made.as_stream_async(2))
            with leg.do(made, "as_local_file") as temporary:
                assert temporary.read_bytes() == b"hello"
        assert temporary.exists() == ("local" in leg.name)  # of a local artifact it is the file itself
        assert all(len(piece) <= 2 for piece in pieces)
        return b"".join(pieces), leg.do(made, "as_data_url")

    assert legs.same(behaviour) == (b"hello", "data:text/plain;base64,aGVsbG8=")


def test_a_listing_names_what_was_uploaded_and_its_items_can_be_read(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        mark = uuid.uuid4().hex
        for n in range(3):
            upload(leg, name=f"{mark}-{n}.txt", io_stream=io.BytesIO(b"%d" % n))
        found = leg.all(leg.ivcap.list_artifacts(filter=f"name~='{mark}%'", order_by="name", limit=None))
        some = leg.all(leg.ivcap.list_artifacts(filter=f"name~='{mark}%'", limit=2))
        none = leg.all(leg.ivcap.list_artifacts(filter=f"name='{mark}'"))
        names = [str(item.name).removeprefix(mark) for item in found]
        return names, [leg.do(item, "as_bytes") for item in found], len(some), none

    assert legs.same(behaviour) == (["-0.txt", "-1.txt", "-2.txt"], [b"0", b"1", b"2"], 2, [])


def test_policy_and_collection_are_kept(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        policy = "urn:ivcap:policy:ivcap.open.artifact"
        made = upload(leg, name="p", io_stream=io.BytesIO(b"x"), policy=policy, collection="urn:ivcap:collection:c")
        return leg.do(made, "refresh").policy

    assert legs.same(behaviour) == "urn:ivcap:policy:ivcap.open.artifact"


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ({}, "InvalidInput"),
        ({"file_path": "x", "io_stream": io.BytesIO}, "InvalidInput"),
        ({"file_path": os.devnull + "/nothing"}, "InvalidInput"),
        ({"io_stream": lambda: io.StringIO("text")}, "InvalidInput"),
        ({"io_stream": lambda: io.BytesIO(b"abc"), "content_size": 5}, "InvalidInput"),
        ({"io_stream": lambda: OneWay(b"abc"), "content_size": 5}, "InvalidInput"),
        ({"io_stream": lambda: io.BytesIO(b"abc"), "policy": "urn:x:y"}, "InvalidInput"),
        ({"io_stream": lambda: io.BytesIO(b"abc"), "collection": "x"}, "InvalidInput"),
        ({"io_stream": lambda: io.BytesIO(b"abc"), "content_type": "text/plain\r\nx-evil: 1"}, "InvalidInput"),
    ],
)
def test_an_upload_that_cannot_be_is_the_same_error(legs: Legs, how: dict[str, Any], kind: str) -> None:
    def behaviour(leg: Leg) -> Any:
        return upload(leg, **{name: value() if callable(value) else value for name, value in how.items()})

    assert legs.error(behaviour)[0] == kind


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (MISSING, "ResourceNotFound"),
        ("urn:ivcap:artifact:../../x", "ResourceNotFound"),
        ("urn:ivcap:artifact:nonsense", "ResourceNotFound"),
        ("nonsense", "InvalidInput"),
        ("", "InvalidInput"),
    ],
)
def test_an_artifact_that_is_not_there_is_the_same_error(legs: Legs, name: str, kind: str) -> None:
    assert legs.error(lambda leg: leg.do(leg.ivcap, "get_artifact", name))[0] == kind


def test_more_than_was_asked_for_is_refused(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        return leg.do(upload(leg, name="a", io_stream=io.BytesIO(DATA)), "as_bytes", most=1000)

    assert legs.error(behaviour)[0] == "ProtocolError"


def test_a_data_url_too_long_is_refused(legs: Legs) -> None:
    def behaviour(leg: Leg) -> Any:
        made = upload(leg, name="a", io_stream=io.BytesIO(DATA))
        with pytest.raises(ArtifactTooLargeForDataUrlError, match="133373 characters, more than the 512") as caught:
            leg.do(made, "as_data_url")
        return caught.value.content_size, caught.value.max_length

    assert legs.same(behaviour) == (100_000, 512)


def test_a_listing_that_cannot_be_is_the_same_error(legs: Legs) -> None:
    for text in ("name ~~ 'x'", "size"):

        def behaviour(leg: Leg, text: str = text) -> Any:
            return leg.all(leg.ivcap.list_artifacts(filter=text))

        assert legs.error(behaviour)[0] == "IvcapApiError"
