"""The checklist of rest-api §10.1, "a server both real clients accept": one test a line, by its number."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote, urlencode

import jwt
import pytest

from tests.described.conftest import JOBS, JSON, PLAIN, Said, Stage

NOWHERE = "00000000-0000-4000-8000-00000000dead"
LISTS = ["/1/services2", "/1/services", "/1/artifacts", "/1/aspects", "/1/queues", "/1/secrets/list", JOBS]


def aspect(
    stage: Stage, entity: str, content: object, schema: str = "urn:x:schema:checked.1", how: str = "POST"
) -> str:
    said = stage.ask(how, f"/1/aspects?entity={entity}&schema={schema}", content, JSON)
    assert said.status == 200
    return str(said.json["id"])


def upload(stage: Stage, size: str, **headers: str) -> str:
    said = stage.ask("POST", "/1/artifacts", None, {"X-Content-Length": size, **headers})
    assert said.status == 201
    return str(said.json["data-href"])


def patch(stage: Stage, href: str, offset: int, data: bytes, **headers: str) -> int:
    """Send bytes as TUS does; the offset afterwards."""
    told = {"Upload-Offset": str(offset), "Tus-Resumable": "1.0.0", **headers}
    told |= {"Content-Type": "application/offset+octet-stream"} if data else {}
    said = stage.ask("PATCH", href, data, told)
    assert said.status == 204
    assert said.headers["tus-resumable"] == "1.0.0"
    return int(said.headers["upload-offset"])


def state(stage: Stage, href: str) -> Any:
    return stage.ask("GET", href.removesuffix("/blob")).json


def test_1_each_success_has_the_status_that_clients_wait_for(stage: Stage) -> None:
    definition = {
        "id": "urn:ivcap:service:54444444-4444-5444-8444-444444444444", "description": "d", "parameters": [],
        "controller-schema": "urn:x:c", "controller": {}, "policy": "urn:ivcap:policy:ivcap.open.service",
    }  # fmt: skip
    assert stage.ask("POST", "/1/services2", definition, JSON).status == 201
    assert stage.ask("POST", "/1/artifacts", None, {"X-Content-Length": "1"}).status == 201
    queue = stage.ask("POST", "/1/queues", {"name": "one"}, JSON)
    assert queue.status == 201
    made = aspect(stage, "urn:x:one", {})
    aspect(stage, "urn:x:one", {}, how="PUT")
    assert stage.ask("POST", JOBS, {"do": "echo"}, {**JSON, "Timeout": "0"}).status == 202
    secret = {"secret-name": "one", "secret-value": "1", "expiry-time": 0}
    assert stage.ask("POST", "/1/secrets", secret, JSON).status == 204
    for path in (f"/1/aspects/{made}", f"/1/queues/{queue.json['id']}", f"/1/services2/{definition['id']}"):
        assert stage.ask("DELETE", path).status == 204


def test_2_required_keys_are_there_and_nothing_is_null(stage: Stage) -> None:
    job = stage.job(do="boom")
    stage.events(job)
    for path in (*LISTS, f"/1/services2/{PLAIN}", f"{JOBS}/{job}", "/1/services2?search=plain"):
        said = stage.ask("GET", path)
        assert said.status == 200
        assert b": null" not in said.body
    required = {
        "id",
        "status",
        "order",
        "service",
        "account",
        "policy",
        "request-content-type",
        "requested-at",
        "links",
    }
    assert required <= set(stage.ask("GET", f"{JOBS}/{job}").json)
    known = {"unknown", "pending", "scheduled", "executing", "succeeded", "failed", "error"}
    assert {item["status"] for item in stage.ask("GET", f"{JOBS}?limit=50").json["items"]} <= known


@pytest.mark.parametrize("path", LISTS)
def test_3_a_list_has_its_time_and_links_and_a_next_only_where_more_follows(stage: Stage, path: str) -> None:
    for number in range(2):
        aspect(stage, f"urn:x:three:{number}", {})
        upload(stage, "0")
        stage.ask("POST", "/1/queues", {"name": f"three-{number}"}, JSON)
        stage.ask("POST", "/1/secrets", {"secret-name": f"n{number}", "secret-value": "v", "expiry-time": 0}, JSON)
        stage.job(do="echo")
    reply = stage.ask("GET", f"{path}?limit=1").json
    seen: list[Any] = []
    while True:
        assert reply["at-time"]
        assert isinstance(reply["links"], list)
        seen += reply["items"]
        following = [link["href"] for link in reply["links"] if link["rel"] == "next"]
        if not following or len(seen) > 3:
            break
        (href,) = following
        assert re.fullmatch(re.escape(f"{stage.url}{path}") + r"\?page=[A-Za-z0-9_-]+", href)
        assert reply["items"]
        # The public client repeats the other parameters, the tool does not.
        plain = path in ("/1/aspects", "/1/secrets/list")
        reply = stage.ask("GET", f"{href}&limit=1" if plain else f"{href}&limit=1&order-desc=false").json
        assert reply["items"]
    assert len({json.dumps(item, sort_keys=True) for item in seen}) == len(seen)


def test_4_every_parameter_of_a_service_has_options(stage: Stage) -> None:
    urn = "urn:ivcap:service:64444444-4444-5444-8444-444444444444"
    parameters = [{"name": "a", "type": "int", "description": "d"}, {"name": "b", "type": "strange", "default": 3}]
    aspect(stage, urn, {"name": "four", "parameters": parameters}, "urn:ivcap:schema.service.2")
    found = stage.ask("GET", f"/1/services2/{urn}").json["parameters"]
    assert [(one["name"], one["type"], one["options"]) for one in found] == [("a", "int", []), ("b", "string", [])]
    assert found[1]["default"] == "3"
    assert found[1]["description"] == ""


def test_5_a_data_href_is_absolute_under_the_callers_base_and_its_path_is_enough(stage: Stage) -> None:
    href = upload(stage, "3")
    assert href.startswith(f"{stage.url}/1/artifacts/")
    assert "?" not in href
    patch(stage, href.removeprefix(stage.url), 0, b"abc")
    assert stage.ask("GET", href.removeprefix(stage.url)).body == b"abc"


def test_6_1_a_patch_and_a_head_tell_the_offset(stage: Stage) -> None:
    href = upload(stage, "4")
    assert patch(stage, href, 0, b"ab") == 2
    head = stage.ask("HEAD", href, None, {"Tus-Resumable": "1.0.0"})
    assert (head.headers["upload-offset"], head.headers["upload-length"]) == ("2", "4")
    assert head.headers["cache-control"] == "no-store"
    unknown = stage.ask("HEAD", upload(stage, "-1"), None, {"Tus-Resumable": "1.0.0"})
    assert unknown.headers["upload-defer-length"] == "1"


def test_6_2_an_empty_artifact_is_ready_at_once(stage: Stage) -> None:
    read = state(stage, upload(stage, "0"))
    assert (read["status"], read["size"]) == ("ready", 0)


@pytest.mark.parametrize("how", ["x-content-length", "upload-length at create", "upload-length on a patch"])
def test_6_3_an_artifact_is_ready_when_all_announced_bytes_are_there(stage: Stage, how: str) -> None:
    href = upload(
        stage, "4" if how == "x-content-length" else "-1", **({"Upload-Length": "4"} if "create" in how else {})
    )
    patch(stage, href, 0, b"ab", **({"Upload-Length": "4"} if "patch" in how else {}))
    assert state(stage, href)["status"] == "partial"
    patch(stage, href, 2, b"cd")
    assert (state(stage, href)["status"], state(stage, href)["size"]) == ("ready", 4)


def test_6_4_without_any_length_it_is_ready_after_each_patch_and_takes_more(stage: Stage) -> None:
    href = upload(stage, "-1")
    for offset, data in enumerate((b"a", b"b", b"c")):
        patch(stage, href, offset, data)
        assert (state(stage, href)["status"], state(stage, href)["size"]) == ("ready", offset + 1)
    assert stage.ask("GET", href).body == b"abc"


def test_6_5_bytes_for_another_place_are_a_conflict(stage: Stage) -> None:
    said = stage.ask("PATCH", upload(stage, "4"), b"x", {"Upload-Offset": "3", "Tus-Resumable": "1.0.0"})
    assert (said.status, said.headers["upload-offset"]) == (409, "0")


def test_6_6_and_7_a_deferred_upload_is_begun_by_post_and_ended_by_an_empty_patch(stage: Stage) -> None:
    href = upload(stage, "-1")
    begun = stage.ask("POST", href, None, {"Upload-Defer-Length": "1", "Tus-Resumable": "1.0.0"})
    assert (begun.status, begun.headers["location"]) == (201, href)
    patch(stage, href, 0, b"abc")
    assert state(stage, href)["status"] == "partial"
    patch(stage, href, 3, b"", **{"Upload-Length": "3"})
    assert state(stage, href)["status"] == "ready"


def test_6_8_no_metadata_are_needed_and_nothing_redirects(stage: Stage) -> None:
    assert patch(stage, upload(stage, "1", **{"Upload-Metadata": "filename raw-name"}), 0, b"x") == 1


def test_7_a_job_starts_as_scheduled_with_one_aspect_in_place(stage: Stage) -> None:
    job = stage.job(do="echo")
    path = f"/1/aspects?entity={job}&schema=urn:ivcap:schema:job.2&include-content=true"
    told = [event["Data"]["status"] for event in stage.events(job) if event["Type"] == "ivcap.job.status"]
    assert told == ["scheduled", "executing", "succeeded"]
    (item,) = stage.ask("GET", path).json["items"]
    begun = stage.ask("GET", f"{JOBS}/{job}").json["requested-at"]
    (first,) = stage.ask("GET", f"{path}&at-time={begun}").json["items"]
    assert (first["content"]["status"], item["content"]["status"]) == ("scheduled", "succeeded")
    assert first["valid-to"]
    for now in (item["valid-from"], first["valid-to"]):
        assert len(stage.ask("GET", f"{path}&at-time={now}").json["items"]) == 1


def test_8_the_reply_to_a_job_has_all_that_clients_go_on_with(stage: Stage) -> None:
    said = stage.ask("POST", JOBS, {"do": "echo"}, {**JSON, "Timeout": "0"})
    assert {"job-id", "service-id", "location", "retry-later"} <= set(said.json)
    assert type(said.json["retry-later"]) is int


def test_9_events_are_a_stream_that_ends_with_the_job(stage: Stage) -> None:
    job = stage.job(do="events", count=2)
    said = stage.ask("GET", f"{JOBS}/{job}/events", None, {"Accept": "text/event-stream"})
    assert (said.status, said.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")
    blocks = [block for block in said.body.decode().split("\n\n") if block.startswith("id: ")]
    assert all(re.fullmatch(r"id: \d+\nevent: ivcap\.job\.\w+\ndata: [^\n]+", block) for block in blocks)
    assert max(map(len, blocks)) < 65536
    assert stage.ask("GET", f"{JOBS}/{job}").json["status"] == "succeeded"
    assert len(stage.ask("GET", f"{JOBS}/{job}/events?max-messages=1").body.split(b"\n\n")) == 2
    assert stage.ask("GET", f"{JOBS}/{job}/events?max-wait-time=soon").status == 422
    waiting = stage.job(do="sleep", seconds=2)
    said = stage.ask("GET", f"{JOBS}/{waiting}/events?max-wait-time=0")
    assert b"scheduled" in said.body
    assert b"succeeded" not in said.body
    assert stage.ask("GET", f"/1/services2/urn:ivcap:service:{NOWHERE}/jobs/{job}/events").status == 404


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "keys"),
    [
        ("GET", f"/1/services2/{NOWHERE}", {}, 404, {"id", "message"}),
        ("GET", f"{JOBS}/{NOWHERE}", {}, 404, {"id", "message"}),
        ("GET", f"/1/artifacts/{NOWHERE}", {}, 404, {"id", "message"}),
        ("GET", f"/1/aspects/{NOWHERE}", {}, 404, {"id", "message"}),
        ("GET", "/1/secrets?secret-name=none", {}, 404, {"id", "message"}),
        ("GET", f"/1/queues/{NOWHERE}", {}, 404, {"id", "message"}),
        ("POST", f"/1/services2/{NOWHERE}/jobs", JSON, 404, {"id", "message"}),
        ("POST", JOBS, JSON, 400, {"message"}),
        ("GET", "/1/artifacts?limit=0", {}, 422, {"name", "message", "value"}),
        ("GET", "/1/aspects?filter=what", {}, 422, {"name", "message", "value"}),
        ("GET", "/1/services2?order-by=colour", {}, 422, {"name", "message", "value"}),
        ("POST", "/1/search", {"Content-Type": "text/plain"}, 415, {"message"}),
        ("GET", "/1/dashboards", {}, 501, {"message"}),
        ("GET", "/1/services2", {"Host": "evil.example"}, 403, {"message"}),
    ],
)
def test_10_a_refusal_is_json_with_the_keys_that_clients_read(
    stage: Stage, method: str, path: str, headers: dict[str, str], status: int, keys: set[str]
) -> None:
    said = stage.ask(method, path, b"no json" if method == "POST" else None, headers)
    assert (said.status, set(said.json)) == (status, keys)


def test_11_service_and_tool_aspects_become_services_and_put_upserts(stage: Stage) -> None:
    urn = "urn:ivcap:service:74444444-4444-5444-8444-444444444444"
    aspect(stage, urn, {"name": "eleven", "description": "one"}, "urn:ivcap:schema.service.2", "PUT")
    tool = {"name": "eleven", "service-id": urn, "description": "d", "fn_schema": {"type": "object"}}
    aspect(stage, urn, tool, "urn:sd-core:schema.ai-tool.1", "PUT")
    assert stage.ask("GET", f"/1/services2/{urn}").json["description"] == "one"
    aspect(stage, urn, {"name": "eleven", "description": "two"}, "urn:ivcap:schema.service.2", "PUT")
    found = stage.ask("GET", f"/1/services2?filter={quote('name~=')}'eleven'").json["items"]
    assert [item["description"] for item in found] == ["two"]


def test_12_ids_are_understood_in_each_spelling_and_parameters_in_both(stage: Stage) -> None:
    job, service = stage.job(do="echo"), PLAIN
    stage.events(job)
    href = upload(stage, "0")
    artifact = state(stage, href)["id"]
    made = aspect(stage, "urn:x:twelve", {"n": 12}, "urn:x:schema:twelve.1")
    for spell in (str, lambda urn: quote(urn, safe=""), lambda urn: urn.rpartition(":")[2]):
        for kind, urn in (("services2", service), ("artifacts", artifact), ("aspects", made), ("services", service)):
            assert stage.ask("GET", f"/1/{kind}/{spell(urn)}").json["id"] == urn
        assert stage.ask("GET", f"/1/services2/{spell(service)}/jobs/{spell(job)}").json["id"] == job
        said = stage.ask("POST", f"/1/services2/{spell(service)}/jobs", {"do": "echo"}, {**JSON, "Timeout": "0"})
        assert said.status == 202
    for name in ("content-path", "aspect-path"):
        for told, count in (("$.n ? (@ == 12)", 1), ("$.n ? (@ == 13)", 0)):
            said = stage.ask("GET", f"/1/aspects?schema=urn:x:schema:twelve.1&{name}={quote(told)}")
            assert len(said.json["items"]) == count
    assert stage.ask("POST", JOBS, {"do": "echo"}, {**JSON, "Timeout": "19.5"}).status == 200


def form(stage: Stage, url: str, **fields: str) -> Said:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return stage.ask("POST", url.removeprefix(stage.url), urlencode(fields).encode(), kind)


def signed(stage: Stage, keys: str, told: str) -> dict[str, Any]:
    """The claims of an id token, checked against the keys that are published."""
    (key,) = stage.ask("GET", keys.removeprefix(stage.url)).json["keys"]
    claims: dict[str, Any] = jwt.decode(told, jwt.PyJWK(key).key, ["RS256"], audience="local")
    return claims


def test_13_the_command_line_tool_can_sign_in(stage: Stage) -> None:
    said = stage.ask("GET", "/1/authinfo.yaml")
    told = json.loads(said.body)  # YAML, written as JSON
    assert (said.status, told["version"], type(told["version"])) == (200, 1, int)
    provider = told["auth"]["providers"][told["auth"]["default-provider-id"]]
    urls = {name: provider[name] for name in ("login-url", "token-url", "code-url", "jwks-url")}
    assert all(url.startswith(stage.url) for url in urls.values())
    assert provider["audience"]
    assert provider["client-id"]
    scope = "openid profile email offline_access"
    code = form(
        stage, urls["code-url"], client_id=provider["client-id"], scope=scope, audience=provider["audience"]
    ).json
    assert code["user_code"] in code["verification_uri_complete"]
    grant = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": code["device_code"]}
    tokens = form(stage, urls["token-url"], client_id=provider["client-id"], **grant).json
    claims = signed(stage, urls["jwks-url"], tokens["id_token"])
    assert {"name", "nickname", "email", "acc", "ivcap/claims/provider"} <= set(claims)
    assert stage.ask("GET", "/1/services2", None, {"Authorization": f"Bearer {tokens['access_token']}"}).status == 200
    renewal = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    renewed = form(stage, urls["token-url"], client_id=provider["client-id"], **renewal).json
    assert signed(stage, urls["jwks-url"], renewed["id_token"])["acc"] == claims["acc"]
    assert form(stage, urls["token-url"], **renewal).json["error"] == "invalid_grant"
    assert form(stage, urls["token-url"], **grant).status == 403
