"""A look into archives and compressed files, whole, cut off and damaged."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivcap_mcp.preview import bounds
from tests.mcp.files import CO2, LEGS, png, seen, tarred, why_not, zipped

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
