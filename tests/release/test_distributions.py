"""Wheel and sdist hold what they should and nothing else, and the same tree gives the same bytes anywhere, any time."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from release import bundle
from tests.docs.pages import ROOT

SHIPPED = ("ivcap_client", "ivcap_mcp")
LEFT_OUT = (".gitignore", ".github")


def tracked() -> list[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("what belongs to the project is known from git only")
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    return [name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def built(where: Path, when: int, mask: int) -> dict[str, Path]:
    """Both, from a copy of the tree with other times and permissions."""
    tree = where / "tree"
    for name in tracked():
        copy = tree / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy)
        os.utime(copy, (when, when))
        copy.chmod(0o666 & ~mask)
    (tree / "ivcap_mcp" / "__pycache__").mkdir()
    (tree / "ivcap_mcp" / "__pycache__" / "x.pyc").write_bytes(b"rubbish")
    (tree / ".env").write_text("IVCAP_JWT=secret")
    env = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(where / "dist")]
    subprocess.run(command, cwd=tree, env=env, check=True, capture_output=True)
    return {path.suffix: path for path in (where / "dist").iterdir()}


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Path]]:
    return [
        built(tmp_path_factory.mktemp("one"), 1_600_000_000, 0o022),
        built(tmp_path_factory.mktemp("another-place"), 1_700_000_000, 0o077),
    ]


@pytest.mark.parametrize("kind", [".whl", ".gz"])
def test_built_twice_it_has_the_same_bytes(twice: list[dict[str, Path]], kind: str) -> None:
    digests = {hashlib.sha256(one[kind].read_bytes()).hexdigest() for one in twice}
    assert len(digests) == 1
    assert len({one[kind].name for one in twice}) == 1


def test_the_wheel_holds_both_packages_as_they_are_tracked_and_nothing_else(twice: list[dict[str, Path]]) -> None:
    with zipfile.ZipFile(twice[0][".whl"]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        about = {name.partition(".dist-info/")[2] for name in wheel.namelist()} - {""}
    assert names == {name for name in tracked() if name.startswith(tuple(f"{package}/" for package in SHIPPED))}
    assert about == {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}


def test_the_sdist_holds_the_project_as_it_is_tracked_and_nothing_else(twice: list[dict[str, Path]]) -> None:
    with tarfile.open(twice[0][".gz"]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    wanted = {name for name in tracked() if not name.startswith(LEFT_OUT)}
    assert names - {"PKG-INFO", ".gitignore"} == wanted | {"pyproject.toml"}


def test_the_readme_on_the_index_names_the_server_for_the_registry(twice: list[dict[str, Path]]) -> None:
    with zipfile.ZipFile(twice[0][".whl"]) as wheel:
        (about,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
        assert b"mcp-name: io.github.ivcap-works/ivcap-mcp" in wheel.read(about)


def test_the_bundle_is_the_same_twice_and_holds_what_it_names(tmp_path: Path) -> None:
    one, other = bundle.build(tmp_path / "one"), bundle.build(tmp_path / "other")
    assert one.read_bytes() == other.read_bytes()
    with zipfile.ZipFile(one) as found:
        names = set(found.namelist())
        project = found.read("pyproject.toml").decode()
    (wheel,) = (name for name in names if name.endswith(".whl"))
    assert names == {"manifest.json", "pyproject.toml", "server.py", "LICENSE", wheel}
    assert wheel in project
    assert "mcp==" in project
    assert bundle.manifest()["server"]["entry_point"] in names
