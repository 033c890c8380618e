"""The HTTP transport over real sockets, for blocking and async callers."""

from __future__ import annotations

import asyncio
import gzip
import logging
import re
import socket
import time
import zlib
from collections.abc import Callable

import pytest

from ivcap_client._core.messages import MIB, Request, Response
from ivcap_client._core.port import Target
from ivcap_client._io.http import HttpTransport
from ivcap_client.auth import BearerAuth, NoAuth
from ivcap_client.exception import IvcapConnectionError, IvcapError, IvcapTimeout, NotConnected, ProtocolError
from tests.client.server import Reply, Server

Send = Callable[[HttpTransport, Request], Response]


def blocking(transport: HttpTransport, request: Request) -> Response:
    try:
        return transport.send(request)
    finally:
        transport.close()


def awaiting(transport: HttpTransport, request: Request) -> Response:
    async def work() -> Response:
        try:
            return await transport.send_async(request)
        finally:
            await transport.close_async()

    return asyncio.run(work())


def streaming(transport: HttpTransport, request: Request) -> Response:
    body = transport.open(request)
    try:
        whole = b""
        while piece := body.read(1000):
            assert len(piece) <= 1000
            whole += piece
        return Response(body.status, body.headers, whole)
    finally:
        body.close()
        transport.close()


def streaming_async(transport: HttpTransport, request: Request) -> Response:
    async def work() -> Response:
        body = await transport.open_async(request)
        try:
            whole = b""
            while piece := await body.read(1000):
                assert len(piece) <= 1000
                whole += piece
            return Response(body.status, body.headers, whole)
        finally:
            await body.close()
            await transport.close_async()

    return asyncio.run(work())


WHOLE = pytest.mark.parametrize("send", [blocking, awaiting])
EVERY = pytest.mark.parametrize("send", [blocking, awaiting, streaming, streaming_async])


def transport(server: Server, timeout: float = 10.0) -> HttpTransport:
    return HttpTransport(Target(server.url, NoAuth(), timeout=timeout))


def ask(target: str = "/1/x", **more: object) -> Request:
    return Request("GET", target, what="read x", **more)  # type: ignore[arg-type]


DATA = b"0123456789" * 5000


def deflated(data: bytes, bits: int) -> bytes:
    made = zlib.compressobj(wbits=bits)
    return made.compress(data) + made.flush()


@EVERY
@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("identity", DATA),
        ("gzip", gzip.compress(DATA)),
        ("GZIP", gzip.compress(DATA)),
        ("gzip", gzip.compress(DATA[:9]) + gzip.compress(DATA[9:])),
        ("deflate", deflated(DATA, 15)),
        ("deflate", deflated(DATA, -15)),
    ],
)
def test_a_reply_is_decoded(server: Server, send: Send, encoding: str, body: bytes) -> None:
    server.answer = lambda asked: Reply(headers={"Content-Encoding": encoding, "X-Mixed": "1"}, body=body)
    reply = send(transport(server), ask())
    assert (reply.body, reply.headers["x-mixed"]) == (DATA, "1")


@EVERY
@pytest.mark.parametrize(
    ("encoding", "body"),
    [("br", DATA), ("gzip", DATA), ("gzip", gzip.compress(DATA)[:-9]), ("deflate", b"\xff\xff"), ("gzip, gzip", DATA)],
)
def test_a_reply_that_cannot_be_decoded_says_so(server: Server, send: Send, encoding: str, body: bytes) -> None:
    server.answer = lambda asked: Reply(headers={"Content-Encoding": encoding}, body=body)
    with pytest.raises(ProtocolError, match="encoding"):
        send(transport(server), ask())


@WHOLE
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_reply_is_bounded_after_decoding(server: Server, send: Send, encoding: str) -> None:
    body = b"0" * (2 * MIB)
    body = gzip.compress(body) if encoding == "gzip" else body
    server.answer = lambda asked: Reply(headers={"Content-Encoding": encoding}, body=body)
    with pytest.raises(ProtocolError, match="larger than the 1 MiB"):
        send(transport(server), ask(most=MIB))
    assert len(send(transport(server), ask(most=2 * MIB)).body) == 2 * MIB


def test_a_bomb_is_never_unpacked_as_a_whole() -> None:
    from ivcap_client._io.decoding import PIECE, decoder

    bomb = gzip.compress(b"0" * (64 * MIB))
    pieces = decoder("gzip").feed(bomb)
    for _ in range(8):
        assert len(next(pieces)) <= PIECE


@EVERY
def test_a_platform_that_does_not_answer_is_given_up(server: Server, send: Send) -> None:
    server.answer = lambda asked: Reply(before=server.hold)
    with pytest.raises(IvcapTimeout, match=r"read x.*0\.1 s"):
        send(transport(server), ask(timeout=0.1))


@WHOLE
def test_a_reply_that_drips_is_given_up_at_the_deadline(server: Server, send: Send) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            while not server.released.wait(0.01):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    import threading

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    slow = HttpTransport(Target(url, NoAuth()))
    with pytest.raises(IvcapTimeout, match="not complete in time"):
        send(slow, ask(timeout=5, deadline=time.monotonic() + 0.1))
    listener.close()
    thread.join(10)


