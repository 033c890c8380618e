"""The built wheel as people install it: complete, and aware of a neighbour that overwrites it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = [sys.executable, "-m", "uv"]
PUBLIC = "ivcap-client==0.47.21"


def run(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
        cwd=cwd,
        env=environment,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    built = run(*UV, "build", "--wheel", "--out-dir", out, ROOT)
    assert built.returncode == 0, built.stderr
    (found,) = out.glob("*.whl")
    return found


def environment(where: Path, *orders: list[str | Path]) -> Path:
    assert run(*UV, "venv", "--python", sys.executable, where).returncode == 0
    for order in orders:
        installed = run(*UV, "pip", "install", "--python", where / "bin" / "python", *order)
        assert installed.returncode == 0, installed.stderr
    return where / "bin" / "ivcap-mcp"


def test_the_wheel_holds_both_packages_with_their_data_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"ivcap_client", "ivcap_mcp"}
    for wanted in (
        "ivcap_client/py.typed",
        "ivcap_mcp/examples/data/mauna_loa_co2.csv",
        "ivcap_mcp/examples/co2_trend.py",
    ):
        assert wanted in names
    assert not [name for name in names if "__pycache__" in name or "tests" in name]


def test_the_demo_runs_from_the_installed_wheel(wheel: Path, tmp_path: Path) -> None:
    command = environment(tmp_path / "venv", [wheel])
    ran = run(command, "demo", "--out", tmp_path / "out", cwd=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (tmp_path / "out" / "co2_trend.png").exists()
    run(command, "platform", "--stop", "--local-dir", tmp_path / "out" / "store")


@pytest.mark.parametrize("ours_first", [True, False])
def test_an_environment_shared_with_the_public_client_is_refused_with_the_repair(
    wheel: Path, tmp_path: Path, ours_first: bool
) -> None:
    orders: list[list[str | Path]] = [[wheel], [PUBLIC]]
    command = environment(tmp_path / "venv", *(orders if ours_first else orders[::-1]))
    ran = run(command, "--version")
    assert ran.returncode == 2
    assert "pip uninstall --yes ivcap-client ivcap-mcp" in ran.stderr
    assert "pip install ivcap-mcp" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    "starter",
    [
        ["uv", "tool", "run", "--isolated", "--from", "{wheel}", "ivcap-mcp"],
        ["uv", "tool", "run", "--from", "pipx", "pipx", "run", "--no-cache", "--spec", "{wheel}", "ivcap-mcp"],
    ],
    ids=["uvx", "pipx"],
)
def test_it_runs_without_being_installed(wheel: Path, tmp_path: Path, starter: list[str]) -> None:
    words = [sys.executable, "-m", *(word.format(wheel=wheel) for word in starter)]
    listed = run(*words, "tools", "--local-dir", tmp_path / "store", "--json", cwd=tmp_path)
    assert listed.returncode == 0, listed.stderr
    assert '"run_service"' in listed.stdout
