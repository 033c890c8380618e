"""A look into bytes of every kind, from friends and from enemies: always an answer, always bounded."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import struct
import tarfile
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivcap_mcp import examples
from ivcap_mcp.preview import archives, bounds, images, parquet, tables, texts, values
from ivcap_mcp.preview.look import Look, Subject, look, opened
from ivcap_mcp.preview.source import Ranged, Source, Streamed

CO2 = examples.path("data/mauna_loa_co2.csv").read_bytes()
LEGS = ("ranged", "streamed")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=20,
)


def source(data: bytes, leg: str = "ranged", most: int = bounds.MOST_FETCHED) -> Source:
    budget = bounds.Budget(most, time.monotonic() + 60)
    if leg == "ranged":
        return Ranged(lambda first, length: data[first : first + length], len(data), budget)
    return Streamed((data[at : at + 50_000] for at in range(0, len(data), 50_000)), len(data), root=True)


def seen(data: bytes, name: str = "", mime: str | None = None, member: str | None = None, leg: str = "ranged") -> Look:
    return look(opened(Subject(source(data, leg), name, mime, time.monotonic() + 60), member), 100_000)


def why_not(data: bytes, name: str = "", member: str | None = None, leg: str = "ranged") -> str:
    with pytest.raises(bounds.Unreadable) as refused:
        seen(data, name, member=member, leg=leg)
    assert len(str(refused.value)) < 1_000
    return str(refused.value)


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), data)
    return out.getvalue()


def tarred(*entries: tuple[str, bytes], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


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


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IEND", b"")


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


# Archives


@pytest.mark.parametrize("leg", LEGS)
@pytest.mark.parametrize(
    "pack",
    [
        lambda: zipped(data__co2_dot_csv=CO2, readme=b"hello\n"),
        lambda: tarred(("data/co2.csv", CO2), ("readme", b"hello\n")),
        lambda: tarred(("data/co2.csv", CO2), ("readme", b"hello\n"), mode="w:gz"),
        lambda: tarred(("data/co2.csv", CO2), ("readme", b"hello\n"), mode="w:bz2"),
        lambda: tarred(("data/co2.csv", CO2), ("readme", b"hello\n"), mode="w:xz"),
    ],
    ids=["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"],
)
def test_an_archive_lists_its_members_and_each_can_be_looked_into(pack: Callable[[], bytes], leg: str) -> None:
    data = pack()
    found = seen(data, leg=leg)
    assert found.kind == "archive"
    assert [(one["member"], one["size"]) for one in found.told["members"]] == [
        ("data/co2.csv", len(CO2)),
        ("readme", 6),
    ]
    inside = seen(data, member="data/co2.csv", leg=leg)
    assert inside.kind == "table"
    assert inside.told["row_count"] == 2284
    assert seen(data, member="readme", leg=leg).told["lines"] == ["hello"]
    assert "no file 'nothing'" in why_not(data, member="nothing", leg=leg)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_file_is_looked_into(pack: Callable[[bytes], bytes]) -> None:
    assert seen(pack(CO2), "co2.csv.gz").kind == "table"
    assert seen(pack(CO2[:20_000]) + pack(CO2[20_000:]), "co2.csv.gz").told["row_count"] == 2284
    assert seen(zipped(inner_dot_csv_dot_gz=pack(CO2)), member="inner.csv.gz").kind == "table"


def test_members_with_odd_names_are_listed_with_a_warning_and_are_only_names() -> None:
    data = tarred(
        ("../../etc/passwd", b"x"), ("/abs", b"y"), ("C:\\x", b"z"), ("fine/..name", b"f"), ("rlo\u202e", b"")
    )
    members = seen(data).told["members"]
    assert ["leads out" in one.get("note", "") for one in members] == [True, True, True, False, False]
    assert members[4]["member"] == "rlo"
    assert seen(data, member="../../etc/passwd").told["lines"] == ["x"]
    assert seen(data, member="rlo").kind == "empty"


def test_links_in_a_tar_are_not_followed() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    (member,) = seen(out.getvalue()).told["members"]
    assert member["kind"] == "link"
    assert "leads to '/etc/passwd'" in why_not(out.getvalue(), member="link")


def test_an_encrypted_or_unusual_zip_member_is_named_as_such() -> None:
    data = bytearray(zipped(a=b"secret"))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    data[6] |= 1
    assert "encrypted" in why_not(bytes(data), member="a")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("b", b"x" * 100)
    assert "method 12" in why_not(out.getvalue(), member="b")


def test_more_members_than_fit_are_counted() -> None:
    told = seen(zipped(**{f"f{n}": b"" for n in range(300)})).told
    assert len(told["members"]) == bounds.MOST_MEMBERS
    assert told["member_count"] == 300
    assert "100 more" in told["more"]


def test_an_archive_in_an_archive_is_listed() -> None:
    inner = zipped(deep=b"x")
    found = seen(zipped(inner_dot_zip=inner), member="inner.zip")
    assert [one["member"] for one in found.told["members"]] == ["deep"]


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "gz", "json", "csv", "png"])
def test_a_file_cut_off_anywhere_gets_an_answer(kind: str) -> None:
    whole = {
        "zip": zipped(a_dot_csv=CO2),
        "tar": tarred(("a.csv", CO2)),
        "tar.gz": tarred(("a.csv", CO2), mode="w:gz"),
        "gz": gzip.compress(CO2),
        "json": json.dumps([{"a": n} for n in range(2_000)]).encode(),
        "csv": CO2,
        "png": png(3, 3),
    }[kind]
    for cut in sorted({*range(64), *range(0, len(whole), max(1, len(whole) // 60))}):
        for leg in LEGS:
            for member in (None, "a.csv"):
                try:
                    seen(whole[:cut], f"x.{kind}", member=member, leg=leg)
                except bounds.Unreadable:
                    continue


@given(st.data())
def test_damaged_archives_never_make_the_readers_fail(data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from(ARCHIVES)))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    for leg in LEGS:
        for member in (None, "a", "b/c"):
            try:
                seen(bytes(whole), member=member, leg=leg)
            except bounds.Unreadable:
                continue


ARCHIVES = [
    zipped(a=b"x" * 500, b__c=CO2[:900]),
    tarred(("a", b"x" * 500), ("b/c", CO2[:900])),
    tarred(("a", b"x"), mode="w:gz"),
]


# Bombs


def peak(work: Callable[[], Any]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_bomb_is_looked_at_like_any_other_file() -> None:
    """1 GB of zeros in 1 MB: only what is shown is unpacked."""
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(1_000)) + packer.flush()
    assert peak(lambda: seen(bomb, "x.gz")) < 16 * bounds.MIB


def test_a_zip_bomb_lists_its_claims_and_shows_the_head_of_its_member() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("zeros", "w") as member:
        for _ in range(300):
            member.write(b"0" * (1 << 20))
    data = out.getvalue()
    assert seen(data).told["unpacked_size"] == 300 << 20
    assert peak(lambda: seen(data, member="zeros")) < 16 * bounds.MIB


def test_a_compressed_tar_that_never_ends_is_listed_as_far_as_the_bound() -> None:
    def forever() -> Iterator[bytes]:
        packer = zlib.compressobj(wbits=31)
        info = tarfile.TarInfo("big")
        info.size = 10 << 30
        yield packer.compress(tarfile.TarInfo.tobuf(info))
        while True:
            yield packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_SYNC_FLUSH)

    endless = Streamed(forever(), None, root=True)
    found = look(opened(Subject(endless, "x.tgz", None, time.monotonic() + 60), None), 0)
    assert [one["member"] for one in found.told["members"]] == ["big"]
    assert "128 MiB" in found.told["note"]


def test_a_zip_whose_list_of_members_is_huge_is_refused_without_reading_it() -> None:
    data = bytearray(zipped(a=b"x"))
    end = data.index(b"PK\x05\x06")
    claimed = bytes(data[:end]) + bytes(8 << 20)
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 60_000, 60_000, len(claimed) - 10, 5, 0)
    assert "at once" in why_not(claimed + tail)


def test_a_tar_header_that_asks_for_a_huge_name_is_refused() -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 20 << 20
    data = info.tobuf(tarfile.GNU_FORMAT) + b"a" * (20 << 20) + bytes(1024)
    for leg in LEGS:
        assert why_not(data, leg=leg)


def test_an_xz_stream_may_not_ask_for_memory() -> None:
    packed = lzma.compress(b"x" * 1000, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}])
    assert "damaged" in why_not(packed)


def test_layers_of_compression_end() -> None:
    data = CO2
    for _ in range(5):
        data = gzip.compress(data)
    assert "more than 3 times" in why_not(data)


# Without ranges


def test_without_ranges_a_zip_is_read_up_to_32_mib_and_the_answer_says_why() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("big", bytes(33 << 20))
    assert seen(out.getvalue(), leg="ranged").kind == "archive"
    told = why_not(out.getvalue(), leg="streamed")
    assert "32 MiB" in told
    assert "was tried" in told


def test_without_ranges_heads_are_read_by_closing_early() -> None:
    taken: list[int] = []

    def pieces() -> Iterator[bytes]:
        while True:
            taken.append(1)
            yield b"x,y\n1,2\n" * 10_000

    look(Subject(Streamed(pieces(), 10 << 40, root=True), "huge.csv", None, time.monotonic() + 60), 0)
    assert len(taken) < 30


def test_a_look_may_not_fetch_without_end() -> None:
    data = tarred(*((f"f{n}", bytes(60_000)) for n in range(60)))
    whole = source(data, most=1 << 20)
    found = archives.listing(whole, "tar")
    assert 0 < found["member_count"] < 60
    assert "1 MiB" in found["note"]


def test_the_time_of_a_call_is_kept() -> None:
    late = bounds.Budget(1 << 30, time.monotonic() - 1)
    with pytest.raises(bounds.Stopped, match="time"):
        Ranged(lambda first, length: bytes(length), 1 << 20, late).head(10)


# Parquet


def test_without_the_extra_the_answer_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "ivcap-mcp[parquet]" in why_not(b"PAR1" + bytes(20) + b"PAR1", "t.parquet")


def test_parquet_shows_schema_and_first_rows() -> None:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as writer

    out = io.BytesIO()
    table = arrow.table({"n": list(range(50_000)), "s": [f"text {n}" for n in range(50_000)]})
    writer.write_table(table, out, row_group_size=10_000)
    data = out.getvalue()
    for leg in LEGS:
        found = seen(data, "t.parquet", leg=leg)
        assert found.kind == "parquet"
        assert found.told["row_count"] == 50_000
        assert [column["name"] for column in found.told["columns"]] == ["n", "s"]
        assert found.told["first_rows"][1] == [1, "text 1"]


def test_damaged_parquet_gets_an_answer() -> None:
    pytest.importorskip("pyarrow")
    from pyarrow import parquet as writer
    from pyarrow import table

    out = io.BytesIO()
    writer.write_table(table({"n": [1, 2, 3]}), out)
    whole = out.getvalue()
    assert "cut off" in why_not(whole[:-9])
    for at in range(len(whole) - 8, 4, -max(1, len(whole) // 12)):
        broken = whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]
        try:
            parquet.preview(source(broken))
        except bounds.Unreadable:
            continue


def test_a_delimiter_is_found_only_where_lines_agree() -> None:
    assert tables.delimiter("One, two.\nThree.\nFour, five, six.\nSeven.\n", "prose.txt") is None
    assert tables.delimiter("a;b\n1;2\n", "x.csv") == ";"
