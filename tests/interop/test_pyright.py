"""Pyright, at its strictest, on code as users write it, and on our examples: nothing to say.

mypy looks at the same file with all others.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interop.node import Node
from tests.interop.place import ROOT

TYPICAL = ROOT / "tests" / "typed" / "typical.py"
AT_RUN_TIME = {"sdk_request_model"}
"""Their models are made while they run: no checker can know the fields."""
EXAMPLES = sorted(path for path in (ROOT / "docs" / "examples").glob("sdk_*.py") if path.stem not in AT_RUN_TIME)


def complaints(judge: Node, home: Path, file: Path) -> list[str]:
    """What pyright says of a file."""
    shutil.copy(file, home)
    settings = {"extraPaths": [str(ROOT)], "typeCheckingMode": "strict", "pythonVersion": "3.11"}
    (home / "pyrightconfig.json").write_text(json.dumps(settings))
    pyright = judge.module("pyright", "index.js")
    done = subprocess.run(
        [judge.program, pyright, "--outputjson", "--pythonpath", sys.executable, "-p", home],
        capture_output=True, text=True, timeout=300, env=judge.environment(),
    )  # fmt: skip
    assert done.stdout.startswith("{"), done.stderr
    told = json.loads(done.stdout)
    assert told["summary"]["filesAnalyzed"] == 1
    return [
        f"{one['file']}:{one['range']['start']['line'] + 1}: {one['message']}" for one in told["generalDiagnostics"]
    ]


def test_pyright_finds_nothing_in_typical_code(judge: Node, tmp_path: Path) -> None:
    assert complaints(judge, tmp_path, TYPICAL) == []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_pyright_finds_nothing_in_an_example(judge: Node, tmp_path: Path, example: Path) -> None:
    assert complaints(judge, tmp_path, example) == []
