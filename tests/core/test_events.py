"""Bytes of an event stream → events."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivcap_client._core.events import MOST_LINE, Event, EventParser, event_of


def events_of(*pieces: bytes) -> list[Event]:
    parser = EventParser()
    return [event for piece in pieces for event in parser.feed(piece)]


def told(number: int) -> dict[str, object]:
    return {"SeqID": f"{number:08}", "Type": "ivcap.job.event", "Schema": "urn:x:s", "Data": {"n": "ü" * number}}


LINES = st.lists(
    st.sampled_from(
        [
            f"data: {json.dumps(told(3))}",
            f"data:{json.dumps(told(2), ensure_ascii=False)}",
            'data: {"SeqID":',
            'data: "00000009"}',
            "id: 7",
            "id",
            "event: x",
            ": still here",
            "retry: 5",
            "data",
            "nonsense",
            "",
            "",
            "",
        ]
    ),
    max_size=20,
)


@given(
    lines=LINES, ends=st.lists(st.sampled_from(["\n", "\r\n", "\r"]), min_size=1), cuts=st.lists(st.integers(0, 600))
)
def test_any_split_of_the_bytes_gives_the_same_events(lines: list[str], ends: list[str], cuts: list[int]) -> None:
    text = "".join(line + ends[number % len(ends)] for number, line in enumerate([*lines, ""])).encode()
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[a:b] for a, b in itertools.pairwise(places)]
    whole = events_of(text)
    assert events_of(*pieces) == whole
    assert events_of(*(text[n : n + 1] for n in range(len(text)))) == whole


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_end_in_three_ways(end: bytes) -> None:
    text = end.join([b"id: 1", b'data: {"a":', b'data: "b"}', b"", b""])
    (event,) = events_of(text)
    assert (event.seq, event.data) == ("1", {"a": "b"})


def test_an_event_is_told_as_soon_as_its_blank_line_came() -> None:
    assert len(events_of(b"data: {}\r\r")) == 1
    assert len(events_of(b"data: {}\r\n\r")) == 1


def test_an_id_holds_until_the_next_and_not_with_a_null_in_it() -> None:
    text = b"id: 5\ndata: {}\n\ndata: {}\n\nid: 6\0\ndata: {}\n\nid\ndata: {}\n\n"
    assert [event.seq for event in events_of(text)] == ["5", "5", "5", ""]


def test_a_mark_of_byte_order_at_the_start_is_no_part_of_the_first_line() -> None:
    assert len(events_of("\ufeffdata: {}\n\n".encode())) == 1


@pytest.mark.parametrize("piece", [1 << 12, 1 << 16, 1 << 22])
def test_an_event_too_long_to_be_one_is_skipped_and_the_next_is_read(piece: int) -> None:
    text = b'data: {"a": "' + b"x" * (2 * MOST_LINE) + b'"}\n\nid: 2\ndata: {"b": 1}\n\n'
    found = events_of(*(text[n : n + piece] for n in range(0, len(text), piece)))
    assert [event.seq for event in found] == ["2"]


def test_many_lines_without_an_end_fill_no_memory() -> None:
    parser = EventParser()
    for _ in range(64):
        assert parser.feed(b"data: " + b"x" * 60_000 + b"\n") == []
    assert sum(map(len, parser._data)) <= MOST_LINE
    assert len(parser.feed(b'\ndata: {"a": 1}\n\n')) == 1


@pytest.mark.parametrize("data", ["", "hello", "[1]", "null", '"x"', "{", "[" * 50_000])
def test_what_is_no_event_is_passed_over(data: str) -> None:
    assert event_of(data, "1") is None


@pytest.mark.parametrize(
    ("data", "seq", "kind", "status", "text"),
    [
        ({"SeqID": "9", "Type": "ivcap.job.status", "Data": {"status": "EXECUTING"}}, "9", "status", "executing", None),
        ({"seqid": 12, "type": "ivcap.job.event", "data": {"name": "fetch"}}, "12", "event", None, "fetch"),
        ({"id": "j", "status": "failed", "timestamp": "2026-01-01T00:00:00Z"}, "1", "status", "failed", None),
        ({"Data": {"options": {"message": " two\nlines "}, "name": "n"}}, "1", "event", None, "two lines"),
        ({"Data": {"options": None, "error": "boom"}}, "1", "event", None, "boom"),
        (
            {"Data": 5, "Schema": "urn:ivcap:schema:service.event.generic.1"},
            "1",
            "event",
            None,
            "service.event.generic",
        ),
        ({"Data": []}, "1", "event", None, "ivcap.job.event"),
    ],
)
def test_an_event_is_read_in_every_shape_that_was_seen(
    data: object, seq: str, kind: str, status: str | None, text: str | None
) -> None:
    event = event_of(json.dumps(data), "1")
    assert event is not None
    assert (event.seq, event.type, event.status) == (seq, f"ivcap.job.{kind}", status)
    assert event.text == (text or status)
