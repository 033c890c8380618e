"""Paths, filters and cursors as functions from text to meaning."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivcap_client._local import cursors, filters, jsonpath

CONTENT: dict[str, Any] = {
    "images": [{"size": 5, "n": "Ab"}, {"size": 20000}],
    "item": "urn:x",
    "a-b": {"c": [1, 2, 3]},
    "tags": ["x", "y"],
    "none": None,
    "yes": True,
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", True),
        ("$.images[*] ? (@.size > 10000)", True),
        ("$.images[*] ? (@.size > 20000)", False),
        ("lax $.images.size ? (@ <= 5)", True),
        ('$.item ? (@ == "urn:x")', True),
        ("$.item ? (@ == 'urn:x')", True),
        ('$.item ? (@ starts with "urn:")', True),
        ('$.images.n ? (@ like_regex "^aB$" flag "i")', True),
        ('$.images.n ? (@ like_regex "^aB$")', False),
        ('$.item ? (@ like_regex "x$" flag "q")', False),
        ('$."a-b".c[1 to last]', True),
        ('$."a-b".c[7]', False),
        ('$."a-b".c[last - 1] ? (@ == 2)', True),
        ('$."a-b".c[0, 2] ? (@ == 2)', False),
        ('$.tags[*] ? (@ == "y" && @ != "x")', True),
        ('$.item == "urn:x" && exists($.tags)', True),
        ('$.item == "urn:y" || !($.item == "urn:x")', False),
        ("$.none ? (@ == null)", True),
        ("$.none ? (@ != 5)", True),
        ("$.yes ? (@ == true)", True),
        ("$.item ? (@ > 5)", False),
        ("!($.item > 5)", False),
        ("($.item > 5) is unknown", True),
        ("$.* ? (@ == true)", True),
        ("$.images[*] ? (!exists(@.n)).size ? (@ == 20000)", True),
        ("$.missing", False),
        ("$.missing == 1", False),
        ("$.images ? (@.size == $.images[0].size)", True),
    ],
)
def test_paths_find_what_postgresql_would(path: str, found: bool) -> None:
    compiled = jsonpath.compile(path)
    assert compiled.matches(CONTENT) is found
    text = json.dumps(CONTENT)
    if found:
        assert all(piece in text for piece in compiled.needs)


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("$.a.size()", ".size()"),
        ("$.**.a", ".**"),
        ("$x.a", "variables"),
        ("strict $.a", "strict"),
        ("$.a + 1 > 2", "arithmetic"),
        ('$.a ? (@ like_regex "(?=a)")', "like_regex"),
        ('$.a ? (@ like_regex "a" flag "z")', "flag"),
        ("$.a ? (@.b)", "condition"),
        ("$.a ?", "early"),
        ("", "early"),
        ('"a"', "starts with $"),
        ("(" * 200, "deep"),
        ("$" + "." * 5000, "characters"),
    ],
)
def test_what_is_not_supported_is_named(path: str, named: str) -> None:
    with pytest.raises(
        jsonpath.BadPath, match=named.replace("(", r"\(").replace(")", r"\)").replace("*", r"\*").replace("$", r"\$")
    ):
        jsonpath.compile(path)


@given(st.text(alphabet="$@.*?[]()\"'abc019 =<>!&|,-", max_size=40), json_values)
def test_any_text_is_a_path_or_refused(text: str, value: Any) -> None:
    try:
        path = jsonpath.compile(text)
    except jsonpath.BadPath:
        return
    if path.matches(value):
        assert all(piece in json.dumps(value) for piece in path.needs)


@given(st.text(min_size=1), json_values)
def test_a_quoted_member_is_found_whatever_its_name(name: str, value: Any) -> None:
    path = jsonpath.compile(f"$.{json.dumps(name)}")
    assert path.matches({name: value}) is True
    assert all(piece in json.dumps({name: value}) for piece in path.needs)
    assert not jsonpath.compile(f"$.{json.dumps(name + 'x')}").matches({name: 1})


def test_a_path_that_would_take_for_ever_is_given_up() -> None:
    content = {"a": list(range(400))}
    path = jsonpath.compile("$.a[*] ? (exists($.a[*] ? (exists($.a[*] ? (@ < 0)))))")
    with pytest.raises(jsonpath.BadPath, match="too long"):
        path.matches(content)
    evil = jsonpath.compile('$.a ? (@ like_regex "^(a+)+$")')
    assert evil.matches({"a": "a" * 50_000 + "b"}) is False


FIELDS = {"name", "size", "mime-type"}


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("", True),
        ("name = Scott", True),
        ("name eq 'Scott'", True),
        ('name ~= "Sc%"', True),
        ("name~='scott'", False),
        ("name~=Scott and size = 5", True),
        ("name != Scott or size eq 5", True),
        ("name ne Scott or (size = 6 and name = Scott)", False),
        ("mime_type != x", True),
        ("mime-type = x", False),
        ("name = 'it''s'", False),
    ],
)
def test_filters_mean_the_same_in_memory_and_in_sql(text: str, fits: bool) -> None:
    import sqlite3

    condition = filters.parse(text, FIELDS)
    record = {"name": "Scott", "size": 5}
    if condition is None:
        assert fits
        return
    assert filters.matches(condition, record) is fits
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t(name TEXT, size INTEGER, kind TEXT)")
    connection.execute("INSERT INTO t VALUES ('Scott', 5, NULL)")
    where, values = filters.sql(condition, {"name": "name", "size": "size", "mime-type": "kind"})
    assert bool(connection.execute(f"SELECT 1 FROM t WHERE {where}", values).fetchall()) is fits
    connection.close()


@pytest.mark.parametrize(
    "text", ["name", "name =", "= 5", "colour = 5", "name like 5", "name = 5 name = 6", "(name = 5", "'"]
)
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(filters.BadFilter):
        filters.parse(text, FIELDS)


@given(st.text(alphabet="ab%*?[_", max_size=12), st.text(alphabet="ab%*?[_", max_size=12))
def test_patterns_mean_the_same_in_memory_and_in_sql(text: str, pattern: str) -> None:
    import sqlite3

    connection = sqlite3.connect(":memory:")
    (found,) = connection.execute("SELECT ? GLOB ?", (text, filters.glob(pattern))).fetchone()
    connection.close()
    assert bool(found) == filters.like(text, pattern)


keys = st.text() | st.integers(-(2**61), 2**61) | st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(st.text(), st.text(), max_size=4), st.integers(-(2**60), 2**60), st.lists(keys, max_size=4))
def test_a_cursor_remembers_everything_in_safe_characters(query: dict[str, str], at: int, after: list[Any]) -> None:
    cursor = cursors.Cursor("aspects", query, at, tuple(after))
    text = cursors.write(cursor)
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert cursors.read(text, "aspects") == cursor
    with pytest.raises(cursors.BadCursor):
        cursors.read(text, "jobs")


@given(st.text() | st.binary().map(lambda raw: __import__("base64").urlsafe_b64encode(raw).decode()))
def test_no_other_text_is_a_cursor(text: str) -> None:
    with pytest.raises(cursors.BadCursor):
        cursors.read(text, "aspects")
