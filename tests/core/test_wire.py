"""JSON from the platform → values, pages and cursors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivcap_client._core import artifacts, aspects, services
from ivcap_client._core.pages import next_cursor
from ivcap_client._core.port import run
from ivcap_client._core.wire import Fields, encoded, fields, instant, moment
from ivcap_client.exception import InvalidInput, ProtocolError
from tests.core.scripted import Scripted, ok

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.parametrize("name", ["mime-type", "mime_type", "mimeType", "MIME-TYPE", "MimeType"])
def test_a_field_is_found_under_every_spelling(name: str) -> None:
    assert Fields({name: "text/csv"}, "read x").text("mime-type") == "text/csv"


def test_null_equals_absent() -> None:
    told = Fields({"a": None, "A": 1}, "read x")
    assert (told.any("a"), told.any("b")) == (1, None)
    assert Fields({"a": None}, "read x").has("a")
    with pytest.raises(ProtocolError, match="has no a"):
        Fields({"a": None}, "read x").need("a")


def test_a_field_that_cannot_be_read_is_named_with_its_path() -> None:
    told = Fields({"items": [{"id": "1"}, {"id": "2", "parts": [{}, 5]}]}, "list x")
    with pytest.raises(ProtocolError, match=r"list x: items\[1\]\.parts\[1\] is not a JSON object"):
        [list(item.each("parts")) for item in told.each("items")]
    with pytest.raises(ProtocolError, match="items is not a list"):
        list(Fields({"items": {}}, "list x").each("items"))
    with pytest.raises(ProtocolError, match=r"has no items\[0\]\.id"):
        [item.need("id") for item in Fields({"items": [{}]}, "list x").each("items")]


@pytest.mark.parametrize(
    ("value", "whole", "number"),
    [
        (3, 3, 3.0),
        ("3", 3, 3.0),
        (3.0, 3, 3.0),
        (2.5, None, 2.5),
        (True, None, None),
        ("x", None, None),
        ([], None, None),
        (float("inf"), None, None),
        ("9" * 40, None, 1e40),
        (10**400, 10**400, None),
    ],
)
def test_numbers_are_read_generously(value: object, whole: int | None, number: float | None) -> None:
    told = Fields({"n": value}, "read x")
    assert (told.whole("n"), told.number("n")) == (whole, number)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2023-11-08T06:59:16Z", datetime(2023, 11, 8, 6, 59, 16, tzinfo=UTC)),
        ("2023-11-08T06:59:16.123456789Z", datetime(2023, 11, 8, 6, 59, 16, 123456, tzinfo=UTC)),
        ("2023-11-08T06:59:16.5Z", datetime(2023, 11, 8, 6, 59, 16, 500000, tzinfo=UTC)),
        ("2023-11-08T06:59:16", datetime(2023, 11, 8, 6, 59, 16, tzinfo=UTC)),
        ("2023-11-08T16:59:16+10:00", datetime(2023, 11, 8, 6, 59, 16, tzinfo=UTC)),
        ("yesterday", None),
        ("", None),
        ("99999-01-01T00:00:00Z", None),
    ],
)
def test_times_are_read_as_the_platform_writes_them(text: str, value: datetime | None) -> None:
    assert moment(text) == value


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)), st.integers(-12 * 60, 14 * 60))
def test_a_time_that_is_sent_reads_back_as_itself(when: datetime, offset: int) -> None:
    from datetime import timezone

    assert moment(instant(when)) == when.replace(tzinfo=UTC)
    zoned = when.replace(tzinfo=timezone(timedelta(minutes=offset)))
    assert moment(instant(zoned)) == zoned


@given(JSON)
def test_no_reply_makes_a_record_crash_otherwise_than_by_protocol_error(value: Any) -> None:
    item = {**value, "id": "urn:ivcap:x:1"} if isinstance(value, dict) else value
    for read in (artifacts.artifact_record, aspects.aspect_record, services.service_record):
        try:
            read(Fields(item, "read x"))
        except ProtocolError:
            continue


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[" * 100_000, b'{"a":'])
def test_a_reply_that_is_not_json_says_so(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="could not read x"):
        fields(ok(body), "read x")


@pytest.mark.parametrize("value", [{"a": {1}}, {"a": float("nan")}, {"a": b"x"}, {"a": "\ud800"}])
def test_what_json_cannot_write_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput):
        encoded(value, "order job")


@pytest.mark.parametrize(
    ("href", "cursor"),
    [
        ("/1/x?page=abc", "abc"),
        ("https://h/1/x?limit=3&page=a%2Bb%3D&x=1", "a+b="),
        ("/1/x?page=a%2525", "a%25"),
        ("/1/x?limit=3", None),
        ("/1/x?page=", None),
        ("https://[broken?page=1", None),
        (None, None),
        (5, None),
    ],
)
def test_a_cursor_is_decoded_once(href: object, cursor: str | None) -> None:
    assert next_cursor(Fields({"links": [{"rel": "self"}, 7, {"rel": "next", "href": href}]}, "list x")) == cursor


@pytest.mark.parametrize("links", [None, {}, [], [{"rel": "next"}], "x"])
def test_links_that_say_nothing_end_the_listing(links: object) -> None:
    assert next_cursor(Fields({"links": links}, "list x")) is None


def test_identifiers_cannot_leave_their_place_in_the_path() -> None:
    port = Scripted([ok(b'{"id": "urn:x:y"}')])
    run(artifacts.read(port, "urn:ivcap:artifact:../../x?y#z"))
    assert port.sent[0].target == "/1/artifacts/urn%3Aivcap%3Aartifact%3A..%2F..%2Fx%3Fy%23z"
    for bad in ("", "../x", "not a urn", "urn:x:a b", "urn:x:a\n", "u" * 3000):
        with pytest.raises(InvalidInput):
            run(artifacts.read(port, bad))


@pytest.mark.parametrize("name", ["it's", "a\\b", ""])
def test_a_service_name_no_filter_can_carry_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        run(services.by_name(Scripted(), name))


def test_a_service_is_found_by_its_exact_name_among_those_the_pattern_finds() -> None:
    listing = b'{"items": [{"id": "urn:x:1", "name": "a_b"}, {"id": "urn:x:2", "name": "axb"}], "links": []}'
    assert run(services.by_name(Scripted([ok(listing)]), "a_b")).id == "urn:x:1"
