"""One member of a document changes, and no other byte of it does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivcap_mcp.clients.jsonc import NotJson, member, parsed, with_member, without_member

PATH = ("mcpServers", "ivcap")
ENTRY = {"command": "/usr/bin/ivcap-mcp", "args": ["--url", "https://ü.example"]}

COMMENTED = """\
// Servers of mine
{
\t"inputs": [ /* none */ ],   // keep
\t"mcpServers": {
\t\t// the old one
\t\t"github": { "command": "gh", "args": ["a", "b",], }, // must stay "as it is" {,
\t\t/* and this */
\t},
\t"url": "http://x//y" /* no comment in it */
}
// the end"""


def test_a_hand_written_file_keeps_comments_trailing_commas_order_and_tabs() -> None:
    edited = with_member(COMMENTED, PATH, ENTRY)
    assert member(edited, PATH) == ENTRY
    new = """
\t\t"ivcap": {
\t\t\t"command": "/usr/bin/ivcap-mcp",
\t\t\t"args": [
\t\t\t\t"--url",
\t\t\t\t"https://ü.example"
\t\t\t]
\t\t},"""
    assert edited == COMMENTED.replace("/* and this */", f"/* and this */{new}")
    assert without_member(edited, PATH) == COMMENTED


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", '{\n  "mcpServers": {\n    "ivcap": 1\n  }\n}\n'),
        ("\ufeff", '\ufeff\n{\n  "mcpServers": {\n    "ivcap": 1\n  }\n}\n'),
        ("// mine\n", '// mine\n{\n  "mcpServers": {\n    "ivcap": 1\n  }\n}\n'),
        ("{}", '{\n  "mcpServers": {\n    "ivcap": 1\n  }\n}'),
        ('{"mcpServers": {}}', '{"mcpServers": {\n  "ivcap": 1\n}}'),
        ('{"mcpServers": null}', '{"mcpServers": {\n  "ivcap": 1\n}}'),
        ('{"a": 1}', '{"a": 1, "mcpServers": {"ivcap": 1}}'),
        ('{\n    "a": 1\n}\n', '{\n    "a": 1,\n    "mcpServers": {\n        "ivcap": 1\n    }\n}\n'),
        ('{\r\n  "a": 1\r\n}', '{\r\n  "a": 1,\r\n  "mcpServers": {\r\n    "ivcap": 1\r\n  }\r\n}'),
        ('{\n  "a": 1 // x\n}', '{\n  "a": 1, // x\n  "mcpServers": {\n    "ivcap": 1\n  }\n}'),
        ('{\n  "mcpServers": {\n    "ivcap": {"x": [1]}, // y\n    "b": 2\n  }\n}',
         '{\n  "mcpServers": {\n    "ivcap": 1, // y\n    "b": 2\n  }\n}'),
        ('{"mcpServers": {"ivcap": 0, "ivcap": 2}}', '{"mcpServers": {"ivcap": 0, "ivcap": 1}}'),
    ],
)  # fmt: skip
def test_a_member_is_set_in_the_manner_of_the_file(text: str, wanted: str) -> None:
    assert with_member(text, PATH, 1) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{"mcpServers": {"ivcap": 1}}', '{"mcpServers": {}}'),
        ('{\n  "mcpServers": {\n    "ivcap": 1\n  }\n}', '{\n  "mcpServers": {}\n}'),
        ('{\n  "mcpServers": {\n    "ivcap": 1,\n    "b": 2\n  }\n}', '{\n  "mcpServers": {\n    "b": 2\n  }\n}'),
        ('{"mcpServers": {"ivcap": 1, "ivcap": 2, "b": 3}}', '{"mcpServers": { "b": 3}}'),
        ('{"mcpServers": {"b": 3}}', '{"mcpServers": {"b": 3}}'),
        ('{"mcpServers": [1]}', '{"mcpServers": [1]}'),
        ("[]", "[]"),
        ("", ""),
        ("// mine", "// mine"),
        ('{"mcpServers": {/* mine */ "ivcap": 1}}', '{"mcpServers": {/* mine */}}'),
    ],
)
def test_a_member_is_taken_out_and_nothing_else(text: str, wanted: str) -> None:
    assert without_member(text, PATH) == wanted


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("{", "line 1, column 2"),
        ('{"a": 1 "b": 2}', "line 1, column 9"),
        ('{\n  "a": tru\n}', "line 2, column 8"),
        ('{"a": 1}}', "line 1, column 9"),
        ("{'a': 1}", "double quotes"),
        ('{"a": "\\x"}', "escape"),
        ("[1 2]", "comma or ]"),
        ('{"a" 1}', "colon"),
        ("[" * 200, "nested deeper"),
        ("/* open", "line 1, column 1"),
    ],
)
def test_what_is_no_json_is_refused_with_the_place(text: str, where: str) -> None:
    with pytest.raises(NotJson, match=where):
        with_member(text, PATH, 1)


@pytest.mark.parametrize("text", ["[]", '"text"', '{"mcpServers": []}', '{"mcpServers": "x"}'])
def test_what_is_no_object_is_not_overwritten(text: str) -> None:
    with pytest.raises(TypeError, match="no object"):
        with_member(text, PATH, 1)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
blanks = st.sampled_from(["", " ", "\n", "\n  ", "\t", " // c {\n", "/* , } */", "\r\n", "\n\n    // a\n  "])


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Objects as people write them, with other servers in them or none."""

    def written(value: Any, depth: int) -> str:
        if isinstance(value, dict):
            parts = [
                f"{draw(blanks)}{json.dumps(key)}{draw(blanks)}:{draw(blanks)}{written(inner, depth + 1)}{draw(blanks)}"
                for key, inner in value.items()
            ]
            trailing: bool = draw(st.booleans())
            tail = ("," if parts and trailing else "") + draw(blanks)
            return "{" + ",".join(parts) + tail + "}"
        return json.dumps(value)

    servers = draw(st.none() | st.dictionaries(st.text(max_size=4), values, max_size=3))
    document = draw(st.dictionaries(st.text(max_size=4), values, max_size=3))
    if servers is not None:
        document["mcpServers"] = servers
    return draw(blanks) + written(document, 0) + draw(blanks)


@settings(max_examples=100)
@given(text=documents(), value=values)
def test_setting_and_taking_out_again_leaves_the_file_as_it_was(text: str, value: Any) -> None:
    before = parsed(text).plain
    edited = with_member(text, PATH, value)
    wanted = {**before, "mcpServers": {**(before.get("mcpServers") or {}), "ivcap": value}}
    assert parsed(edited).plain == wanted
    again = without_member(edited, PATH)
    if before.get("mcpServers"):
        assert again == text
    assert parsed(again).plain == {**before, "mcpServers": before.get("mcpServers") or {}}
    assert with_member(edited, PATH, value) == edited


@given(value=values)
def test_json_means_what_the_standard_reader_says(value: Any) -> None:
    assert parsed(json.dumps(value, indent=1)).plain == value
