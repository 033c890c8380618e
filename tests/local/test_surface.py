"""The whole REST surface of a platform in this process: what is served, and what is refused with a reason."""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ivcap_client._local import openapi, platform, queue_store, routes, secrets_kept
from tests.local.conftest import Asker

UUID = "44444444-4444-5444-8444-444444444444"
SERVICE = f"urn:ivcap:service:{UUID}"
NOWHERE = "00000000-0000-4000-8000-00000000dead"
DEFINITION: dict[str, Any] = {
    "id": SERVICE,
    "name": "gradient",
    "description": "tiles a gradient",
    "parameters": [{"name": "width", "type": "int", "description": "pixels", "default": "8"}],
    "controller-schema": "urn:ivcap:schema.service.rest.1",
    "controller": {"image": "x"},
    "policy": "urn:ivcap:policy:ivcap.open.service",
    "tags": ["demo"],
}


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IVCAP_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def body(value: object) -> bytes:
    return json.dumps(value).encode()


def next_page(reply: Any) -> str | None:
    return next((link["href"] for link in reply["links"] if link["rel"] == "next"), None)


# Services


def test_a_service_is_created_read_changed_and_deleted(ask: Asker) -> None:
    made = ask("POST", "/1/services2", body(DEFINITION))
    assert made.status == 201
    told = json.loads(made.body)
    assert {**told, "links": []} | {"valid-from": ""} == {
        **DEFINITION, "status": "inactive", "account": told["account"], "links": [], "valid-from": "",
        "parameters": [{**DEFINITION["parameters"][0], "options": []}],
    }  # fmt: skip
    ask.refused(409, "POST", "/1/services2", body=body(DEFINITION))
    changed = {**DEFINITION, "description": "tiles two gradients"}
    assert ask.json("PUT", f"/1/services2/{SERVICE}", body=body(changed))["description"] == "tiles two gradients"
    assert ask.json("GET", f"/1/services2/{UUID}")["description"] == "tiles two gradients"
    (aspect,) = ask.aspects(entity=SERVICE, schema="urn:ivcap:schema.service.2", include_content="true")
    assert aspect["content"]["$id"] == SERVICE
    assert ask("DELETE", f"/1/services2/{SERVICE}").status == 204
    for method in ("GET", "DELETE"):
        ask.refused(404, method, f"/1/services2/{SERVICE}")


def test_an_update_makes_an_unknown_service_only_where_it_is_told_to(ask: Asker) -> None:
    ask.refused(404, "PUT", f"/1/services2/{SERVICE}", body=body(DEFINITION))
    assert ask.json("PUT", f"/1/services2/{SERVICE}", body=body(DEFINITION), force_create="true")["id"] == SERVICE
    ask.refused(422, "PUT", f"/1/services2/urn:ivcap:service:{NOWHERE}", body=body(DEFINITION), force_create="true")


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"id": "urn:ivcap:artifact:x"}, "id"),
        ({"id": SERVICE.upper()}, "id"),
        ({"policy": None}, "policy"),
        ({"controller-schema": "rest"}, "controller-schema"),
        ({"description": 3}, "description"),
        ({"parameters": {}}, "parameters"),
        ({"parameters": [{"name": "x"}]}, "parameters"),
        ({"tags": "x"}, "tags"),
        ({"name": []}, "name"),
    ],
)
def test_a_definition_that_cannot_be_meant_is_refused_by_field(ask: Asker, change: Any, name: str) -> None:
    assert ask.refused(422, "POST", "/1/services2", body=body({**DEFINITION, **change}))["name"] == name
    assert ask.json("GET", "/1/services2")["items"] == []


