"""What a client sees of `/1/aspects`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ivcap_client._core.messages import Request
from ivcap_client._local.platform import LocalPlatform

Asker = Any


def test_listing_a_directory_that_is_not_there_is_empty_and_makes_none(ask: Asker, base_dir: Path) -> None:
    assert ask.json("GET", "/1/aspects")["items"] == []
    assert ask.json("GET", "/1/artifacts")["items"] == []
    assert ask.json("GET", "/1/services2")["items"] == []
    ask.refused(404, "GET", "/1/aspects/urn:ivcap:aspect:00000000-0000-0000-0000-000000000000")
    assert not base_dir.exists()


def test_an_asserted_aspect_can_be_read_listed_and_retracted(ask: Asker) -> None:
    id = ask.add("urn:e", "urn:s", {"a": 1, "kept": None})
    read = json.loads(ask("GET", f"/1/aspects/{id}").body)
    assert read["content"] == {"a": 1, "kept": None}
    assert read["valid-from"].endswith("Z")
    assert len(read["valid-from"]) == 27
    assert {"account", "asserter", "policy", "links", "content-type"} <= read.keys()
    assert "valid-to" not in read
    assert [item["id"] for item in ask.aspects(entity="urn:e")] == [id]
    assert ask("DELETE", f"/1/aspects/{id}").status == 204
    assert ask("DELETE", f"/1/aspects/{id}").status == 204
    assert ask.aspects(entity="urn:e") == []
    assert "valid-to" in json.loads(ask("GET", f"/1/aspects/{id}").body)


def test_ids_are_understood_raw_quoted_and_bare(ask: Asker) -> None:
    id = ask.add("urn:e", "urn:s", {})
    for spelled in (id, id.replace(":", "%3A"), id.rpartition(":")[2]):
        assert ask.json("GET", f"/1/aspects/{spelled}")["id"] == id


def test_put_replaces_and_the_history_stays(ask: Asker) -> None:
    first = ask.add("urn:e", "urn:s", {"v": 1}, "PUT")
    between = ask.json("GET", "/1/aspects")["at-time"]
    second = ask.add("urn:e", "urn:s", {"v": 2}, "PUT")
    assert [item["content"] for item in ask.aspects(entity="urn:e", include_content="true")] == [{"v": 2}]
    assert ask.json("GET", f"/1/aspects/{second}")["replaces"] == first
    old = ask.aspects(at_time=between, include_content="true")
    assert [item["content"] for item in old] == [{"v": 1}]
    assert old[0]["valid-to"] == ask.json("GET", f"/1/aspects/{second}")["valid-from"]


def test_put_refuses_when_several_are_valid(ask: Asker) -> None:
    ask.add("urn:e", "urn:s", {"v": 1})
    ask.add("urn:e", "urn:s", {"v": 2})
    body = ask.refused(424, "PUT", "/1/aspects", body=b"{}", entity="urn:e", schema="urn:s")
    assert "more than one" in body["message"]


def test_a_crash_between_the_new_record_and_closing_the_old_leaves_one_valid(
    ask: Asker, base_dir: Path, opened: Callable[..., Asker]
) -> None:
    first = ask.add("urn:e", "urn:s", {"v": 1})
    second = ask.add("urn:e", "urn:s", {"v": 2}, "PUT")
    path = base_dir / "aspects" / f"{first.rpartition(':')[2]}.json"
    record = json.loads(path.read_text())
    record["valid_to"] = None
    path.write_text(json.dumps(record))
    ask.platform.close()
    (base_dir / ".ivcap" / "index.sqlite").unlink()
    again = opened(base_dir)
    assert [item["id"] for item in again.aspects(entity="urn:e")] == [second]
    assert "valid-to" in again.json("GET", f"/1/aspects/{first}")


def test_schema_patterns_know_percent_only(ask: Asker) -> None:
    for schema in ("urn:a_b", "urn:axb", "urn:c"):
        ask.add("urn:e", schema, {})
    assert {item["schema"] for item in ask.aspects(schema="urn:a%")} == {"urn:a_b", "urn:axb"}
    assert {item["schema"] for item in ask.aspects(schema="%a_b")} == {"urn:a_b"}
    assert ask.aspects(schema="urn:A%") == []
    assert len(ask.aspects(schema="%")) == 3


def test_content_paths_select_and_both_spellings_work(ask: Asker) -> None:
    ask.add("urn:c", "urn:s", {"item": "urn:1", "images": [{"size": 5}]})
    ask.add("urn:c", "urn:s", {"item": "urn:2", "images": [{"size": 20000}]})
    found = ask.aspects(content_path='$.item ? (@ == "urn:1")', include_content="true")
    assert [item["content"]["item"] for item in found] == ["urn:1"]
    found = ask.aspects(aspect_path="$.images[*] ? (@.size > 10000)", include_content="true")
    assert [item["content"]["item"] for item in found] == ["urn:2"]
    body = ask.refused(422, "GET", "/1/aspects", content_path="$.a.size()")
    assert body["name"] == "content-path"
    assert ".size()" in body["message"]


def test_filters_select_and_unknown_fields_are_named(ask: Asker) -> None:
    ask.add("urn:e1", "urn:s", {})
    ask.add("urn:e2", "urn:s", {})
    assert [i["entity"] for i in ask.aspects(filter="entity ~= '%1' or entity = urn:none")] == ["urn:e1"]
    assert [i["entity"] for i in ask.aspects(filter='entity ne "urn:e1" and schema eq urn:s')] == ["urn:e2"]
    assert len(ask.aspects(filter="")) == 2
    assert "colour" in ask.refused(422, "GET", "/1/aspects", filter="colour = 'red'")["message"]


def test_order_takes_names_in_both_spellings_and_directions(ask: Asker) -> None:
    for entity, number in (("urn:b", 2), ("urn:a", 3), ("urn:c", 1)):
        ask.add(entity, "urn:s", {"number": number})

    def order(**query: str) -> list[str]:
        return [item["entity"][-1] for item in ask.aspects(**query)]

    assert order() == ["c", "a", "b"]
    assert order(order_by="entity", order_direction="ASC") == ["a", "b", "c"]
    assert order(order_by="entity", order_desc="true") == ["c", "b", "a"]
    assert order(order_by="valid-from", order_desc="false") == ["b", "a", "c"]
    assert order(order_by="number", order_desc="false") == ["c", "b", "a"]
    assert order(order_by="schema,entity", order_desc="false", limit="1") == ["a", "b", "c"]


def test_pages_agree_with_each_other_although_aspects_come_and_go(ask: Asker) -> None:
    ids = [ask.add("urn:e", "urn:s", {"n": n}) for n in range(7)][::-1]
    reply = ask.json("GET", "/1/aspects", limit="3", schema="urn:s")
    seen = [item["id"] for item in reply["items"]]
    (href,) = [link["href"] for link in reply["links"] if link["rel"] == "next"]
    assert href.split("?")[1].startswith("page=")
    cursor = href.split("page=")[1]
    assert cursor.replace("-", "").replace("_", "").isalnum()
    ask("DELETE", f"/1/aspects/{ids[4]}")
    ask.add("urn:e", "urn:s", {"n": 99})
    # The public client repeats all parameters beside the cursor.
    reply = ask.json("GET", "/1/aspects", limit="50", schema="urn:s", page=cursor, order_by="entity")
    assert seen + [item["id"] for item in reply["items"]] == ids
    assert [link["rel"] for link in reply["links"]] == ["self"]


@given(page=st.text(max_size=60))
@settings(max_examples=50)
def test_a_page_that_is_none_of_ours_is_refused(page: str, tmp_path_factory: Any) -> None:
    platform = LocalPlatform("/nonexistent-ivcap", known=lambda: ())
    reply = platform.handle(Request("GET", "/1/aspects", (("page", page),)))
    assert reply.status == (422 if page else 200)


def test_limits_outside_1_to_50_are_refused(ask: Asker) -> None:
    for limit in ("0", "51", "x", "-1"):
        assert ask.refused(422, "GET", "/1/aspects", limit=limit)["name"] == "limit"


def test_a_body_that_is_no_json_object_is_refused(ask: Asker, base_dir: Path) -> None:
    where = {"entity": "urn:e", "schema": "urn:s"}
    for body in (b"{", b'{"a": NaN}', b'{"a": 1e999}', b"", b"\xff", b"[" * 100_000):
        ask.refused(400, "POST", "/1/aspects", body=body, **where)
    ask.refused(422, "POST", "/1/aspects", body=b"[1]", **where)
    ask.refused(422, "POST", "/1/aspects", body=b"{}", entity="urn:e")
    assert not base_dir.exists()


def test_text_of_any_kind_survives(ask: Asker) -> None:
    content = {"x": "äöü\u2028\U0001f600", "lone": "\ud800", "": 1, "n": 10**30}
    id = ask.add("urn:e", "urn:s", content)
    assert json.loads(ask("GET", f"/1/aspects/{id}").body)["content"] == content


def test_a_corrupt_file_is_named_skipped_and_kept(
    ask: Asker, base_dir: Path, opened: Callable[..., Asker], caplog: Any
) -> None:
    id = ask.add("urn:e", "urn:s", {})
    bad = base_dir / "aspects" / "11111111-1111-1111-1111-111111111111.json"
    bad.write_text("{not json")
    again = opened(base_dir)
    assert [item["id"] for item in again.aspects()] == [id]
    assert any(str(bad) in problem for problem in again.platform.store.problems)
    assert str(bad) in caplog.text
    assert bad.exists()
    bad.unlink()
    assert again.platform.store.problems == []


def test_files_of_the_public_client_put_by_hand_are_noticed(ask: Asker, base_dir: Path) -> None:
    ask.add("urn:e", "urn:s", {})
    id = "22222222-2222-2222-2222-222222222222"
    record = {
        "id": id,
        "entity": "urn:hand",
        "schema": "urn:s",
        "content": {"a": 1},
        "valid_from": "2025-01-01T00:00:00",
    }
    (base_dir / "aspects" / f"{id}.json").write_text(json.dumps(record))
    ask.platform.close()
    assert ask.json("GET", "/1/aspects", entity="urn:hand")["items"][0]["valid-from"] == "2025-01-01T00:00:00.000000Z"
    (base_dir / "aspects" / f"{id}.json").unlink()
    ask.platform.close()
    assert ask.aspects(entity="urn:hand") == []


def test_two_platforms_on_one_directory_see_each_other(
    ask: Asker, base_dir: Path, opened: Callable[..., Asker]
) -> None:
    other = opened(base_dir)
    id = ask.add("urn:e", "urn:s", {"v": 1})
    assert [item["id"] for item in other.aspects()] == [id]
    newer = other.add("urn:e", "urn:s", {"v": 2}, "PUT")
    assert [item["id"] for item in ask.aspects()] == [newer]


def test_a_page_among_many_is_read_through_an_index_in_order(ask: Asker) -> None:
    ask.add("urn:e", "urn:s", {})
    plans = []

    def explain(connection: Any) -> None:
        statements: list[str] = []
        connection.set_trace_callback(statements.append)
        from ivcap_client._local.aspect_query import AspectQuery, find

        for query in (
            AspectQuery(),
            AspectQuery(entity="urn:e"),
            AspectQuery(schema="urn:s"),
            AspectQuery(entity="urn:e", schema="urn:s"),
            AspectQuery(at=10**18),
        ):
            find(connection, query, ["aspects"], (), 50)
            find(connection, query, ["aspects"], (10**18, "x"), 50)
        connection.set_trace_callback(None)
        for statement in statements:
            plans.append([row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + statement)])

    ask.platform.store.index.read(explain)
    assert len(plans) == 10
    for plan in plans:
        assert not any("TEMP B-TREE" in step for step in plan), plan
        assert any("INDEX" in step for step in plan), plan
