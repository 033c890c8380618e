"""Uploads arrive whole, each byte once, over lines that lose what they like."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import IO, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivcap_client._core.messages import Request, Response
from ivcap_client._core.port import run
from ivcap_client._io import tus
from ivcap_client.exception import (
    Conflict,
    InvalidInput,
    IvcapApiError,
    IvcapConnectionError,
    IvcapError,
    IvcapTimeout,
    NotAuthorizedException,
    ProtocolError,
    ResourceNotFound,
    ServerError,
)
from tests.core.scripted import Scripted, Token, ok

HREF = "/1/artifacts/1/blob"


class Store(Scripted):
    """A tus store that keeps what came, behind a line that is told what to do with each PATCH.

    `keep n`: n bytes arrive, then the line drops; `mute`: all arrives, the answer is lost; else a status to refuse
    with.
    """

    def __init__(self, *faults: object, length: int | None = None, auth: Any = None) -> None:
        super().__init__(auth=auth)
        self.faults = list(faults)
        self.data = bytearray()
        self.length = length
        self.accept: Token | None = None

    def wire(self, request: Request) -> Response:
        self.sent.append(request)
        assert request.headers["tus-resumable"] == "1.0.0"
        if self.accept is not None and request.headers["authorization"] != f"Bearer {self.accept.token}":
            return Response(401)
        if request.method == "HEAD":
            return Response(200, {"upload-offset": str(len(self.data))})
        assert request.method == "PATCH"
        assert request.headers["content-type"] == "application/offset+octet-stream"
        return self._patch(request)

    def _patch(self, request: Request) -> Response:
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Exception):
            raise fault
        if isinstance(fault, int):
            return Response(fault, {}, b'{"message": "no"}')
        if int(request.headers["upload-offset"]) != len(self.data):
            return Response(409)
        if "upload-length" in request.headers:
            assert self.length in (None, int(request.headers["upload-length"]))
            self.length = int(request.headers["upload-length"])
        came, promised = bytearray(), int(request.headers["content-length"])
        most = fault[1] if isinstance(fault, tuple) else None
        assert request.body is not None
        assert not isinstance(request.body, bytes)
        while piece := request.body.read(7 if most is None else max(1, min(7, most - len(came)))):
            came += piece
            if most is not None and len(came) >= most:
                self.data += came[:most]
                raise IvcapConnectionError("the line dropped")
        assert len(came) == promised
        self.data += came
        assert self.length is None or len(self.data) <= self.length
        if fault == "mute":
            raise IvcapTimeout("no answer")
        return Response(204, {"upload-offset": str(len(self.data))})


class OneWay(io.RawIOBase):
    """A stream that cannot be rewound and gives what it likes."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        return self._data.read(min(size, 3) if size > 0 else size)


def send(store: Store, stream: IO[Any] | OneWay, **how: Any) -> int:
    return run(tus.upload(store, HREF, stream, **how))  # type: ignore[arg-type]


FAULTS = st.lists(
    st.one_of(
        st.tuples(st.just("keep"), st.integers(0, 40)),
        st.sampled_from(["mute", 409, 423, 429, 500, 502, 503, 408, None, None]),
    ),
    max_size=5,
)


@given(
    data=st.binary(max_size=90),
    chunk=st.integers(1, 17),
    faults=FAULTS,
    seekable=st.booleans(),
    known=st.booleans(),
    skip=st.integers(0, 5),
)
@settings(max_examples=300)
def test_upload_delivers_every_byte_once_whatever_is_lost(
    data: bytes, chunk: int, faults: list[object], seekable: bool, known: bool, skip: int
) -> None:
    stream: IO[bytes] | OneWay = io.BytesIO(b"x" * skip + data) if seekable else OneWay(data)
    if seekable:
        stream.seek(skip)
    store = Store(*faults, length=len(data) if known else None)
    told: list[int] = []
    size = len(data) if known else None
    if size == 0:
        return  # nothing is sent for nothing: `uploads` does not come here
    sent = send(store, stream, size=size, chunk=chunk, retries=6, progress=lambda done, total: told.append(done))
    assert (bytes(store.data), sent, store.length) == (data, len(data), len(data))
    assert told[-1] == len(data)
    assert all(len(data) >= done >= 0 for done in told)