def test_a_search_gives_the_best_match_first_with_its_score_and_pages(ask: Asker) -> None:
    for number, (name, text) in enumerate(
        [
            ("crops", "classifies fields"),
            ("rain", "crop water from rain"),
            ("sums", "adds numbers"),
            ("crop map", "maps"),
        ]
    ):
        urn = f"urn:ivcap:service:{number}4444444-4444-5444-8444-444444444444"
        ask.add(urn, "urn:ivcap:schema.service.2", {"name": name, "description": text})
    found = ask.json("GET", "/1/services2", search="crop map")["items"]
    assert [item["name"] for item in found] == ["crop map", "crops", "rain"]
    assert found[0]["score"] == 1.0
    assert all(0 < item["score"] <= 1 for item in found)
    first = ask.json("GET", "/1/services2", search="crop map", limit="2")
    href = next_page(first)
    assert href is not None
    second = ask.json("GET", href)
    assert [item["name"] for item in first["items"] + second["items"]] == ["crop map", "crops", "rain"]
    assert next_page(second) is None


def test_the_older_family_reads_the_same_services_and_refuses_workflows(ask: Asker) -> None:
    ask("POST", "/1/services2", body(DEFINITION))
    (item,) = ask.json("GET", "/1/services")["items"]
    assert (item["id"], item["name"], item["description"]) == (SERVICE, "gradient", "tiles a gradient")
    assert item["published-at"]
    read = ask.json("GET", f"/1/services/{UUID}")
    assert (read["status"], read["parameters"][0]["name"]) == ("inactive", "width")
    ask.refused(404, "GET", f"/1/services/{NOWHERE}")
    for method, path in (("POST", ""), ("PUT", f"/{UUID}"), ("DELETE", f"/{UUID}")):
        assert "services2" in ask.refused(501, method, f"/1/services{path}", body=b"{}")["message"]


# Secrets


