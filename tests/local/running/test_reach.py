"""What a tool reaches through its own address: its jobs, what they name, what it makes; and what a hostile one gets."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import pytest

from ivcap_client._local.reach import Reach, names_in
from ivcap_client._local.specs import service_urn
from tests.local.running.desk import Desk

OTHER = "urn:x:somebody:1"
SCHEMA = "urn:x:schema:note.1"
Asks = Callable[..., list[Any]]
OWN = f"/1/services2/{service_urn('own')}/jobs"


@pytest.fixture
def asks(desk: Desk) -> Asks:
    """Have a job ask; the answers. What the tool knows and its request does not say is `$name` in paths and bodies."""

    def ask(*wanted: tuple[Any, ...], known: dict[str, str] | None = None, **given: Any) -> list[Any]:
        listed = [
            {
                "method": one[0],
                "path": one[1],
                "body": one[2] if len(one) > 2 else None,
                **(one[3] if len(one) > 3 else {}),
            }
            for one in wanted
        ]
        own = desk.service("own", env={"KNOWN": json.dumps(known or {})})
        answers: list[Any] = desk.result(desk.run(own, do="asks", asks=listed, **given))
        return answers

    return ask


def statuses(answers: list[Any]) -> list[int]:
    return [answer["status"] for answer in answers]


def artifact(desk: Desk, text: bytes = b"hidden") -> str:
    return desk.store.artifacts.add(text, name="a.txt", mime_type="text/plain").urn


def aspect(desk: Desk, entity: str, content: object) -> str:
    return f"urn:ivcap:aspect:{desk.store.aspects.add(entity, SCHEMA, content).id}"


def test_a_tool_reads_what_its_request_names_and_what_that_names(desk: Desk, asks: Asks) -> None:
    given, item = artifact(desk, b"given"), artifact(desk, b"item")
    collection = "urn:ivcap:collection:11111111-0000-4000-8000-000000000001"
    desk.store.aspects.add(collection, "urn:ivcap:schema:collection-item.1", {"collection": collection, "item": item})
    note = aspect(desk, given, {"quality": "good"})
    named = aspect(desk, OTHER, {"n": 1})
    answers = asks(
        ("GET", "/1/artifacts/$given/blob"),
        ("GET", "/1/artifacts/$item"),
        ("GET", f"/1/aspects?entity={collection}&include-content=true"),
        ("GET", "/1/artifacts/$item/blob"),
        ("GET", "/1/aspects/$note"),
        ("GET", "/1/aspects/$named"),
        ("GET", "/1/artifacts"),
        known={"given": given, "item": item, "note": note, "named": named},
        input=given,
        deep={"in": [collection, {"the aspect": f"see {named}"}]},
    )
    assert statuses(answers) == [200, 404, 200, 200, 200, 200, 200]
    assert (answers[0]["body"], answers[3]["body"]) == ("given", "item")
    assert {one["id"] for one in answers[6]["json"]["items"]} == {given, item}


def test_a_tool_makes_artifacts_and_speaks_of_them(desk: Desk, asks: Asks) -> None:
    answers = asks(
        ("POST", "/1/artifacts", None, {"headers": {"X_Name": "eA==", "X_Content_Length": "5"}}),
        ("PATCH", "<0.data-href>", None, {"text": "bytes", "headers": {"Upload_Offset": "0"}}),
        ("GET", "/1/artifacts/<0.id>"),
        ("GET", "<0.data-href>"),
        ("POST", f"/1/aspects?entity=<0.id>&schema={SCHEMA}", {"n": 1}),
        ("PUT", f"/1/aspects?entity=<0.id>&schema={SCHEMA}", {"n": 2}),
        ("GET", f"/1/aspects?entity=<0.id>&schema={SCHEMA}&include-content=true"),
        ("POST", f"/1/aspects?entity=urn:x:own&schema={SCHEMA}", {"n": 3}),
        ("DELETE", "/1/aspects/<7.id>"),
    )
    assert statuses(answers) == [201, 204, 200, 200, 200, 200, 200, 200, 204]
    assert answers[2]["json"]["status"] == "ready"
    assert answers[2]["json"]["job-id"].startswith("urn:ivcap:job:")
    assert answers[3]["body"] == "bytes"
    assert [one["content"]["n"] for one in answers[6]["json"]["items"]] == [2]


def test_a_hostile_tool_gets_nothing_of_others(desk: Desk, asks: Asks) -> None:
    hidden = artifact(desk)
    foreign = desk.create(desk.service("other"), do="echo")
    known = {
        "hidden": hidden,
        "uuid": hidden.rpartition(":")[2],
        "other": OTHER,
        "note": aspect(desk, OTHER, {"key": "value"}),
        "about": aspect(desk, hidden, {"key": "value"}),
        "job": foreign.urn,
        "jobs": f"/1/services2/{foreign.service}/jobs",
    }
    reads = [
        "/1/artifacts/$hidden", "/1/artifacts/$uuid", "/1/artifacts/$hidden/blob", "/1/aspects/$note",
        "/1/aspects/$about",
        f"{OWN}/$job", "$jobs/$job", "$jobs/$job/events", "$jobs/$job/output",
        f"/1/artifacts/{quote(f'urn:file://{desk.base}/artifacts/a.txt', safe='')}",
    ]  # fmt: skip
    writes = [
        ("PATCH", "/1/artifacts/$hidden/blob"), ("POST", "/1/artifacts/$hidden/blob"),
        ("POST", f"/1/aspects?entity=$hidden&schema={SCHEMA}"), ("PUT", f"/1/aspects?entity=$hidden&schema={SCHEMA}"),
        ("POST", f"/1/aspects?entity=$other&schema={SCHEMA}"), ("PUT", f"/1/aspects?entity=$other&schema={SCHEMA}"),
        ("POST", f"/1/aspects?entity=$job&schema={SCHEMA}"), ("DELETE", "/1/aspects/$note"),
        ("POST", f"/1/aspects?entity={service_urn('own')}&schema=urn:sd-core:schema.ai-tool.1"),
        ("POST", "/1/services2"), ("DELETE", f"/1/services2/{service_urn('own')}"), ("POST", "$jobs/$job/cancel"),
    ]  # fmt: skip
    elsewhere = ["/1/secrets/list", "/1/secrets?secret-name=x", "/1/orders", "/.runner/state"]
    lists = ["/1/artifacts", f"/1/aspects?schema={SCHEMA}&include-content=true", OWN, "/1/aspects?entity=$other"]
    answers = asks(
        *(("GET", path) for path in reads), *((method, path, {}) for method, path in writes),
        *(("GET", path) for path in elsewhere), *(("GET", path) for path in lists), known=known,
    )  # fmt: skip
    told = iter(zip([*reads, *writes, *elsewhere, *lists], statuses(answers), strict=True))
    assert {next(told) for _ in reads} == {(path, 404) for path in reads}
    assert all(status in (403, 404) for _, status in [next(told) for _ in writes])
    assert {next(told)[1] for _ in elsewhere} == {501}
    assert [status for _, status in told] == [200, 200, 200, 403]
    assert [answer["json"]["items"] for answer in answers[-4:-2]] == [[], []]
    assert "value" not in json.dumps([answer["body"] for answer in answers])
    assert desk.store.aspects.live_count(OTHER) == 1


def test_a_hostile_tool_hands_nothing_of_others_to_a_sub_job(desk: Desk, asks: Asks) -> None:
    hidden, given = artifact(desk), artifact(desk, b"given")
    note = {"do": "echo", "see": "$hidden"}
    answers = asks(
        ("POST", f"/1/aspects?entity=urn:x:own&schema={SCHEMA}", note),
        ("GET", "/1/aspects?entity=urn:x:own&include-content=true"),
        ("GET", "/1/artifacts/$hidden"),
        ("POST", OWN, note),
        ("POST", OWN, {"$schema": "urn:ivcap:schema:job.input.1", "request-aspect": "<0.id>"}),
        ("POST", OWN, {"do": "echo", "see": given}, {"headers": {"Timeout": "10"}}),
        ("GET", OWN),
        known={"hidden": hidden},
        input=given,
    )
    assert statuses(answers) == [200, 200, 404, 403, 403, 200, 200]
    assert hidden in answers[3]["json"]["message"]
    assert [one["status"] for one in answers[6]["json"]["items"]] == ["succeeded", "executing"]


def test_tools_pass_work_to_each_other_through_queues(desk: Desk, asks: Asks) -> None:
    given, seen = desk.store.queues.create("given"), artifact(desk, b"seen")
    desk.store.queues.put(given, {"look at": seen}, None, "application/json")
    answers = asks(
        ("POST", "/1/queues", {"name": "own"}),
        ("POST", "/1/queues/<0.id>/messages?schema=urn:x:schema:work.1", {"page": 1}),
        ("GET", "/1/queues/<0.id>"),
        ("GET", "/1/queues"),
        ("GET", "/1/queues/<0.id>/messages?limit=5"),
        ("GET", "/1/artifacts/$seen"),
        ("GET", "/1/queues/$given/messages"),
        ("GET", "/1/artifacts/$seen/blob"),
        ("POST", "/1/queues/$given/messages", {"answer": "good"}),
        known={"given": given.urn, "seen": seen},
        queue=given.urn,
    )
    assert statuses(answers) == [201, 200, 200, 200, 200, 404, 200, 200, 200]
    assert answers[2]["json"]["total-messages"] == 1
    assert {one["name"] for one in answers[3]["json"]["items"]} == {"own", "given"}
    (message,) = answers[4]["json"]["messages"]
    assert message == {
        "id": answers[1]["json"]["id"],
        "content": {"page": 1},
        "schema": "urn:x:schema:work.1",
        "content-type": "application/json",
    }
    assert answers[7]["body"] == "seen"
    (told,) = desk.store.queues.take(given, 5)
    assert told["content"] == {"answer": "good"}
    # Another job of the service finds the queue again, another service does not.
    again = asks(
        ("POST", "/1/queues", {"name": "own"}), ("DELETE", "/1/queues/$own"), known={"own": answers[0]["json"]["id"]}
    )
    assert statuses(again) == [409, 204]


def test_a_hostile_tool_gets_nothing_out_of_queues_of_others(desk: Desk, asks: Asks) -> None:
    hidden, other, given = artifact(desk), desk.store.queues.create("other"), desk.store.queues.create("given")
    desk.store.queues.put(other, "secret", None, "application/json")
    answers = asks(
        ("GET", "/1/queues"), ("GET", "/1/queues/$other"), ("GET", "/1/queues/$other/messages"),
        ("POST", "/1/queues/$other/messages", 1), ("DELETE", "/1/queues/$other"),
        ("POST", "/1/queues", {"name": "other"}), ("DELETE", "/1/queues/$given"),
        ("POST", "/1/queues/$given/messages", {"see": "$hidden"}), ("POST", OWN, {"do": "echo", "see": "$other"}),
        ("POST", "/1/queues", {"name": "mine"}), ("POST", "/1/queues/<9.id>/messages", {"see": "$hidden"}),
        known={"hidden": hidden, "other": other.urn, "given": given.urn}, queue=given.urn,
    )  # fmt: skip
    assert statuses(answers) == [200, 404, 404, 404, 404, 403, 403, 403, 403, 201, 403]
    assert [one["name"] for one in answers[0]["json"]["items"]] == ["given"]
    assert other.urn not in json.dumps([answers[0], answers[5]])
    assert desk.store.queues.waiting(other).messages == 1


def test_names_are_found_wherever_they_stand_and_however_they_are_spelled() -> None:
    uuid = "11111111-0000-4000-8000-00000000000a"
    name = f"urn:ivcap:artifact:{uuid}"
    texts = [
        json.dumps(name), json.dumps({"a": [f"see {name}, please"]}), json.dumps({name: 1}), name.upper()[:0] + name,
        '"' + "".join(f"\\u{ord(char):04x}" for char in name) + '"', json.dumps(f"urn:ivcap:artifact:{uuid.upper()}"),
        f"not json: {name}\n",
    ]  # fmt: skip
    for text in texts:
        assert name in names_in(text), text
    assert names_in(json.dumps({"a": "urn:x:y", "b": "see urn:x:z"})) == {"urn:x:y"}
    assert names_in(b"\xff\x00") == set()


def test_what_a_tool_wrote_or_is_too_far_away_opens_nothing() -> None:
    reach = Reach("urn:ivcap:service:s")
    names = [f"urn:ivcap:artifact:11111111-0000-4000-8000-00000000000{n}" for n in range(5)]
    reach.give_job("j", json.dumps(names[0]).encode())
    for near, far in pairwise(names):
        reach.learn(json.dumps({"next": far}), about=near)
    assert [reach.holds(name) for name in names] == [True, True, True, False, False]
    reach.made("urn:x:own")
    reach.learn(json.dumps({"next": names[4]}), about="urn:x:own")
    assert not reach.holds(names[4])
