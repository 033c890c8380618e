"""`--allow-root`: files below it and nothing else, by whatever path, link or race."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivcap_mcp import allowed
from ivcap_mcp.errors import ToolError

SECRET = b"a secret"
GOOD = b"x,y\n1,2\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An allowed directory beside a secret, with links out of it."""
    found = tmp_path / "allowed"
    (found / "sub").mkdir(parents=True)
    (found / "sub" / "good.csv").write_bytes(GOOD)
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "allowed-not").mkdir()
    (tmp_path / "allowed-not" / "file").write_bytes(SECRET)
    (found / "out").symlink_to(tmp_path / "secret")
    (found / "up").symlink_to(tmp_path)
    (found / "in").symlink_to(found / "sub")
    (found / "circle").symlink_to(found / "circle")
    os.mkfifo(found / "pipe")
    return found


def read(path: str, *roots: Path) -> bytes:
    with allowed.opened(path, roots) as file:
        return file.read()


@pytest.mark.parametrize("path", ["sub/good.csv", "./sub/../sub/good.csv", "in/good.csv", "{root}/sub/good.csv"])
def test_a_file_below_the_root_is_read_also_by_a_link_that_stays_inside(root: Path, path: str) -> None:
    assert read(path.format(root=root), root) == GOOD


@pytest.mark.parametrize(
    "path",
    [
        "../secret", "out", "up/secret", "sub/../../secret", "in/../../secret", "{root}/../secret", "{root}-not/file",
        "/etc/passwd", "/proc/self/root/etc/passwd", "/proc/self/cwd/pyproject.toml", "/proc/self/environ",
        "/dev/zero", "~root/.bashrc",
    ],
)  # fmt: skip
def test_a_path_that_leads_outside_is_refused_however_it_is_written(root: Path, path: str) -> None:
    with pytest.raises(ToolError) as refused:
        read(path.format(root=root), root)
    assert refused.value.code in ("not_permitted", "not_found")


@pytest.mark.parametrize("path", ["", ".", "sub", "pipe", "circle", "nothing", "a\0b", "x" * 5000, "sub/good.csv/more"])
def test_what_is_no_file_is_not_found_and_never_waited_for(root: Path, path: str) -> None:
    with pytest.raises(ToolError) as refused:
        read(path, root)
    assert refused.value.code in ("not_found", "not_permitted")


def test_the_system_beside_the_root_is_never_reached_through_proc(root: Path) -> None:
    inside = f"/proc/self/root{root}/sub/good.csv"
    assert read(inside, root) == GOOD  # the same file by another name
    with pytest.raises(ToolError, match="outside"):
        read(f"/proc/self/root{root}/../secret", root)


@pytest.mark.parametrize("swapped", ["sub/good.csv", "sub"])
def test_a_link_put_there_after_the_look_is_not_followed(
    root: Path, monkeypatch: pytest.MonkeyPatch, swapped: str
) -> None:
    """The race: between looking a path up and opening it, a name on it becomes a link that leads outside."""
    (root.parent / "good.csv").write_bytes(SECRET)
    look = Path.resolve

    def looked_up(path: Path, strict: bool = False) -> Path:
        found = look(path, strict)
        if found.name == "good.csv":
            monkeypatch.setattr(Path, "resolve", look)
            (root / swapped).rename(root.parent / "moved")
            (root / swapped).symlink_to(root.parent / "secret" if swapped.endswith("csv") else root.parent)
        return found

    monkeypatch.setattr(Path, "resolve", looked_up)
    with pytest.raises(ToolError) as refused:
        read("sub/good.csv", root)
    assert refused.value.code in ("not_permitted", "not_found")


def test_without_a_root_nothing_is_read(root: Path) -> None:
    with pytest.raises(ToolError, match="may read no files"):
        read(str(root / "sub" / "good.csv"))


def test_a_second_root_counts_as_much_as_the_first(root: Path, tmp_path: Path) -> None:
    assert read(str(root / "sub" / "good.csv"), tmp_path / "allowed-not", root) == GOOD


@given(
    st.lists(st.sampled_from(["..", ".", "sub", "in", "up", "out", "secret", "good.csv", "", "allowed"]), max_size=8)
)
def test_no_path_made_of_these_names_gives_the_secret(tmp_path_factory: pytest.TempPathFactory, names: Any) -> None:
    base = tmp_path_factory.getbasetemp() / "allowed-names"
    inside = base / "allowed"
    if not inside.exists():
        (inside / "sub").mkdir(parents=True)
        (inside / "sub" / "good.csv").write_bytes(GOOD)
        (base / "secret").write_bytes(SECRET)
        (inside / "out").symlink_to(base / "secret")
        (inside / "up").symlink_to(base)
        (inside / "in").symlink_to(inside / "sub")
    with contextlib.suppress(ToolError):
        assert read("/".join(names), inside) == GOOD
