"""A look costs little, whatever the file: bombs, far places, native readers."""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Iterator

import pytest

from ivcap_mcp.preview import archives, bounds, parquet
from ivcap_mcp.preview.look import Subject, look, opened
from ivcap_mcp.preview.source import Ranged, Streamed
from tests.mcp.files import CO2, LEGS, peak, seen, source, tarred, why_not, zipped

# Bombs


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