def test_requests_grow_while_the_line_is_good_and_shrink_when_it_breaks() -> None:
    data = bytes(200)
    store = Store(None, None, None, ("keep", 3), length=200)
    assert send(store, io.BytesIO(data), size=200, chunk=8, most=40) == 200
    lengths = [int(request.headers["content-length"]) for request in store.sent if request.method == "PATCH"]
    assert lengths == [8, 16, 32, 40, 8, 16, 32, 40, 40, 5]
    store = Store(length=200)
    send(store, OneWay(data), size=200, chunk=8, most=40)  # what is held in memory does not grow
    assert {int(request.headers["content-length"]) for request in store.sent} == {8}


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 16, 24])
def test_a_stream_of_unknown_size_is_closed_with_its_length_also_at_a_chunk_s_edge(count: int) -> None:
    store = Store()
    assert send(store, OneWay(b"a" * count), size=None, chunk=8) == count
    assert (len(store.data), store.length) == (count, count)


def test_an_upload_goes_on_where_an_earlier_one_stopped() -> None:
    store, data = Store(length=20), bytes(range(20))
    store.data += data[:13]
    stream = io.BytesIO(data)
    offset = run(tus.resume_offset(store, HREF))
    stream.seek(offset)
    assert send(store, stream, size=20, offset=offset, chunk=4) == 20
    assert bytes(store.data) == data


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(500, ServerError), (409, Conflict), (423, IvcapApiError), (IvcapConnectionError("x"), IvcapConnectionError)],
)
def test_failures_without_progress_are_bounded(fault: object, kind: type[IvcapError]) -> None:
    store = Store(*[fault] * 50)
    with pytest.raises(kind):
        send(store, io.BytesIO(b"abc"), size=3, retries=4)
    assert len([request for request in store.sent if request.method == "PATCH"]) == 5


@pytest.mark.parametrize(
    ("status", "kind"), [(400, IvcapApiError), (404, ResourceNotFound), (410, IvcapApiError), (413, IvcapApiError)]
)
def test_what_will_not_pass_ends_the_upload_at_once(status: int, kind: type[IvcapError]) -> None:
    store = Store(status)
    with pytest.raises(kind):
        send(store, io.BytesIO(b"abc"), size=3)
    assert len(store.sent) == 1


def test_a_full_disk_is_not_tried_again() -> None:
    store = Store(507)
    with pytest.raises(ServerError):
        send(store, io.BytesIO(b"abc"), size=3)
    assert len(store.sent) == 1


@pytest.mark.parametrize("offset", ["", "x", "-1", "0", "9", "12", "99999999999", "٣"])
def test_an_offset_that_makes_no_sense_is_refused(offset: str) -> None:
    class Nonsense(Store):
        def _patch(self, request: Request) -> Response:
            return Response(204, {"upload-offset": offset})

    with pytest.raises(ProtocolError):
        send(Nonsense(), io.BytesIO(b"a" * 12), size=12, chunk=4)


@pytest.mark.parametrize("offset", ["", "x", "5", "13"])
def test_an_offset_that_makes_no_sense_after_a_failure_is_refused(offset: str) -> None:
    class Nonsense(Store):
        def wire(self, request: Request) -> Response:
            if request.method == "HEAD":
                return Response(200, {"upload-offset": offset})
            raise IvcapConnectionError("dropped")

    with pytest.raises(ProtocolError):
        send(Nonsense(), io.BytesIO(b"a" * 12), size=12, chunk=4)


def test_a_platform_that_forgets_for_ever_is_given_up() -> None:
    class Forgets(Store):
        def _patch(self, request: Request) -> Response:
            if len(self.data) >= 4:
                self.data.clear()
                return Response(500)
            return super()._patch(request)

    with pytest.raises(ServerError):
        send(Forgets(), io.BytesIO(b"a" * 12), size=12, chunk=4, retries=3)


