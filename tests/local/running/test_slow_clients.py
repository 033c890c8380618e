"""Clients that send slowly, or do not read: each is cut off, what came of an upload is kept, the others are served."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections.abc import Iterator

import pytest

from ivcap_client._local.runner import Serving
from tests.local.running.desk import LONG, Desk, until
from tests.local.running.test_gateway import Client, serving

FIRST = b"GET /1/services2 HTTP/1.1\r\nhost: localhost\r\n"


@pytest.fixture
def brief(desk: Desk) -> Iterator[Serving]:
    """A platform with the patience of tenths of seconds."""
    desk.limit(IVCAP_HEAD_STALL=0.3, IVCAP_BODY_STALL=0.15, IVCAP_READ_STALL=0.3)
    with serving(desk) as found:
        yield found


def said(found: Serving, first: bytes, drip: bytes) -> bytes:
    """What the platform says to somebody who begins, and then sends a little for ever."""
    host, port = found.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=LONG) as line:
        line.sendall(first)
        over = threading.Event()

        def drop() -> None:
            with contextlib.suppress(OSError):
                while not over.wait(0.02):
                    line.sendall(drip)

        dropping = threading.Thread(target=drop)
        dropping.start()
        told = b""
        try:
            with contextlib.suppress(ConnectionResetError):
                while piece := line.recv(65536):
                    told += piece
        finally:
            over.set()
            dropping.join()
    return told


@pytest.mark.parametrize(("first", "drip"), [(b"", b""), (b"G", b""), (FIRST, b"x: y\r\n")])
def test_a_head_that_comes_slowly_is_refused(brief: Serving, first: bytes, drip: bytes) -> None:
    told = said(brief, first, drip)
    assert told.startswith(b"HTTP/1.1 408 ")
    assert told.endswith(b'{"message": "the request came too slowly"}')
    assert Client(brief).ask("GET", "/1/services2")[0] == 200


def test_an_upload_that_drips_is_broken_off_and_what_came_is_kept(brief: Serving) -> None:
    client = Client(brief)
    href = client.ask("POST", "/1/artifacts", X_Content_Length="100000")[1]["data-href"].removeprefix(brief.url)
    head = f"PATCH {href} HTTP/1.1\r\nhost: localhost\r\nupload-offset: 0\r\ncontent-length: 100000\r\n\r\n".encode()
    assert said(brief, head, b".").startswith(b"HTTP/1.1 408 ")

    def kept() -> int:
        with client.open("HEAD", href) as reply:
            return int(reply.headers["Upload-Offset"])

    until(lambda: kept() > 0)


def test_a_reader_of_events_that_does_not_read_is_cut_off(
    desk: Desk, brief: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client = Client(brief)
    path = f"/1/services2/{desk.plain.urn}/jobs"
    made = client.ask("POST", path, {"do": "hang"})[1]["job-id"]
    job = desk.store.jobs.find(made)
    assert job is not None
    for number in range(200):
        desk.store.jobs.add_event(
            job, type="ivcap.job.event", schema="urn:x", data={"at": number, "text": "x" * 50_000}
        )
    host, port = brief.url.removeprefix("http://").split(":")
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.settimeout(LONG)
        line.connect((host, int(port)))
        line.sendall(f"GET {path}/{made}/events HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
        until(lambda: "it does not read its answer" in caplog.text)
    with client.open("GET", f"{path}/{made}/events?max-messages=3") as stream:  # one that reads is served
        assert stream.read().count(b"\n\n") == 3
