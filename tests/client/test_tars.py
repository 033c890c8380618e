"""Archives of strangers are unpacked into their directory or not at all."""

from __future__ import annotations

import contextlib
import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivcap_client._io.tars import TarSource, unpack
from ivcap_client.exception import InvalidInput, IvcapError, ProtocolError
from ivcap_client.files import TarMember

FILE = tarfile.REGTYPE


def archive(path: Path, *members: tuple[str, bytes, bytes], link: str = "", mode: str = "w:gz") -> Path:
    """A tar file of (name, type, content)."""
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload] # the mode is a variable
        for name, kind, data in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, len(data)
            info.mode = 0o7777
            tar.addfile(info, io.BytesIO(data))
    return path


def everything(root: Path) -> set[Path]:
    return set(root.rglob("*"))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_files_and_directories_are_unpacked(tmp_path: Path, mode: str) -> None:
    made = archive(tmp_path / "a", ("d/", tarfile.DIRTYPE, b""), ("/d/x", FILE, b"x"), ("y", FILE, b""), mode=mode)
    unpack(made, tmp_path / "out")
    assert (tmp_path / "out/d/x").read_bytes() == b"x"
    assert (tmp_path / "out/d/x").stat().st_mode & 0o7777 == 0o755  # neither setuid nor open to all


@pytest.mark.parametrize("name", ["../x", "d/../../x", "/../x", "d/..", "..", "a/\x00/b"])
def test_names_that_lead_out_write_nothing(tmp_path: Path, name: str) -> None:
    made = archive(tmp_path / "a", ("good", FILE, b"x"), (name, FILE, b"bad"))
    before = everything(tmp_path)
    try:
        unpack(made, tmp_path / "out")
    except IvcapError:
        assert everything(tmp_path) == before
    else:  # tar itself cuts a name at its first zero byte
        assert "\0" in name
        assert (everything(tmp_path) - before) == everything(tmp_path / "out") | {tmp_path / "out"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
@pytest.mark.parametrize("link", ["/etc", "..", "good"])
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes, link: str) -> None:
    made = archive(tmp_path / "a", ("good", FILE, b""), ("l", kind, b""), ("l/x", FILE, b"bad"), link=link)
    with pytest.raises(ProtocolError, match="link or a device"):
        unpack(made, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_link_that_lay_there_before_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/d").symlink_to(tmp_path / "outside")
    (tmp_path / "out/f").symlink_to(tmp_path / "outside/f")
    with pytest.raises(ProtocolError, match="would leave"):
        unpack(archive(tmp_path / "a", ("d/x", FILE, b"bad")), tmp_path / "out")
    with pytest.raises(ProtocolError, match="would leave"):
        unpack(archive(tmp_path / "b", ("f", FILE, b"bad")), tmp_path / "out")
    assert everything(tmp_path / "outside") == set()


@settings(max_examples=60)
@given(names=st.lists(st.text("a./\\~ü ", min_size=1, max_size=8), min_size=1, max_size=4))
def test_whatever_the_names_are_nothing_is_written_outside(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    tmp_path = tmp_path_factory.mktemp("tar")
    made = archive(tmp_path / "a", *((name, FILE, b"x") for name in names))
    with contextlib.suppress(IvcapError, OSError):
        unpack(made, tmp_path / "out")
    assert everything(tmp_path) - {tmp_path / "a", tmp_path / "out"} == everything(tmp_path / "out")


def test_an_archive_that_is_too_large_writes_nothing(tmp_path: Path) -> None:
    made = archive(tmp_path / "a", ("x", FILE, bytes(1000)), ("y", FILE, bytes(1000)))
    with pytest.raises(ProtocolError, match="more than the 1500 bytes"):
        unpack(made, tmp_path / "out", most_bytes=1500)
    with pytest.raises(ProtocolError, match="more than the 1 members"):
        unpack(made, tmp_path / "out", most_members=1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("cut", [0, 1, 30, 200])
def test_an_archive_that_was_cut_off_writes_nothing(tmp_path: Path, cut: int) -> None:
    made = archive(tmp_path / "a", ("x", FILE, bytes(range(256)) * 400))
    made.write_bytes(made.read_bytes()[:cut])
    with pytest.raises(InvalidInput, match="not a whole tar archive"):
        unpack(made, tmp_path / "out")
    assert not everything(tmp_path / "out")


@settings(max_examples=40)
@given(
    members=st.dictionaries(
        st.text("abc/ü日 ", min_size=1, max_size=120).filter(lambda name: not name.endswith("/")),
        st.binary(max_size=1500),
    ),
    sizes=st.lists(st.integers(1, 700), min_size=1),
)
def test_what_is_read_in_pieces_of_any_size_is_an_archive_of_its_members(
    members: dict[str, bytes], sizes: list[int]
) -> None:
    source = TarSource(TarMember.from_bytes(data, name) for name, data in members.items())
    made, number = bytearray(), 0
    while piece := source.read(sizes[number % len(sizes)]):
        assert len(piece) <= sizes[number % len(sizes)]
        made += piece
        number += 1
    with tarfile.open(fileobj=io.BytesIO(bytes(made)), mode="r:gz") as tar:
        found = {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr] # all are files
    assert found == members


@pytest.mark.parametrize("given", [{}, {"data": b"", "file_path": "x"}])
def test_a_member_is_made_of_one_thing(given: dict[str, bytes]) -> None:
    with pytest.raises(InvalidInput, match="either file_path or data"):
        TarMember("name", **given)  # type: ignore[arg-type] # as a program would that is mistaken
    with pytest.raises(InvalidInput, match="needs a name"):
        TarMember("", data=b"")
