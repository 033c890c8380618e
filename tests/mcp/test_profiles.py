"""Schemas as each target takes them: one snapshot for each construct, and what must hold for all of them.

`UPDATE_SNAPSHOTS=1 python -m pytest tests/mcp/test_profiles.py` writes them anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mcp_types as t
import pytest
from mcp import Client

from ivcap_client import LocalIVCAP
from ivcap_mcp import Settings, build_server
from ivcap_mcp.arguments import check, example, understand
from ivcap_mcp.profiles import PROFILES, chosen, render, taken
from ivcap_mcp.schema import present, publish
from ivcap_mcp.tools import BUILTINS
from tests.mcp.clients import listed
from tests.mcp.conftest import REHEARSAL
from tests.mcp.schema_constructs import CONSTRUCTS, one

SNAPSHOTS = Path(__file__).parent / "schema_snapshots"
EACH = pytest.mark.parametrize("construct", sorted(CONSTRUCTS))
BOTH = frozenset({
    "type", "format", "description", "enum", "items", "maxItems", "minItems", "properties", "required", "minimum",
    "maximum", "pattern", "anyOf",
})  # fmt: skip
GEMINI = BOTH | {"minLength", "maxLength", "minProperties", "maxProperties", "default"}
STRICT = BOTH | {"exclusiveMinimum", "exclusiveMaximum", "multipleOf", "additionalProperties"}


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """A schema and all schemas in it."""
    yield schema
    for inner in (*schema.get("properties", {}).values(), *schema.get("anyOf", ())):
        yield from nodes(inner)
    if isinstance(schema.get("items"), dict):
        yield from nodes(schema["items"])


@EACH
@pytest.mark.parametrize("profile", PROFILES)
def test_a_construct_is_shown_to_a_target_as_it_was(construct: str, profile: str) -> None:
    made = render(publish(CONSTRUCTS[construct]).schema, profile)
    path = SNAPSHOTS / construct / f"{profile}.json"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert made == json.loads(path.read_text(encoding="utf-8"))


def test_no_snapshot_is_left_over() -> None:
    assert {path.name for path in SNAPSHOTS.iterdir()} == set(CONSTRUCTS)


@EACH
def test_gemini_gets_only_what_it_knows(construct: str) -> None:
    made = render(publish(CONSTRUCTS[construct]).schema, "gemini")
    for node in nodes(made):
        assert node.keys() <= GEMINI
        assert "anyOf" not in node or node.keys() == {"anyOf"}
        assert "enum" not in node or (node["type"] == "string" and all(node["enum"]))
        assert node is made or node.get("type") != "object" or node["properties"]


@EACH
def test_strict_mode_gets_closed_objects_with_all_properties_required(construct: str) -> None:
    for node in nodes(render(publish(CONSTRUCTS[construct]).schema, "openai-strict")):
        assert node.keys() <= STRICT
        if node.get("type") == "object":
            assert node["additionalProperties"] is False
            assert node["required"] == list(node["properties"])


@EACH
@pytest.mark.parametrize("profile", PROFILES)
def test_rendering_changes_nothing_it_was_given(construct: str, profile: str) -> None:
    published = publish(CONSTRUCTS[construct]).schema
    before = json.dumps(published)
    assert render(published, profile) == render(published, profile)
    assert json.dumps(published) == before


@EACH
@pytest.mark.parametrize("profile", PROFILES)
def test_a_call_that_fits_the_service_still_fits_through_each_profile(construct: str, profile: str) -> None:
    original = CONSTRUCTS[construct]
    published = publish(original)
    fits = example(original) or {"x": [1, 2]}  # the sampler finds no two different items
    call = present(fits, published, original)
    body = understand(taken(call, published.schema, profile), published, original)
    assert check(body, original, published=published) == []


def test_what_strict_mode_gave_as_null_was_left_out() -> None:
    original = CONSTRUCTS["nested_optional"]
    schema = publish(original).schema
    assert taken({"x": {"x": None}}, schema, "openai-strict") == {"x": {}}
    assert taken({"x": {"x": [{"x": None}]}}, schema, "openai-strict") == {"x": {"x": [{}]}}
    assert taken({"x": None}, schema, "openai-strict") == {"x": None}
    assert taken({"x": {"x": None}}, schema, "plain") == {"x": {"x": None}}


def test_an_object_of_unknown_shape_comes_back_from_json_text() -> None:
    for construct in ("open_object", "map", "anything", "array_of_anything"):
        original = CONSTRUCTS[construct]
        published = publish(original)
        given = {"x": ['{"a": 1}']} if construct == "array_of_anything" else {"x": '{"a": 1}'}
        body = understand(taken(given, published.schema, "gemini"), published, original)
        assert body == ({"x": [{"a": 1}]} if construct == "array_of_anything" else {"x": {"a": 1}})


def test_text_stays_text_where_text_is_declared() -> None:
    schema = publish(one({"type": "string"})).schema
    assert taken({"x": '{"a": 1}'}, schema, "openai-strict") == {"x": '{"a": 1}'}


def test_deeper_than_strict_mode_allows_is_json_text() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(14):
        deep = one(deep)
    made, depth = render(publish(deep).schema, "openai-strict"), 1
    while made["properties"]["x"].get("type") == "object":
        made, depth = made["properties"]["x"], depth + 1
    assert depth <= 10
    assert made["properties"]["x"]["type"] == "string"


@pytest.mark.parametrize("builtin", BUILTINS, ids=lambda one: one.definition.name)
def test_the_built_in_tools_fit_too(builtin: Any) -> None:
    for node in nodes(render(builtin.definition.input_schema, "gemini")):
        assert node.keys() <= GEMINI
    for node in nodes(render(builtin.definition.input_schema, "openai-strict")):
        assert node.keys() <= STRICT


@pytest.mark.parametrize(
    ("client", "profile"),
    [("claude-ai", "claude"), ("claude-code", "claude"), ("openai-mcp", "openai"), ("codex-mcp-client", "openai"),
     ("gemini-cli-mcp-client", "gemini"), ("Visual Studio Code", "plain"), ("", "plain"), (None, "plain")],
)  # fmt: skip
def test_the_profile_follows_the_clients_name_unless_it_is_set(client: str | None, profile: str) -> None:
    assert chosen(None, client) == profile
    assert chosen("openai-strict", client) == "openai-strict"


def test_a_profile_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="claude, openai"):
        render({"type": "object", "properties": {}}, "klaude")


@pytest.mark.anyio
async def test_a_client_gets_its_profile_and_its_calls_arrive(base: Path, settings: Settings, mode: str) -> None:
    async with LocalIVCAP(base, services=[str(REHEARSAL)]) as ivcap:
        server = build_server(ivcap, settings)
        async with Client(server, mode=mode, client_info=t.Implementation(name="gemini-cli", version="1")) as client:
            echo = (await listed(client, "rehearsal")).input_schema["properties"]["echo"]
            assert all(branch["type"] != "object" for branch in echo.get("anyOf", [echo]))
            done = await client.call_tool("rehearsal", {"steps": 1, "seconds": 0, "echo": '{"a": 1}'})
            assert done.structured_content is not None
            assert done.structured_content["echo"] == {"a": 1}
        async with Client(server, mode=mode) as client:
            echo = (await listed(client, "rehearsal")).input_schema["properties"]["echo"]
            assert any(branch["type"] == "object" for branch in echo.get("anyOf", [echo]))
