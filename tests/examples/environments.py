"""Environments for tools, made from their inline metadata (PEP 723) and kept between test runs."""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]


def python_for(script: Path, *pins: str) -> Path:
    """Return an interpreter that has what `script` asks for.

    Args:
        script: A Python file with a PEP 723 block.
        pins: Further requirements, to test with a certain version.
    """
    block = re.search(r"^# /// script\n((?:#.*\n)+?)# ///$", script.read_text(), re.MULTILINE)
    assert block, f"{script.name} has no inline metadata"
    wanted = tomllib.loads(re.sub(r"^# ?", "", block[1], flags=re.MULTILINE))["dependencies"] + list(pins)
    key = hashlib.sha256(repr((sorted(wanted), sys.version)).encode()).hexdigest()[:16]
    home = Path(os.environ.get("IVCAP_TEST_ENVIRONMENTS") or ROOT / "build" / "environments")
    place = home / key
    if not place.exists():
        home.mkdir(parents=True, exist_ok=True)
        # Built aside and renamed: a test run that is cut off leaves no half environment, and workers may race.
        aside = Path(tempfile.mkdtemp(prefix=f"{key}-", dir=home))
        try:
            build(aside, wanted)
            with contextlib.suppress(OSError):  # another worker was first; its environment is as good
                aside.rename(place)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return place / "bin" / "python"


def build(place: Path, wanted: list[str]) -> None:
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv:
        run(uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(place))
        run(uv, "pip", "install", "--quiet", "--python", str(place / "bin" / "python"), *wanted)
    else:
        venv.create(place, with_pip=True)
        run(str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", *wanted)


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
