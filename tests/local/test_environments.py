"""Environments built for real, from wheels made here, so that no package index is asked."""

from __future__ import annotations

import subprocess
import threading
import zipfile
from pathlib import Path

import pytest

from ivcap_client._local import environments
from ivcap_client._local.environments import EnvironmentFailed
from ivcap_client._local.specs import EnvironmentSpec


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IVCAP_CACHE_DIR", str(tmp_path / "cache"))


def wheel(tmp_path: Path, name: str = "answer", text: str = "value = 42\n") -> str:
    """A requirement that names a wheel with one module."""
    path = tmp_path / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", text)
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return f"{name} @ {path.as_uri()}"


@pytest.mark.parametrize("with_uv", [True, False])
def test_an_environment_holds_what_was_asked_for_and_is_built_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_uv: bool
) -> None:
    if not with_uv:
        monkeypatch.setattr(environments, "_uv", lambda: None)  # as on a machine without it
    spec, lines = EnvironmentSpec(dependencies=(wheel(tmp_path),)), list[str]()
    assert environments.python_of(spec) is None
    python = environments.ensure(spec, progress=lines.append)
    told = subprocess.run(
        [python, "-c", "import answer; print(answer.value)"], capture_output=True, text=True, check=True
    )
    assert told.stdout == "42\n"
    assert lines
    lines.clear()
    assert environments.ensure(spec, progress=lines.append) == python == environments.python_of(spec)
    assert not lines


def test_what_pip_says_is_told_as_short_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "_uv", lambda: None)
    names = [f"answer_{letter * 60}" for letter in "ab"]  # both in one line once they are installed
    lines: list[str] = []
    environments.ensure(
        EnvironmentSpec(dependencies=tuple(wheel(tmp_path, name) for name in names)), progress=lines.append
    )
    told = lines[1:]  # after our own
    assert any(line.startswith("Successfully installed") for line in told)
    assert all(line == line.strip() and len(line) <= 120 for line in told)


def test_a_build_that_fails_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    spec = EnvironmentSpec(dependencies=(f"missing @ {(tmp_path / 'missing-1.0-py3-none-any.whl').as_uri()}",))
    for _ in range(2):
        with pytest.raises(EnvironmentFailed, match="could not be built") as failed:
            environments.ensure(spec)
        assert "missing" in failed.value.log
    assert environments.python_of(spec) is None


def test_offline_uses_what_is_there_and_builds_nothing(tmp_path: Path) -> None:
    spec = EnvironmentSpec(dependencies=(wheel(tmp_path),))
    with pytest.raises(EnvironmentFailed, match="--offline"):
        environments.ensure(spec, offline=True)
    built = environments.ensure(spec)
    assert environments.ensure(spec, offline=True) == built


def test_an_environment_whose_builder_was_killed_is_built_anew(tmp_path: Path) -> None:
    spec = EnvironmentSpec(dependencies=(wheel(tmp_path),))
    python = environments.ensure(spec)
    (python.parent.parent / ".complete").unlink()
    python.unlink()
    assert environments.python_of(spec) is None
    assert environments.ensure(spec).exists()


def test_two_who_want_the_same_build_it_once(tmp_path: Path) -> None:
    spec, lines = EnvironmentSpec(dependencies=(wheel(tmp_path),)), list[str]()
    threads = [
        threading.Thread(target=environments.ensure, args=(spec,), kwargs={"progress": lines.append}) for _ in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(line.startswith("building an environment") for line in lines) == 1


def test_an_option_is_not_a_requirement() -> None:
    with pytest.raises(EnvironmentFailed, match="an option of the installer"):
        environments.ensure(EnvironmentSpec(dependencies=("--index-url=http://elsewhere.invalid",)))


def test_the_builder_knows_where_packages_come_from_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IVCAP_JWT", "ANTHROPIC_API_KEY", "UV_INDEX_URL", "PIP_INDEX_URL", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "x")
    assert {name for name, value in environments.builder_environment().items() if value == "x"} == {
        "UV_INDEX_URL",
        "PIP_INDEX_URL",
        "HTTPS_PROXY",
    }


@pytest.mark.parametrize(
    ("specifier", "fits"),
    [
        ("", True),
        (">=3.11", True),
        (">=3.10,<3.13", True),
        ("<3.11", False),
        ("~=3.11", True),
        ("==3.11.*", True),
        ("==3.12.*", False),
        ("!=3.11.*", False),
        (">3.11.7", False),
        ("~=3.11.8", False),
    ],
)
def test_python_versions_are_compared_as_pep_440_says(specifier: str, fits: bool) -> None:
    assert environments.fits((3, 11, 7), specifier) is fits
    with pytest.raises(EnvironmentFailed, match="cannot read"):
        environments.fits((3, 11, 7), "newest")