def test_a_secret_is_set_listed_and_known_by_its_hash_only(ask: Asker, own_state: Path) -> None:
    told = {"secret-name": "key", "secret-value": "open sesame", "expiry-time": 0}
    assert ask("POST", "/1/secrets", body(told)).status == 204
    read = ask.json("GET", "/1/secrets", secret_name="key")
    assert read == {
        "secret-name": "key",
        "secret-value": hashlib.sha256(b"open sesame").hexdigest(),
        "expiry-time": 0,
    }
    reply = ask.json("GET", "/1/secrets/list")
    assert reply["items"] == [{"secret-name": "key", "expiry-time": 0}]
    (file,) = (own_state / "secrets").glob("*.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "open sesame" not in repr(secrets_kept.Secret("key", "open sesame"))
    assert not any("open sesame" in path.read_text("latin-1") for path in ask.platform.base_dir.rglob("*.json"))


def test_secrets_are_paged_filtered_replaced_and_expire(ask: Asker) -> None:
    for name in ("a", "b", "c", "gone"):
        told = {"secret-name": name, "secret-value": name, "expiry-time": 1 if name == "gone" else 4102444800}
        assert ask("POST", "/1/secrets", body(told)).status == 204
    first = ask.json("GET", "/1/secrets/list", limit="2")
    href = next_page(first)
    assert href is not None
    rest = ask.json("GET", href)["items"]
    assert [item["secret-name"] for item in first["items"] + rest] == ["a", "b", "c"]
    assert [item["secret-name"] for item in ask.json("GET", "/1/secrets/list", offset="2")["items"]] == ["c"]
    assert len(ask.json("GET", "/1/secrets/list", filter="secret-name = 'b'")["items"]) == 1
    ask.refused(404, "GET", "/1/secrets", secret_name="gone")
    ask.refused(404, "GET", "/1/secrets", secret_name="a", secret_type="other")
    before = ask.json("GET", "/1/secrets", secret_name="a")["secret-value"]
    ask("POST", "/1/secrets", body({"secret-name": "a", "secret-value": "new", "expiry-time": 0}))
    assert ask.json("GET", "/1/secrets", secret_name="a")["secret-value"] != before


@pytest.mark.parametrize(
    "told",
    [
        [],
        {"secret-name": "", "secret-value": "hidden", "expiry-time": 0},
        {"secret-name": "k", "secret-value": ["hidden"], "expiry-time": 0},
        {"secret-name": "k", "secret-value": "hidden", "expiry-time": -1},
        {"secret-name": "k", "secret-value": "hidden", "expiry-time": True},
        {"secret-name": "a\nb", "secret-value": "hidden", "expiry-time": 0},
    ],
)
def test_a_refused_secret_is_not_repeated_in_the_refusal(ask: Asker, told: object) -> None:
    assert "hidden" not in json.dumps(ask.refused(422, "POST", "/1/secrets", body=body(told)))


# Queues


def test_a_file_that_is_no_message_neither_stops_a_queue_nor_costs_the_others(ask: Asker) -> None:
    queue = json.loads(ask("POST", "/1/queues", body({"name": "torn"})).body)["id"]
    for number in range(3):
        ask.json("POST", f"/1/queues/{queue}/messages", body=body({"n": number}))
    place = ask.platform.store.hidden / "queues" / queue.rpartition(":")[2]
    sorted(place.glob("*.message"))[1].write_text("{")
    (place / "9.message").write_text("{}")
    taken = ask.json("GET", f"/1/queues/{queue}/messages")["messages"]
    assert [one["content"]["n"] for one in taken] == [0, 2]
    assert ask.json("GET", f"/1/queues/{queue}/messages")["messages"] == []


def test_no_more_is_taken_out_of_a_queue_than_a_reply_can_hold(ask: Asker) -> None:
    queue = json.loads(ask("POST", "/1/queues", body({"name": "long"})).body)["id"]
    for number in range(6):  # each six times as long in a reply, which is ASCII
        told = json.dumps({"n": number, "text": "ä" * 520_000}, ensure_ascii=False).encode()
        ask.json("POST", f"/1/queues/{queue}/messages", body=told)
    numbers: list[int] = []
    while taken := ask.json("GET", f"/1/queues/{queue}/messages", limit="100")["messages"]:
        assert len(json.dumps(taken)) <= queue_store.MOST_TAKEN
        numbers += [one["content"]["n"] for one in taken]
    assert numbers == list(range(6))


def test_messages_leave_a_queue_once_and_in_the_order_they_came(ask: Asker) -> None:
    made = ask("POST", "/1/queues", body({"name": "jobs-done", "description": "what is done"}))
    assert made.status == 201
    queue = json.loads(made.body)
    assert queue["id"].startswith("urn:ivcap:queue:")
    for number in range(5):
        told = ask.json("POST", f"/1/queues/{queue['id']}/messages", body=body({"n": number}), schema="urn:x:schema.1")
        assert told["id"].startswith("urn:")
    about = ask.json("GET", f"/1/queues/{queue['id']}")
    assert (about["total-messages"], about["name"], about["consumer-count"]) == (5, "jobs-done", 0)
    assert about["created-at"] <= about["first-time"] < about["last-time"]
    taken = ask.json("GET", f"/1/queues/{queue['id']}/messages", limit="2")
    assert [one["content"]["n"] for one in taken["messages"]] == [0, 1]
    assert taken["messages"][0]["schema"] == "urn:x:schema.1"
    assert taken["messages"][0]["content-type"] == "application/json"
    rest = ask.json("GET", f"/1/queues/{queue['id']}/messages")["messages"]
    assert [one["content"]["n"] for one in rest] == [2, 3, 4]
    assert ask.json("GET", f"/1/queues/{queue['id']}/messages")["messages"] == []
    assert ask("DELETE", f"/1/queues/{queue['id']}").status == 204
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/messages"), ("POST", "/messages")):
        ask.refused(404, method, f"/1/queues/{queue['id']}{path}", body=b"1")


def test_a_queue_is_one_for_all_processes(base_dir: Path, opened: Callable[..., Asker]) -> None:
    one, other = opened(base_dir), opened(base_dir)
    queue = one.json("POST", "/1/queues", body=body({"name": "q"}))["id"]
    one.json("POST", f"/1/queues/{queue}/messages", body=b'"hello"')
    assert other.json("GET", f"/1/queues/{queue}/messages")["messages"][0]["content"] == "hello"
    assert one.json("GET", f"/1/queues/{queue}/messages")["messages"] == []


def test_queues_are_listed_by_name_paged_and_each_name_is_taken_once(ask: Asker) -> None:
    for name in ("b", "c", "a"):
        ask.json("POST", "/1/queues", body=body({"name": name}))
    assert "id" in ask.refused(409, "POST", "/1/queues", body=body({"name": "a"}))
    first = ask.json("GET", "/1/queues", limit="2")
    href = next_page(first)
    assert href is not None
    assert [item["name"] for item in first["items"] + ask.json("GET", href)["items"]] == ["a", "b", "c"]
    assert [item["name"] for item in ask.json("GET", "/1/queues", order_by="name", order_desc="true")["items"]] == [
        "c", "b", "a",
    ]  # fmt: skip
    assert [item["name"] for item in ask.json("GET", "/1/queues", filter="name ~= 'b%'")["items"]] == ["b"]


@pytest.mark.parametrize("name", ["", "a b", "a.b", "a*", "a>b", "a/b", "a\\b", 3, None])
def test_a_name_that_no_queue_may_have_is_refused(ask: Asker, name: object) -> None:
    assert ask.refused(422, "POST", "/1/queues", body=body({"name": name}))["name"] == "name"


# What is refused


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/1/packages/list"), ("DELETE", "/1/packages/remove"), ("GET", "/1/project"), ("POST", "/1/project"),
        ("GET", "/1/project/default"), ("GET", "/1/orders"), ("POST", "/1/orders"), ("GET", "/1/orders/x/top"),
        ("GET", "/1/dashboards"), ("GET", "/1/metadata"), ("PUT", "/1/metadata/x"), ("GET", "/1/sessions"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_in_one_directory_is_refused_with_a_reason(ask: Asker, method: str, path: str) -> None:
    message = ask.refused(501, method, path)["message"]
    assert f"does not serve {method} {path}; " in message
    assert len(message.partition("; ")[2]) > 10


def test_a_search_of_the_datafabric_is_refused_for_what_it_is(ask: Asker) -> None:
    ask.refused(415, "POST", "/1/search", body=b"?- a(X).", headers={"content-type": "text/plain"})
    for kind in ("application/datalog+mangle", "application/json; charset=utf-8"):
        said = ask.refused(501, "POST", "/1/search", body=b"?- a(X).", headers={"content-type": kind})
        assert "GET /1/aspects" in said["message"]
    ask.refused(422, "POST", "/1/search", body=b" ", headers={"content-type": "application/datalog+mangle"})


@pytest.mark.parametrize("path", ["/1/services2", "/1/services", "/1/artifacts", "/1/queues", "/1/aspects", "jobs"])
def test_an_order_that_cannot_be_kept_is_refused_by_name(ask: Asker, path: str) -> None:
    ask("POST", "/1/services2", body(DEFINITION))
    where = f"/1/services2/{SERVICE}/jobs" if path == "jobs" else path
    said = ask.refused(422, "GET", where, order_by="name,no such")
    assert (said["name"], said["value"]) == ("order-by", "no such")
    assert "name" in said["message"] or path == "/1/aspects"


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("schema", ["measurement", "http://x.example/schema", "x urn:a"])
def test_a_schema_that_is_no_urn_is_refused(ask: Asker, method: str, schema: str) -> None:
    said = ask.refused(422, method, "/1/aspects", body=b"{}", entity="urn:x:1", schema=schema)
    assert (said["name"], said["value"]) == ("schema", schema)
    assert ask.aspects() == []


# The description


def test_the_description_lists_exactly_what_is_answered(ask: Asker) -> None:
    assert platform.HANDLERS
    told = ask.json("GET", "/1/openapi/openapi3.json")
    listed = {
        (method.upper(), re.sub(r"\{[^}]*\}", "{}", path))
        for path, methods in told["paths"].items()
        for method in methods
    }
    known = {(method, re.sub(r"\{[^}]*\}", "{}", path)) for method, path in routes.registered()}
    refused = {(method, "/1/services" + path) for method, path in (("POST", ""), ("PUT", "/{}"), ("DELETE", "/{}"))}
    refused |= {("POST", "/1/search"), ("POST", "/1/services2/{}/jobs/{}/cancel")}
    assert listed == known - refused


def test_the_description_has_the_cancel_route_only_where_jobs_run(ask: Asker) -> None:
    assert openapi.CANCEL_ROUTE not in ask.json("GET", "/1/openapi/openapi3.json")["paths"]
    assert openapi.CANCEL_ROUTE in openapi.document("http://h")["paths"]
