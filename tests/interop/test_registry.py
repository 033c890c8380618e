"""`server.json` as the MCP registry judges it: by the newest schema in the registry's own Go module."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from tests.docs.pages import ROOT
from tests.interop.place import BUILD

MODULE = "github.com/modelcontextprotocol/registry@latest"
MANIFEST = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    go = shutil.which("go")
    if go is None:
        pytest.skip("there is no go here, whose module the registry's schema comes with")
    home = BUILD / "interop" / "go"
    home.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "GOPATH": str(home), "GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local"}
    done = subprocess.run(
        [go, "mod", "download", "-json", MODULE], cwd=home, env=env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    folder = Path(json.loads(done.stdout)["Dir"]) / "internal" / "validators" / "schemas"
    newest = max(folder.glob("20*.json"))
    found: dict[str, Any] = json.loads(newest.read_text(encoding="utf-8"))
    return found


def test_the_manifest_is_valid_and_names_the_newest_schema(schema: dict[str, Any]) -> None:
    assert MANIFEST["$schema"] == schema["$id"]
    Draft7Validator.check_schema(schema)
    assert [error.message for error in Draft7Validator(schema).iter_errors(MANIFEST)] == []


@pytest.mark.parametrize(
    "broken",
    [{"name": "no-slash"}, {"description": "x" * 101}, {"version": 1}, {"packages": [{"registryType": "pypi"}]}],
)
def test_the_judge_sees_what_is_wrong(schema: dict[str, Any], broken: dict[str, Any]) -> None:
    assert list(Draft7Validator(schema).iter_errors(MANIFEST | broken))
