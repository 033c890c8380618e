"""A look into tables, JSON, text and images."""

from __future__ import annotations

import json
import struct
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivcap_mcp.preview import bounds, images, tables, texts, values
from ivcap_mcp.preview.look import Subject, look
from ivcap_mcp.preview.source import Ranged
from tests.mcp.files import CO2, JSON, LEGS, png, seen

# Tables


@pytest.mark.parametrize("leg", LEGS)
def test_a_table_shows_its_columns_with_types_its_first_rows_and_their_number(leg: str) -> None:
    found = seen(CO2, "co2.csv", "text/csv", leg=leg)
    assert found.kind == "table"
    assert found.told["dialect"] == {"delimiter": "comma", "header": True}
    date, ppm = found.told["columns"]
    assert (date["name"], date["type"], date["min"]) == ("date", "date", "1958-03-29")
    assert (ppm["name"], ppm["type"], ppm["empty"]) == ("co2_ppm", "number", 59)
    assert found.told["row_count"] == 2284
    assert found.told["first_rows"][0] == ["1958-03-29", "316.1"]


@pytest.mark.parametrize(
    ("text", "delimiter", "types", "header"),
    [
        ("a\tb\n1\tx\n2\ty\n", "tab", ["integer", "text"], True),
        ("a;b;c\n1,5;2;ja\n2,5;3;nein\n", "semicolon", ["text", "integer", "text"], True),
        ("1|2\n3|4\n5|6\n", "bar", ["integer", "integer"], False),
        ('name,note\n"a, b","line\nbreak"\nc,d\n', "comma", ["text", "text"], True),
        ("t,ok\n2026-01-01T00:00:00Z,true\n2026-01-02T00:00:00Z,false\n", "comma", ["time", "truth"], True),
        ("x,y\n,\n,\n", "comma", ["empty", "empty"], True),
    ],
)
def test_dialect_header_and_types_are_told(text: str, delimiter: str, types: list[str], header: bool) -> None:
    told = seen(text.encode(), "t.csv").told
    assert told["dialect"] == {"delimiter": delimiter, "header": header}
    assert [column["type"] for column in told["columns"]] == types


def test_comments_before_a_table_are_not_taken_for_it() -> None:
    told = seen(b"# made by hand\n# unit: ppm\nx,y\n1,2\n3,4\n").told
    assert told["comments"] == ["# made by hand", "# unit: ppm"]
    assert [column["name"] for column in told["columns"]] == ["x", "y"]


def test_of_a_large_table_the_beginning_is_read_and_the_rows_are_estimated() -> None:
    fetched: list[int] = []
    data = b"n,square\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(400_000))

    def fetch(first: int, length: int) -> bytes:
        fetched.append(length)
        return data[first : first + length]

    whole = Ranged(fetch, len(data), bounds.Budget(bounds.MOST_FETCHED, time.monotonic() + 60))
    told = look(Subject(whole, "big.csv", None, time.monotonic() + 60), 0).told
    assert sum(fetched) < 2 * bounds.MIB
    assert 250_000 < told["row_count_estimated"] < 800_000
    assert "row_count" not in told


def test_what_is_called_a_table_and_is_none_is_shown_as_text() -> None:
    found = seen(b"x,y\n" + b'"' + b"a" * 200_000 + b'",2\n', "t.csv")
    assert found.kind == "text"
    assert "field larger than" in found.told["note"]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=400))
def test_no_text_makes_the_table_reader_fail(text: str) -> None:
    found = seen(text.encode(), "t.csv")
    assert found.kind in ("table", "text", "empty", "bytes", "archive", "image")


def test_a_delimiter_is_found_only_where_lines_agree() -> None:
    assert tables.delimiter("One, two.\nThree.\nFour, five, six.\nSeven.\n", "prose.txt") is None
    assert tables.delimiter("a;b\n1;2\n", "x.csv") == ";"


# JSON


def test_json_shows_its_shape() -> None:
    data = [{"a": 1, "b": [1, 2]}, {"a": 2.5, "b": [], "c": None}]
    found = seen(json.dumps(data).encode(), "d.json")
    assert found.kind == "json"
    of = {"object": {"a": "number", "b": {"list": "0 to 2", "of": "integer"}, "c?": "null"}}
    assert found.told["shape"] == {"list": 2, "of": of}


def test_lines_of_json_are_records() -> None:
    found = seen(b'{"n": 1, "s": "x"}\n{"n": 2}\n\n')
    assert found.kind == "ndjson"
    assert found.told["record"] == {"object": {"n": "integer", "s?": "text"}}
    assert found.told["record_count"] == 2


