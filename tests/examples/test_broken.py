"""The tools that are broken on purpose break the way their name says, so that tests which rely on it mean something."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.environments import python_for
from tests.examples.waiting import until

BROKEN = Path(__file__).parent / "broken"


def test_no_start_ends_with_a_traceback() -> None:
    ended = subprocess.run([sys.executable, BROKEN / "no_start.py"], capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1
    assert "RuntimeError: this tool cannot start, on purpose" in ended.stderr


def test_the_environment_of_bad_requirement_cannot_be_built() -> None:
    with pytest.raises(AssertionError, match=r"0\.0\.0\.dev0"):
        python_for(BROKEN / "bad_requirement.py")


def test_never_ready_says_so_and_stays(tmp_path: Path) -> None:
    said = tmp_path / "stderr"
    with said.open("wb") as err, subprocess.Popen([sys.executable, BROKEN / "never_ready.py"], stderr=err) as process:
        try:
            until(lambda: "never ready, on purpose" in said.read_text(), what="the message")
            assert process.poll() is None
        finally:
            process.kill()