@EVERY
def test_nobody_there_is_told_as_such(send: Send) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(NotConnected, match="could not read x"):
        send(HttpTransport(Target(f"http://127.0.0.1:{port}", NoAuth())), ask())


@EVERY
def test_a_reply_cut_short_is_a_broken_connection(server: Server, send: Send) -> None:
    server.answer = lambda asked: Reply(body=b"12345", length=10)
    with pytest.raises(IvcapConnectionError):
        send(transport(server), ask())


@EVERY
@pytest.mark.parametrize("url", ["http://127.0.0.1:99999999", "http://exa mple", "http://"])
def test_an_address_that_is_none_is_one_of_our_errors(send: Send, url: str) -> None:
    with pytest.raises(IvcapError):
        send(HttpTransport(Target(url, NoAuth())), ask())


@WHOLE
def test_query_and_path_arrive_as_they_were_meant(server: Server, send: Send) -> None:
    send(transport(server), ask("/1/a%2Fb%3A", query=(("q", "a b&c=ü+%"), ("r", ""))))
    assert server.asked[0].path == "/1/a%2Fb%3A?q=a+b%26c%3D%C3%BC%2B%25&r=" or server.asked[0].path == (
        "/1/a%2Fb%3A?q=a%20b%26c%3D%C3%BC%2B%25&r="
    )
    send(transport(server), ask(f"{server.url}/signed?sig=a%2Bb&x=1"))
    assert server.asked[1].path == "/signed?sig=a%2Bb&x=1"


@WHOLE
def test_redirects_are_left_to_the_core(server: Server, send: Send) -> None:
    server.answer = lambda asked: Reply(302, {"Location": "/elsewhere"})
    assert send(transport(server), ask()).status == 302
    assert len(server.asked) == 1


def test_cookies_are_neither_kept_nor_sent(server: Server) -> None:
    server.answer = lambda asked: Reply(headers={"Set-Cookie": "a=b; Path=/"})
    client = transport(server)
    client.send(ask())
    client.send(ask())
    client.close()
    assert [("cookie" in asked.headers) for asked in server.asked] == [False, False]


def test_connections_are_kept_between_requests(server: Server) -> None:
    client = transport(server)
    for _ in range(3):
        client.send(ask())
    client.close()
    assert len({asked.port for asked in server.asked}) == 1


def test_a_body_is_sent_as_it_is_read(server: Server) -> None:
    class Source:
        left = 5

        def read(self, size: int, /) -> bytes:
            self.left -= 1
            return b"x" * 10 if self.left >= 0 else b""

    client = transport(server)
    client.send(Request("PATCH", "/1/x", body=Source(), headers={"content-length": "50"}, what="upload"))
    client.close()
    assert server.asked[0].body == b"x" * 50
    assert "transfer-encoding" not in server.asked[0].headers


def test_the_environment_s_proxy_does_not_stand_before_this_machine(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    client = transport(server)
    assert client.send(ask()).status == 200
    client.close()


def test_what_the_libraries_log_holds_no_token(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.answer = lambda asked: Reply(401, body=b"no")
    client = transport(server)
    client.send(ask(headers={"authorization": "Bearer hush"}))
    client.close()
    assert caplog.records
    assert "hush" not in caplog.text


def test_one_client_serves_two_event_loops_one_after_the_other(server: Server) -> None:
    client = transport(server)

    async def work() -> None:
        await asyncio.gather(*(client.send_async(ask()) for _ in range(3)))
        await client.close_async()

    asyncio.run(work())
    asyncio.run(work())
    assert len(server.asked) == 6


def test_an_async_caller_that_is_cancelled_lets_go_of_its_connection(server: Server) -> None:
    server.answer = lambda asked: Reply(before=server.hold) if asked.path == "/slow" else Reply()

    async def work() -> None:
        client = transport(server)
        task = asyncio.ensure_future(client.send_async(ask("/slow")))
        assert await asyncio.to_thread(server.came.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await client.send_async(ask())).status == 200
        await client.close_async()

    asyncio.run(asyncio.wait_for(work(), 10))


@EVERY
@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("http://127.0.0.1:9/behind/it", "http://127.0.0.1:9"),
        ("http://[::1]:9", "http://[::1]:9"),
        ("https://nobody.invalid", "https://nobody.invalid"),
    ],
)
def test_without_a_connection_the_error_names_the_origin_that_was_tried_and_nothing_else(
    send: Send, url: str, named: str
) -> None:
    way = HttpTransport(Target(url, BearerAuth("hush"), timeout=5.0))
    with pytest.raises(NotConnected) as told:
        send(way, ask("/1/x?sig=secret"))
    assert f"no connection to the platform at {named} (" in str(told.value)
    assert not {"hush", "secret", "behind"} & set(re.split(r"\W+", str(told.value)))


def test_an_answer_that_does_not_come_in_time_names_who_did_not_answer(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with pytest.raises(IvcapTimeout, match=f"the platform at {url} did not answer within 0.2 s"):
            blocking(HttpTransport(Target(url, NoAuth())), ask(timeout=0.2))
