"""Half a character (a lone surrogate), which JSON can hold and nothing can carry, in everything a platform tells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client

from ivcap_client import IVCAP
from ivcap_client._core.reading import loaded
from ivcap_client.auth import BearerAuth
from ivcap_client.exception import InvalidInput
from ivcap_mcp import Settings, build_server
from tests.mcp.clients import text
from tests.mcp.outside import ARTIFACT, ASPECT, JOB, SERVICE, TOKEN, TOOL_ASPECT, Asked, Outside, outside
from tests.mcp.test_behaviour import CALLS

HALF = "x\ud800y"
SCHEMA = {
    "type": "object",
    "properties": {"upto": {"type": "integer", "description": HALF}, HALF: {"enum": [HALF], "default": HALF}},
}


def telling_halves(platform: Outside) -> None:
    """Put halves into the names and contents of all that the platform has."""
    told = platform._value

    def value(asked: Asked) -> Any:
        found = told(asked)
        for one in found.get("items", [found]):
            if asked.step in ("artifact", "artifacts", "create", "service", "services"):
                one |= {"name": HALF, "description": HALF}
            elif asked.step in ("aspect", "aspects"):
                one |= {"content": {"a": HALF, HALF: [HALF]}, "schema": f"urn:x:{HALF}"}
        return found

    platform._value = value  # type: ignore[method-assign]


@pytest.mark.anyio
@pytest.mark.parametrize("status", ["succeeded", "failed"])
async def test_every_answer_can_be_sent(tmp_path: Path, status: str) -> None:
    job = {"status": status, "name": HALF, "result-content": {HALF: [HALF]}, "request-content": {"upto": HALF}}
    aspect: dict[str, Any] = {"id": f"urn:ivcap:aspect:{HALF}", "entity": SERVICE}
    aspect |= {"content": TOOL_ASPECT | {"description": HALF, "fn_schema": SCHEMA}}
    async with outside(job=job, aspects=[aspect]) as platform, IVCAP(platform.url, auth=BearerAuth(TOKEN)) as ivcap:
        telling_halves(platform)
        server = build_server(ivcap, Settings(state_dir=tmp_path, max_wait=5, first_list=5))
        async with Client(server) as client:
            answers: list[Any] = [await client.list_tools(), await client.list_resources()]
            for name, given_ in CALLS.items():
                answers.append(result := await client.call_tool(name, given_))
                assert "internal: " not in text(result), name
            answers += [await client.read_resource(urn) for urn in (JOB, ARTIFACT, ASPECT, SERVICE)]
            answers.append(await client.get_prompt("look_into_artifact", {"artifact": ARTIFACT}))
            answers.append(await client.get_prompt("run_service", {"service": SERVICE}))
    for answer in answers:
        assert b"\xef\xbf\xbd" in answer.model_dump_json().encode() or "�" not in repr(answer)


def test_what_cannot_be_sent_is_refused_before_it_is_tried(tmp_path: Path) -> None:
    with IVCAP("https://platform.example", token="t") as there, IVCAP.local(tmp_path) as here:
        for ivcap in (there, here):
            with pytest.raises(InvalidInput, match="half a character"):
                list(ivcap.list_aspects(entity="urn:x:y", filter=HALF))
            with pytest.raises(InvalidInput):
                list(ivcap.list_aspects(entity=f"urn:x:{HALF}"))
            with pytest.raises(InvalidInput):
                ivcap.get_artifact(f"urn:ivcap:artifact:{HALF}")
            with pytest.raises(InvalidInput):
                ivcap.add_aspect("urn:x:y", {"a": HALF}, schema="urn:x:1")


@given(
    st.recursive(st.text(st.characters(), max_size=4) | st.integers(), lambda x: st.lists(x, max_size=3), max_leaves=8)
)
def test_whole_characters_are_never_changed(value: Any) -> None:
    for escaped in (True, False):
        said = json.dumps(value, ensure_ascii=escaped)
        try:
            said.encode()
        except UnicodeEncodeError:
            continue
        if "\\ud" not in said or not any(
            "\ud800" <= char <= "\udfff" for char in json.dumps(value, ensure_ascii=False)
        ):
            assert loaded(said) == loaded(said.encode()) == value


@pytest.mark.parametrize(
    ("said", "value"),
    [
        (r'"\ud83d\ude00"', "😀"), (r'"\ud800"', "�"), (r'"\ude00\ud83d"', "��"), (r'"\\ud800"', "\\ud800"),
        (r'{"\ud800": ["a\udfff"]}', {"�": ["a�"]}), ("1e400", float("inf")),
    ],
)  # fmt: skip
def test_halves_that_stand_alone_are_replaced(said: str, value: Any) -> None:
    assert loaded(said) == loaded(said.encode()) == value
