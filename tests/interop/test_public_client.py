"""The public `ivcap-client` 0.47.21, from an environment of its own, against `ivcap-mcp platform`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.described.judge import deviations
from tests.described.recorder import recording
from tests.interop.place import NEWEST, OLD, REHEARSAL, rewrite, started
from tests.interop.place import place as make_place
from tests.interop.venvs import SCRIPTS, facts, python_with

PUBLIC = "ivcap-client==0.47.21"
JUDGES = ("public_services.py", "public_data.py")


def claims(script: str) -> list[str]:
    """The claims a script makes, by name."""
    tree = ast.parse((SCRIPTS / script).read_text(encoding="utf-8"))
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list]


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
        with (
            started(command, place.env, r"serves (http://\S+?);", stream="stdout") as said,
            recording(said[1]) as recorder,
        ):
            folder = home / "work"
            folder.mkdir()
            seen = {
                script: facts(python_with(PUBLIC), script, folder, url=recorder.url, token=TOKEN) for script in JUDGES
            }
        yield {**seen, "traffic": sorted({one for exchange in recorder.exchanges for one in deviations(exchange)})}


@pytest.mark.parametrize(("script", "claim"), [(script, one) for script in JUDGES for one in claims(script)])
def test_the_public_client_finds_that(script: str, claim: str, seen: dict[str, Any]) -> None:
    assert claim in seen[script]
    assert seen[script][claim] is None, seen[script][claim]


def test_what_it_and_the_platform_say_is_what_is_described(seen: dict[str, Any]) -> None:
    assert seen["traffic"] == []