def test_of_json_that_is_too_large_the_complete_beginning_is_shown() -> None:
    data = json.dumps({"meta": {"unit": "m"}, "rows": [{"n": n} for n in range(700_000)]}).encode()
    assert len(data) > bounds.MOST_JSON
    found = seen(data, "big.json")
    assert found.kind == "json"
    assert found.told["beginning"]["meta"] == {"unit": "m"}
    assert found.told["beginning"]["rows"][0] == {"n": 0}


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_json_of_any_depth_gets_an_answer(opening: bytes) -> None:
    for depth in (900, 5_000, 200_000):
        found = seen(opening * depth, "deep.json")
        assert found.kind in ("text", "json")


def test_numbers_that_json_cannot_say_back_stay_text() -> None:
    found = values.document('{"a": NaN, "b": 1e999, "c": -Infinity, "d": 1.5}', True)
    assert found["beginning"] == {"a": "NaN", "b": "1e999", "c": "-Infinity", "d": 1.5}
    assert seen(b'{"n": ' + b"9" * 5_000 + b"}", "n.json").kind == "text"  # Python refuses such integers


@given(JSON, st.integers(0, 400))
def test_a_cut_document_shows_only_what_is_complete(value: Any, cut: int) -> None:
    text = json.dumps(value)
    found = values.prefix(text[:cut])
    assert found is None or isinstance(found, type(value))
    if isinstance(value, list) and value and found:
        assert found[:-1] == value[: len(found) - 1]


# Text and encodings


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("Größe\n".encode(), "utf-8"),
        ("Größe\n".encode("utf-8-sig"), "utf-8"),
        ("Größe\n".encode("utf-16"), "utf-16"),
        ("Größe\n".encode("utf-32"), "utf-32"),
        ("Größe\n".encode("latin-1"), "latin-1 (a guess: it is not UTF-8)"),
        ("„Größe“\n".encode("cp1252"), "cp1252 (a guess: it is not UTF-8)"),
    ],
)
def test_encodings_are_recognised(data: bytes, encoding: str) -> None:
    found = seen(data)
    assert found.told["encoding"] == encoding
    assert "Größe" in found.told["lines"][0]


def test_a_character_cut_in_half_at_the_end_of_what_was_read_is_no_bad_encoding() -> None:
    assert texts.decoded("xäöü".encode()[:-1]) == ("xäö", "utf-8")


def test_bytes_that_are_no_text_are_shown_as_numbers() -> None:
    found = seen(bytes(range(256)) * 4)
    assert found.kind == "bytes"
    assert found.told["first_bytes"][4].startswith("0040  40 41 42")
    assert found.told["first_bytes"][4].endswith("@ABCDEFGHIJKLMNO")


def test_characters_that_hide_something_are_not_passed_on() -> None:
    assert texts.seen({"a\u202eb": ["x\u200by", "\ud800"]}) == {"ab": ["xy", ""]}


# Images


def test_a_small_image_is_shown_with_its_size() -> None:
    data = png(64, 32)
    found = seen(data, "x.bin", "application/octet-stream")
    assert found.told == {"format": "png", "width": 64, "height": 32}
    assert found.image == (data, "image/png")


def test_an_image_that_claims_too_many_pixels_or_has_a_broken_header_is_not_shown() -> None:
    assert seen(png(60_000, 60_000)).image is None
    assert seen(png(1, 1)[:18]).image is None
    assert seen(png(1, 1) + bytes(200_000)).image is None


@pytest.mark.parametrize(
    ("head", "kind", "size"),
    [
        (b"GIF89a" + struct.pack("<HH", 7, 9), "gif", (7, 9)),
        (b"BM" + bytes(16) + struct.pack("<ii", 5, -6), "bmp", (5, 6)),
        (b"\xff\xd8\xff\xe0\x00\x04ab\xff\xff\xc2\x00\x11\x08\x00\x05\x00\x06\x00", "jpeg", (6, 5)),
        (b"RIFF\0\0\0\0WEBPVP8X" + bytes(8) + b"\x63\0\0\x31\0\0", "webp", (100, 50)),
        (b"RIFF\0\0\0\0WEBPVP8L" + bytes(5) + (99 | 49 << 14).to_bytes(4, "little"), "webp", (100, 50)),
        (b"RIFF\0\0\0\0WEBPVP8 " + bytes(10) + struct.pack("<HH", 100, 50), "webp", (100, 50)),
    ],
)
def test_dimensions_come_from_the_header(head: bytes, kind: str, size: tuple[int, int]) -> None:
    assert images.dimensions(head, kind) == size


@given(st.binary(max_size=64), st.sampled_from(["png", "gif", "jpeg", "webp", "bmp", "tiff"]))
def test_no_header_makes_the_reader_fail(head: bytes, kind: str) -> None:
    images.dimensions(head, kind)
    images.dimensions(b"\xff\xd8" + head, "jpeg")
