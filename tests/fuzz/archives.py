"""Files that somebody uploaded, and a look into them: archives, compressed files, images, tables, documents."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from random import Random

from ivcap_mcp.preview.bounds import Unreadable
from tests.fuzz import chance as by
from tests.fuzz.fuzzing import Check, Part
from tests.mcp.files import CO2, png, seen, tarred, zipped

NAMES = (
    "",
    "x.csv",
    "x.json",
    "x.ndjson",
    "x.tsv",
    "x.txt",
    "x.zip",
    "x.tar.gz",
    "x.png",
    "x.parquet",
    "../x",
    "\u202ex",
)
TYPES = (None, "text/csv", "application/json", "application/zip", "image/png", "text/plain; charset=utf-16", "x", "")
MEMBERS = (None, None, "a", "b/c", "inner.zip", "in.csv.gz", "../a", "", "\0")
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffc0000b080010001001011100ffda0008010100003f00d2cf20ffd9")
WEBP = b"RIFF\x1a\0\0\0WEBPVP8L\r\0\0\0\x2f\x03\xc0\0\0\x07\x10\xfd\x8f\xfe\x07\x22\xa2\xff\x01"


@cache
def corpus() -> tuple[bytes, ...]:
    """Good files, small, so that damage lies where it matters."""
    table, small = CO2[:900], b"x,y\n1,2\n3,4\n"
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL).writerows([["a", 'q"q', "n\nn"], [1, 2, 3]])
    inner = zipped(a=small)
    return (
        zipped(a=b"x" * 500, b__c=table), zipped(inner_dot_zip=inner, in_dot_csv_dot_gz=gzip.compress(table)),
        tarred(("a", b"x" * 500), ("b/c", table)), tarred(("a", small), mode="w:gz"), tarred(("a", small), mode="w:xz"),
        tarred(("b/c", small), mode="w:bz2"), gzip.compress(table), bz2.compress(small), lzma.compress(small),
        gzip.compress(gzip.compress(small)), png(3, 3), JPEG, WEBP, b"GIF89a\x03\0\x03\0\x80\0\0\0\0\0\xff\xff\xff;",
        b"BM" + bytes(52), table, small, out.getvalue().encode(), "a;b\n1,5;2\n".encode("utf-16"),
        json.dumps([{"a": n, "b": [None, {"c": "d"}]} for n in range(9)]).encode(),
        b"".join(b'{"a": %d}\n' % n for n in range(9)), b"%PDF-1.4\n", b"\x89HDF\r\n\x1a\n" + bytes(40), bytes(300),
        b"# note\n\nplain text\n", b"",
    )  # fmt: skip


def make(chance: Random) -> tuple[bytes, str, str | None, str | None, str]:
    """The bytes, what they are called and said to be, the member that is asked for, and how they are fetched."""
    data = chance.choice(corpus())
    if data and chance.random() < 0.9:
        data = by.damaged(chance, data)
    if chance.random() < 0.05:
        data += chance.choice(corpus())
    leg = chance.choice(("ranged", "streamed"))
    return data, chance.choice(NAMES), chance.choice(TYPES), chance.choice(MEMBERS), leg


@asynccontextmanager
async def opened() -> AsyncIterator[Check]:
    async def check(tried: tuple[bytes, str, str | None, str | None, str]) -> None:
        data, name, mime, member, leg = tried
        try:
            found = seen(data, name, mime, member, leg)
        except Unreadable as refused:
            assert len(str(refused)) < 1_000
            return
        said = json.dumps(found.told, ensure_ascii=False)
        assert len(said) < 500_000, f"{len(said)} characters are told of {len(data)} bytes"
        said.encode()

    yield check


PART = Part("archives", 25_000, 1_200, make, opened)
