"""The public `ivcap-client` 0.47.21, from an environment of its own, against `ivcap-mcp platform`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.place import NEWEST, OLD, REHEARSAL, rewrite, started
from tests.interop.place import place as make_place
from tests.interop.venvs import SCRIPTS, facts, python_with

PUBLIC = "ivcap-client==0.47.21"
SCRIPT = SCRIPTS / "public_client.py"
HELPERS = {"service", "plain", "ended", "raised", "status_of", "small", "main"}
CLAIMS = [
    node.name
    for node in ast.parse(SCRIPT.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.name not in HELPERS
]
TOKEN = "a-token-for-judges"


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What became of each claim."""
    home: Path = tmp_path_factory.mktemp("public")
    old, plain = home / "rehearsal_old.py", home / "rehearsal_plain.py"
    rewrite(old, NEWEST, OLD)
    rewrite(
        plain, "outcome: Outcome = Field(\n        default=Outcome.succeed", 'outcome: str = Field(default="succeed"'
    )
    with make_place(home, str(REHEARSAL), f"rehearsal_old={old}", f"rehearsal_plain={plain}") as place:
        place.described("rehearsal", "get_job")
        place.stop()
        command = place.command("platform", "--port", "0", "--token", TOKEN)
        with started(command, place.env, r"serves (http://\S+?);", stream="stdout") as said:
            folder = home / "work"
            folder.mkdir()
            yield facts(python_with(PUBLIC), SCRIPT.name, folder, url=said[1], token=TOKEN)


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_public_client_finds_that(claim: str, seen: dict[str, Any]) -> None:
    assert claim in seen
    assert seen[claim] is None, seen[claim]
