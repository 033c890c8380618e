"""The TypeScript SDKs as clients: v1, which most hosts embed, and v2 in both protocol eras, over stdio and HTTP."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import Any

import pytest

from tests.interop.conftest import Address
from tests.interop.node import Node
from tests.interop.place import Place

STEPS = 5
LIMIT = 110.0
"""Seconds a script may take."""
CLIENTS = [("v1", "legacy"), ("v2", "legacy"), ("v2", "modern")]


@pytest.fixture(scope="session")
def facts_of(judge: Node, platform: Place, address: Address) -> Any:
    """Runs a script once for each way to connect; gives what it saw."""
    seen: dict[tuple[str, str, str], dict[str, Any]] = {}

    def facts(script: str, era: str, transport: str) -> dict[str, Any]:
        if (script, era, transport) not in seen:
            seen[script, era, transport] = _run(judge, platform, address, script, era, transport)
        return seen[script, era, transport]

    return facts


def _run(judge: Node, platform: Place, address: Address, script: str, era: str, transport: str) -> dict[str, Any]:
    program, *arguments = platform.command("serve")
    asked: dict[str, Any] = {"era": era, "steps": STEPS}
    if transport == "http":
        asked |= {"url": address.url, "headers": {"Authorization": f"Bearer {address.token}"}}
    else:
        asked |= {"command": program, "args": arguments, "env": platform.own}
    done = subprocess.run(
        [judge.program, judge.home / f"{script}.mjs"],
        env={**judge.environment(), "JUDGE": json.dumps(asked)}, capture_output=True, text=True, timeout=LIMIT,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(params=[f"{script}-{era}" for script, era in CLIENTS])
def facts(request: pytest.FixtureRequest, transport: str, facts_of: Any) -> dict[str, Any]:
    script, _, era = str(request.param).partition("-")
    found: dict[str, Any] = facts_of(script, era, transport)
    return {**found, "script": script, "era": era}


def test_the_server_introduces_itself(facts: dict[str, Any]) -> None:
    assert facts["server"]["name"] == "ivcap"
    assert facts["capabilities"]["tools"] == {"listChanged": True}
    assert "resources" in facts["capabilities"]
    assert 0 < len(facts["instructions"].encode()) <= 2048
    if facts["era"] == "modern":
        assert facts["version"] == "2026-07-28"


def test_services_and_built_in_tools_are_listed_once_each(facts: dict[str, Any]) -> None:
    assert {"rehearsal", "get_job", "run_service", "search_services"} <= set(facts["tools"])
    assert len(set(facts["tools"])) == len(facts["tools"])


def test_progress_rises_with_every_message_and_ends_before_the_answer(facts: dict[str, Any]) -> None:
    told = facts["worked"]["progress"]
    values = [one["progress"] for one in told]
    assert len(values) >= STEPS
    assert values == sorted(set(values))
    assert "urn:ivcap:job:" in told[0]["message"]
    assert all(one["message"] for one in told)
    assert facts["worked"]["late"] == 0


def test_a_result_is_structured_and_told_as_text_too(facts: dict[str, Any]) -> None:
    result = facts["worked"]["result"]
    assert not result.get("isError")
    assert result["structuredContent"]["echo"] == {"deep": [1, None, "ü"]}
    assert result["structuredContent"]["steps"] == STEPS
    text = result["content"][0]["text"]
    assert '"steps": 5' in text
    assert "ü" in text


def test_a_result_that_is_no_object_stands_under_result(facts: dict[str, Any]) -> None:
    assert facts["list"]["structuredContent"] == {"result": [1, "two", {"three": 3}, None]}


def test_an_image_is_shown(facts: dict[str, Any]) -> None:
    (image,) = [block for block in facts["image"]["content"] if block["type"] == "image"]
    assert image["mimeType"] == "image/png"
    assert base64.b64decode(image["data"]).startswith(b"\x89PNG")


def test_a_failed_job_is_an_error_without_a_traceback_or_structure(facts: dict[str, Any]) -> None:
    failed = facts["failed"]
    assert failed["isError"] is True
    assert "structuredContent" not in failed
    text = failed["content"][0]["text"]
    assert "the input was refused, as asked" in text
    assert "urn:ivcap:job:" in text
    assert "Traceback" not in text


def test_arguments_that_do_not_fit_are_an_error_that_names_the_field(facts: dict[str, Any]) -> None:
    refused = facts["refused"]
    assert refused["isError"] is True
    assert "seconds" in refused["content"][0]["text"]
    assert "urn:ivcap:job:" not in refused["content"][0]["text"]


def test_an_unknown_tool_is_a_protocol_error(facts: dict[str, Any]) -> None:
    assert facts["unknown"]["code"] == -32602
    assert "no_such_tool" in facts["unknown"]["message"]


def test_the_job_of_an_aborted_call_goes_on_and_is_found_by_its_urn(facts: dict[str, Any]) -> None:
    aborted = facts["aborted"]
    assert aborted["job"]
    assert "answered" not in aborted["error"]
    later = aborted["later"]
    assert not later.get("isError"), later
    assert later["structuredContent"]["job"] == aborted["job"]
    assert later["structuredContent"]["status"] == "succeeded"
    assert later["structuredContent"]["result"]["steps"] == 2


def test_an_artifact_is_uploaded_linked_listed_and_read(facts: dict[str, Any]) -> None:
    artifact = facts["artifact"]
    urn = artifact["made"]["structuredContent"]["artifact"]
    assert urn.startswith("urn:ivcap:artifact:")
    assert artifact["link"]["uri"] == urn
    assert urn in artifact["listed"]
    (content,) = artifact["read"]["contents"]
    assert content["text"] == "three\nshort\nlines\n"
    assert content["uri"] == urn
    assert content["mimeType"].startswith("text/plain")
    assert any(template.startswith("urn:ivcap:job:") for template in artifact["templates"])


def test_an_unknown_resource_is_an_error_clients_know(facts: dict[str, Any]) -> None:
    # v2 gives its own error for it the code of the modern era, whatever stood on the wire.
    assert facts["artifact"]["unknown"]["code"] == (-32002 if facts["script"] == "v1" else -32602)