def test_a_rewound_platform_gets_the_bytes_again_from_a_file_and_an_error_for_a_stream() -> None:
    class Rewinds(Store):
        def _patch(self, request: Request) -> Response:
            if len(self.data) == 8 and not self.faults:
                self.faults.append(None)
                del self.data[2:]
                return Response(500)
            return super()._patch(request)

    store = Rewinds()
    data = bytes(range(12))
    assert send(store, io.BytesIO(data), size=12, chunk=4) == 12
    assert bytes(store.data) == data
    with pytest.raises(ProtocolError):
        send(Rewinds(), OneWay(data), size=12, chunk=4)


@pytest.mark.parametrize("seekable", [True, False])
def test_a_stream_with_fewer_bytes_than_announced_is_an_error(seekable: bool) -> None:
    stream: IO[bytes] | OneWay = io.BytesIO(b"abc") if seekable else OneWay(b"abc")
    with pytest.raises(InvalidInput):
        send(Store(), stream, size=5, chunk=2)


def test_no_more_is_sent_of_a_stream_than_announced() -> None:
    for stream in (io.BytesIO(b"abcdef"), OneWay(b"abcdef")):
        store = Store(length=4)
        assert send(store, stream, size=4, chunk=3) == 4
        assert bytes(store.data) == b"abcd"


def test_a_token_that_ends_during_an_upload_is_renewed() -> None:
    token = Token()
    store = Store(auth=token)
    store.accept = Token("secret-1")
    assert send(store, io.BytesIO(b"a" * 12), size=12, chunk=4) == 12
    assert token.renewals == 1
    store.accept = Token("another")
    with pytest.raises(NotAuthorizedException):
        send(store, io.BytesIO(b"a" * 12), size=12, chunk=4)


def test_the_bytes_go_to_no_other_origin() -> None:
    store = Store()
    for href in ("https://evil.example/x", "//evil.example/x", "http://platform.example/x", ".evil.example/"):
        try:
            run(tus.upload(store, href, io.BytesIO(b"abc"), size=3))
        except ProtocolError:
            assert store.sent == []
        else:
            assert href == ".evil.example/"  # a relative link: below the base URL
            store.sent.clear()


def test_a_redirect_of_an_upload_is_refused() -> None:
    class Moves(Store):
        def _patch(self, request: Request) -> Response:
            return Response(307, {"location": "https://evil.example/x"})

    store = Moves()
    with pytest.raises(IvcapError):
        send(store, io.BytesIO(b"abc"), size=3)
    assert len(store.sent) == 1


def test_a_platform_that_takes_less_than_a_chunk_gets_the_rest() -> None:
    class Slow(Store):
        def _patch(self, request: Request) -> Response:
            assert request.body is not None
            assert not isinstance(request.body, bytes)
            self.data += request.body.read(2)
            return Response(204, {"upload-offset": str(len(self.data))})

    store = Slow()
    assert send(store, OneWay(b"abcdefg"), size=7, chunk=5) == 7
    assert bytes(store.data) == b"abcdefg"


READS: list[Callable[[], Any]] = [lambda: io.BytesIO(b"a" * 50), lambda: OneWay(b"a" * 50)]


@pytest.mark.parametrize("make", READS)
def test_progress_rises_and_ends_with_all(make: Callable[[], Any]) -> None:
    told: list[tuple[int, int | None]] = []
    send(Store(), make(), size=50, chunk=20, progress=lambda *now: told.append(now))
    assert told == [(20, 50), (40, 50), (50, 50)]


def test_a_head_that_fails_for_a_while_is_asked_again() -> None:
    class Away(Store):
        away = 2

        def wire(self, request: Request) -> Response:
            if request.method == "HEAD" and self.away:
                self.away -= 1
                return ok(status=503)
            return super().wire(request)

    store = Away(("keep", 2))
    assert send(store, io.BytesIO(b"abcdef"), size=6, chunk=4) == 6
    assert bytes(store.data) == b"abcdef"
