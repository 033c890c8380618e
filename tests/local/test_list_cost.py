"""What a page of a local list costs in statements, looks at files and texts decoded: counts, not times."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ivcap_client import LocalIVCAP

SCHEMA = "urn:example:schema:cost.1"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalIVCAP]:
    with LocalIVCAP(tmp_path_factory.mktemp("cost")) as ivcap:
        for number in range(12):
            ivcap.add_aspect(f"urn:example:site:{number}", {"number": number}, schema=SCHEMA)
        list(ivcap.list_aspects(schema=SCHEMA))
        yield ivcap


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []
    real = json.loads

    def loads(text: Any, **more: Any) -> Any:
        seen.append(str(text)[:40])
        return real(text, **more)

    monkeypatch.setattr("ivcap_client._core.reading.json.loads", loads)
    return seen


def test_a_page_is_two_statements_and_opens_nothing(local: LocalIVCAP, monkeypatch: pytest.MonkeyPatch) -> None:
    (connection,) = local._local.platform.store.index._idle
    said: list[str] = []
    looked: list[str] = []
    real = os.stat
    monkeypatch.setattr(os, "stat", lambda path, **more: looked.append(str(path)) or real(path, **more))  # type: ignore[func-returns-value]
    connection.set_trace_callback(said.append)
    try:
        assert len(list(local.list_aspects(schema=SCHEMA, limit=10))) == 10
    finally:
        connection.set_trace_callback(None)
    assert [text.split(" ")[0] for text in said] == ["SELECT", "SELECT"]
    assert "FROM folders" in said[0]
    # Whether the directory is there, whether the index is the same file, whether the directory has changed.
    base = local.base_dir
    assert sorted(set(looked) - {str(base)}) == [f"{base}/.ivcap/index.sqlite", f"{base}/aspects"]
    assert local._local.platform.store.index._idle == [connection]


def test_what_nobody_looks_at_is_not_decoded(local: LocalIVCAP, decoded: list[str]) -> None:
    found = list(local.list_aspects(schema=SCHEMA, limit=10))
    assert decoded == []
    assert found[3].content["number"] == 8
    assert found[3].entity == "urn:example:site:8"
    assert found[3].valid_from is not None
    assert len(decoded) == 1
    assert [one.content["number"] for one in found] == list(range(11, 1, -1))
    assert len(decoded) == 10


def test_an_aspect_is_the_same_whether_its_list_was_read_or_not(local: LocalIVCAP) -> None:
    left, looked = list(local.list_aspects(schema=SCHEMA, limit=2)), list(local.list_aspects(schema=SCHEMA, limit=2))
    assert [one.content["number"] for one in looked] == [11, 10]
    assert left == looked
    assert pickle.loads(pickle.dumps(left[0].record)) == looked[0].record
    assert repr(left[1]) == repr(looked[1])
    assert left[0].refresh().record.asserter


def test_halves_of_characters_are_repaired_in_lists_too(tmp_path: Path) -> None:
    folder = tmp_path / "aspects"
    folder.mkdir()
    (folder / "00000000-0000-4000-8000-000000000001.json").write_text(
        '{"entity": "urn:e", "schema": "urn:s", "content": {"text": "a\\ud800b", "good": "\\ud83d\\ude00"}}'
    )
    with LocalIVCAP(tmp_path) as local:
        (one,) = local.list_aspects()
        assert one.content == {"text": "a\ufffdb", "good": "\U0001f600"}


@pytest.mark.parametrize(("entity", "schema"), [("urn:example:site:1", None), (None, SCHEMA), (None, "urn:example:%")])
def test_services_are_looked_up_only_where_they_can_be_listed(
    local: LocalIVCAP, monkeypatch: pytest.MonkeyPatch, entity: str | None, schema: str | None
) -> None:
    platform = local._local.platform
    asked: list[int] = []
    real = platform.catalogue
    monkeypatch.setattr(platform, "catalogue", lambda: asked.append(1) or real())  # type: ignore[func-returns-value]
    assert list(local.list_aspects(entity=entity, schema=schema, limit=1))
    assert asked == []
    list(local.list_aspects(schema="urn:%", limit=1))
    assert asked == [1]
