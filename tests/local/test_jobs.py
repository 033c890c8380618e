"""What a client sees of jobs; what would run them is played by a stand-in for the runner process."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ivcap_client._core.messages import Request
from ivcap_client._local.bodies import StreamedBody
from ivcap_client._local.job_events import sse
from ivcap_client._local.job_record import EndStatus, LocalJob
from ivcap_client._local.store import Store

Asker = Any
SERVICE = "urn:ivcap:service:33333333-3333-5333-8333-333333333333"


@dataclass(frozen=True)
class Spec:
    urn: str = SERVICE
    name: str = "adder"
    digest: str = "d1"


@dataclass
class Runner:
    """Runs each job in place, the way it is told."""

    store: Store | None = None
    status: EndStatus = "succeeded"
    kind: str = "application/json"
    result: bytes | None = b'{"sum": 3}'
    message: str | None = None
    runs: bool = True
    refuses: str | None = None
    described: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    def submitted(self, job: LocalJob, spec: Any) -> None:
        self.told.append(job.urn)
        if self.refuses:
            raise RuntimeError(self.refuses)
        if self.runs:
            assert self.store is not None
            self.store.jobs.start(job)
            self.store.jobs.add_event(job, type="ivcap.job.event", schema="urn:x", data={"step": 1})
            self.end(job)

    def end(self, job: LocalJob) -> bool:
        assert self.store is not None
        return self.store.jobs.finish(
            job,
            status=self.status,
            content_type=self.kind,
            body=self.result,
            message=self.message,
        )

    def trouble(self, spec: Any) -> str:
        return ""

    def describe(self, specs: Sequence[Any]) -> Mapping[str, Mapping[str, Any]]:
        return self.described

    def follow(self, job: LocalJob, after: str | None) -> StreamedBody:
        assert self.store is not None
        return StreamedBody(200, {}, iter([sse(event) for event in self.store.jobs.events(job, after)]))

    def cancel(self, job: LocalJob) -> None:
        assert self.store is not None
        self.store.jobs.finish(job, status="error", message="cancelled")


@pytest.fixture
def runner() -> Runner:
    return Runner()


@pytest.fixture
def ask(base_dir: Path, opened: Callable[..., Asker], runner: Runner) -> Asker:
    asker = opened(base_dir, services=[Spec()], runners=runner)
    runner.store = asker.platform.store
    return asker


def submit(ask: Asker, body: bytes = b'{"a": 1}', **headers: str) -> Any:
    return ask("POST", f"/1/services2/{SERVICE}/jobs", body, {key.replace("_", "-"): v for key, v in headers.items()})


def read(ask: Asker, reply: Any, **query: str) -> Any:
    job = json.loads(reply.body)["job-id"]
    return ask.json("GET", f"/1/services2/{SERVICE}/jobs/{job}", **query)


def job_2(ask: Asker, **query: str) -> list[Any]:
    return [i["content"] for i in ask.aspects(schema="urn:ivcap:schema:job.2", include_content="true", **query)]


def test_a_job_is_accepted_with_all_that_clients_need(ask: Asker) -> None:
    reply = submit(ask, ivcap_order_id="urn:ivcap:order:1")
    body = json.loads(reply.body)
    assert reply.status == 202
    assert body["service-id"] == SERVICE
    assert body["location"] == f"http://ivcap.localhost/1/services2/{SERVICE}/jobs/{body['job-id']}"
    assert body["retry-later"] == 1
    job = read(ask, reply, with_request_content="true")
    assert job["status"] == "succeeded"
    assert job["order"] == "urn:ivcap:order:1"
    assert job["result-content"] == {"sum": 3}
    assert job["request-content"] == {"a": 1}
    needed = {
        "account",
        "policy",
        "service",
        "request-content-type",
        "requested-at",
        "links",
        "started-at",
        "finished-at",
    }
    assert needed <= job.keys()
    assert "result-content" not in read(ask, reply, with_result_content="false")


def test_exactly_one_job_aspect_is_valid_at_any_moment(ask: Asker, runner: Runner) -> None:
    runner.runs = False
    reply = submit(ask)
    (scheduled,) = job_2(ask)
    assert scheduled["status"] == "scheduled"
    assert scheduled["service-name"] == "adder"
    assert scheduled["service-id"] == SERVICE
    job = ask.platform.store.jobs.find(json.loads(reply.body)["job-id"])
    started = ask.platform.store.jobs.start(job)
    assert [content["status"] for content in job_2(ask)] == ["executing"]
    runner.end(started)
    assert [content["status"] for content in job_2(ask)] == ["succeeded"]
    assert [content["status"] for content in job_2(ask, at_time=started.started_at)] == ["executing"]
    assert [content["status"] for content in job_2(ask, at_time=job.requested_at)] == ["scheduled"]
    # The ivcap tool sorts by a key of the content.
    assert len(job_2(ask, order_by="requested-at")) == 1
    (fact,) = ask.aspects(entity=job.urn, schema="urn:ivcap:schema:job.2")
    ask.refused(403, "PUT", "/1/aspects", body=b"{}", entity=job.urn, schema="urn:ivcap:schema:job.2")
    assert ask.json("GET", f"/1/aspects/{fact['id']}")["entity"] == job.urn


def test_the_result_comes_at_once_if_there_is_time(ask: Asker) -> None:
    reply = submit(ask, Timeout="1.5")
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["ivcap-job-id"].startswith("urn:ivcap:job:")
    assert json.loads(reply.body) == {"sum": 3}
    assert submit(ask, timeout="0").status == 202
    assert submit(ask, timeout="nan").status == 202
    assert submit(ask, timeout="soon").status == 422


def test_waiting_ends_when_the_job_does(ask: Asker, runner: Runner) -> None:
    runner.runs = False

    def work() -> None:
        while not runner.told:
            tick.wait(0.001)
        runner.end(ask.platform.store.jobs.find(runner.told[0]))

    tick = threading.Event()
    worker = threading.Thread(target=work)
    worker.start()
    reply = submit(ask, timeout="20")
    worker.join()
    assert reply.status == 200


def test_a_failed_job_is_202_and_tells_its_error(ask: Asker, runner: Runner) -> None:
    runner.status, runner.result = "failed", b'{"$schema": "urn:ivcap:schema.service.error.1", "error": "no"}'
    reply = submit(ask, timeout="5")
    assert reply.status == 202
    job = read(ask, reply)
    assert job["status"] == "failed"
    assert job["result-content"]["error"] == "no"
    assert ask.refused(400, "GET", f"/1/services2/{SERVICE}/jobs/{job['id']}/output")["message"] == "no"


def test_an_idempotency_key_gives_one_job_in_all_processes(
    ask: Asker, runner: Runner, base_dir: Path, opened: Callable[..., Asker]
) -> None:
    first = json.loads(submit(ask, idempotency_key="k").body)["job-id"]
    other = opened(base_dir, services=[Spec()], runners=runner)
    assert json.loads(submit(other, idempotency_key="k").body)["job-id"] == first
    assert runner.told == [first]
    reply = submit(other, b'{"a": 2}', idempotency_key="k")
    assert reply.status == 409
    assert json.loads(reply.body)["id"] == first
    ask.platform.close()
    (base_dir / ".ivcap" / "index.sqlite").unlink()
    assert json.loads(submit(ask, idempotency_key="k").body)["job-id"] == first


def test_many_threads_with_one_key_make_one_job(ask: Asker) -> None:
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(json.loads(submit(ask, idempotency_key="k").body)["job-id"]))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert len(job_2(ask)) == 1


def test_a_job_whose_recorder_died_is_submitted_again(ask: Asker, runner: Runner) -> None:
    runner.runs = False
    submit(ask, idempotency_key="k")
    runner.runs = True
    reply = submit(ask, idempotency_key="k")
    assert read(ask, reply)["status"] == "succeeded"
    assert len(set(runner.told)) == 1


def test_when_nothing_can_run_it_the_job_is_in_error_and_says_why(ask: Asker, runner: Runner) -> None:
    runner.refuses = "no runner could be started"
    job = read(ask, submit(ask))
    assert job["status"] == "error"
    assert job["error-message"] == "no runner could be started"


def test_the_first_end_counts(ask: Asker, runner: Runner) -> None:
    runner.runs = False
    job = ask.platform.store.jobs.find(json.loads(submit(ask).body)["job-id"])
    assert runner.end(job)
    runner.status, runner.result = "error", b'"late"'
    assert not runner.end(job)
    assert ask.platform.store.jobs.find(job.id).status == "succeeded"
    assert ask.platform.store.jobs.result_body(ask.platform.store.jobs.find(job.id)) == (
        "application/json",
        b'{"sum": 3}',
    )
    assert ask.platform.store.jobs.start(job).status == "succeeded"


@pytest.mark.parametrize(
    ("kind", "body", "inline"),
    [
        ("application/json", b"[1, 2]", [1, 2]),
        ("application/vnd.ivcap.urn:sd:x.1", b'{"a": 1}', {"a": 1}),
        ("text/plain; charset=utf-8", "grün".encode(), "grün"),
        ("text/plain", b"\xff", None),
        ("application/json", b"{NaN", None),
        ("image/png", b"\x89PNG", None),
    ],
)
def test_results_stand_in_the_job_or_become_artifacts(
    ask: Asker, runner: Runner, kind: str, body: bytes, inline: Any
) -> None:
    runner.kind, runner.result = kind, body
    job = read(ask, submit(ask))
    assert job["result-content-type"] == kind
    if inline is not None:
        assert job["result-content"] == inline
        assert "result-content-urn" not in job
    else:
        assert "result-content" not in job
        (product,) = job["products"]["items"]
        assert product["id"] == job["result-content-urn"]
        assert product["name"].startswith(job["name"])
        assert ask("GET", product["data-href"]).body == body
    assert ask("GET", f"/1/services2/{SERVICE}/jobs/{job['id']}/output").body == body


def test_events_are_numbered_and_told_from_a_given_one(ask: Asker) -> None:
    job = json.loads(submit(ask).body)["job-id"]
    href = f"/1/services2/{SERVICE}/jobs/{job}/events"
    body = ask.platform.open(Request("GET", href))
    assert body.status == 200
    assert body.headers["content-type"] == "text/event-stream"
    text = b""
    while piece := body.read():
        text += piece
    events = [json.loads(line[6:]) for line in text.decode().splitlines() if line.startswith("data: ")]
    assert [event["SeqID"] for event in events] == ["00000001", "00000002", "00000003", "00000004"]
    assert [event["Data"].get("status") for event in events] == ["scheduled", "executing", None, "succeeded"]
    assert text.startswith(b"id: 00000001\nevent: ivcap.job.status\ndata: {")
    rest = ask("GET", href, headers={"Last-Event-ID": "00000003"})
    assert rest.body.count(b"\n\n") == 1
    assert ask("GET", href, max_messages="2").body.count(b"\n\n") == 2
    ask.refused(422, "GET", href, max_messages="0")


def test_a_huge_event_is_cut_below_what_readers_can_take(ask: Asker, runner: Runner) -> None:
    job = ask.platform.store.jobs.find(json.loads(submit(ask).body)["job-id"])
    event = ask.platform.store.jobs.add_event(job, type="ivcap.job.event", schema="urn:x", data={"a": "x" * 100_000})
    assert event["Data"]["truncated"] is True
    assert len(sse(event)) < 64 * 1024
    # A line that a crash left unfinished is overwritten by the next event.
    path = ask.platform.store.jobs.directory / f"{job.id}.events"
    with path.open("ab") as file:
        file.write(b'{"SeqID": "000')
    last = ask.platform.store.jobs.add_event(job, type="t", schema="s", data=None)
    assert last["SeqID"] == "00000006"
    assert [event["SeqID"] for event in ask.platform.store.jobs.events(job, "00000005")] == ["00000006"]


def test_jobs_are_listed_per_service_with_filter_and_pages(ask: Asker) -> None:
    jobs = [json.loads(submit(ask).body)["job-id"] for _ in range(5)][::-1]
    reply = ask.json("GET", f"/1/services2/{SERVICE}/jobs", limit="3")
    assert [item["id"] for item in reply["items"]] == jobs[:3]
    (href,) = [link["href"] for link in reply["links"] if link["rel"] == "next"]
    assert [item["id"] for item in ask.json("GET", href)["items"]] == jobs[3:]
    assert ask.json("GET", f"/1/services2/{SERVICE}/jobs", filter="status = failed")["items"] == []
    ask.refused(404, "GET", "/1/services2/urn:ivcap:service:44444444-4444-5444-8444-444444444444/jobs")


def test_unknown_services_and_jobs_are_404_and_those_of_aspects_cannot_run(ask: Asker) -> None:
    other = "urn:ivcap:service:44444444-4444-5444-8444-444444444444"
    body = ask.refused(404, "POST", f"/1/services2/{other}/jobs", body=b"{}")
    assert body["id"] == other
    ask.add(other, "urn:ivcap:schema.service.2", {"name": "far", "description": "x"})
    assert "far" in ask.refused(501, "POST", f"/1/services2/{other}/jobs", body=b"{}")["message"]
    job = json.loads(submit(ask).body)["job-id"]
    ask.refused(404, "GET", f"/1/services2/{other}/jobs/{job}")
    ask.refused(400, "POST", f"/1/services2/{SERVICE}/jobs", body=b"{")


def test_stored_input_becomes_the_request(ask: Asker) -> None:
    aspect = ask.add("urn:e", "urn:s", {"a": 7})
    told = {"$schema": "urn:ivcap:schema:job.input.1", "request-aspect": aspect, "service": SERVICE}
    assert read(ask, submit(ask, json.dumps(told).encode()), with_request_content="true")["request-content"] == {"a": 7}
    assert submit(ask, json.dumps({**told, "request-aspect": SERVICE}).encode()).status == 404
    assert submit(ask, json.dumps({**told, "service": "urn:x"}).encode()).status == 422


def test_artifacts_named_in_a_request_are_recorded_as_used(ask: Asker) -> None:
    artifact = ask.upload(b"x")["id"]
    job = json.loads(submit(ask, json.dumps({"in": [artifact]}).encode()).body)["job-id"]
    (used,) = ask.aspects(entity=artifact, schema="urn:ivcap:schema:artifact-usedBy-order.1", include_content="true")
    assert used["content"]["job"] == job
    (result,) = ask.aspects(entity=job, schema="urn:ivcap:schema.job-result.1", include_content="true")
    assert result["content"]["result-content"] == {"sum": 3}


def test_a_result_may_name_its_own_entity_but_not_the_platforms(ask: Asker, runner: Runner) -> None:
    runner.result = b'{"$id": "urn:my:thing", "$policy": "urn:ivcap:policy:mine"}'
    submit(ask)
    (fact,) = ask.aspects(entity="urn:my:thing")
    assert json.loads(ask("GET", f"/1/aspects/{fact['id']}").body)["policy"] == "urn:ivcap:policy:mine"
    runner.result = json.dumps({"$id": SERVICE}).encode()
    submit(ask)
    assert ask.aspects(entity=SERVICE) == []


def test_cancelling_ends_a_running_job_and_refuses_an_ended_one(ask: Asker, runner: Runner) -> None:
    runner.runs = False
    job = json.loads(submit(ask).body)["job-id"]
    href = f"/1/services2/{SERVICE}/jobs/{job}"
    assert ask.json("GET", href + "/output")["retry-later"] == 1
    assert ask.json("POST", href + "/cancel")["status"] == "error"
    ask.refused(409, "POST", href + "/cancel")
    assert ask.refused(500, "GET", href + "/output")["message"] == "cancelled"


def test_a_lost_last_event_is_told_by_whoever_reads_later(base_dir: Path) -> None:
    moment = 1_700_000_000_000_000
    clock = [moment]
    store = Store(base_dir, now=lambda: clock[0])
    job, _ = store.jobs.create(service=SERVICE, service_name="x", body=b"{}", content_type="application/json")
    store.jobs.finish(job, status="error", message="m")
    path = store.jobs.directory / f"{job.id}.events"
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    ended = store.jobs.find(job.id)
    assert ended is not None
    assert len(store.jobs.events(ended)) == 1
    clock[0] += 10_000_000
    assert [event["Data"]["status"] for event in store.jobs.events(ended)] == ["scheduled", "error"]
    assert len(store.jobs.events(ended)) == 2
    store.close()


def test_services_are_listed_before_and_after_they_are_described(ask: Asker, runner: Runner) -> None:
    (item,) = ask.json("GET", "/1/services2")["items"]
    assert (item["name"], item["description"]) == ("adder", "being prepared")
    tool = {"$schema": "urn:sd-core:schema.ai-tool.1", "service-id": SERVICE, "fn_schema": {}}
    service = {"name": "adder", "description": "adds", "parameters": [{"name": "a", "type": "int"}]}
    runner.described = {
        SERVICE: {"tool": tool, "service": service, "digest": "d1", "described_at": "2025-01-01T00:00:00Z"}
    }
    ask.add("urn:e", "urn:s", {})
    (found,) = ask.aspects(entity=SERVICE, schema="urn:sd-core:schema.ai-tool.1", include_content="true")
    assert found["content"] == tool
    assert ask.json("GET", f"/1/aspects/{found['id']}")["content"] == tool
    assert len(ask.aspects(limit="1")) == 3
    ask.refused(403, "DELETE", f"/1/aspects/{found['id']}")
    ask.refused(403, "POST", "/1/aspects", body=b"{}", entity=SERVICE, schema="urn:sd-core:schema.ai-tool.1")
    read = ask.json("GET", f"/1/services2/{SERVICE}")
    assert read["status"] == "active"
    assert read["parameters"][0]["options"] == []
    assert {"controller", "controller-schema", "policy", "account", "links"} <= read.keys()
    for listed in ("/1/services2", "/1/services"):  # at a moment: those that had said by then what they are
        found = {at: len(ask.json("GET", listed, at_time=at)["items"]) for at in ("2024-12-31T00:00:00Z", "2025-01-02")}
        assert found == {"2024-12-31T00:00:00Z": 0, "2025-01-02": 1}


def test_service_facts_are_listed_without_a_directory(ask: Asker, runner: Runner, base_dir: Path) -> None:
    runner.described = {SERVICE: {"tool": {"x": 1}, "service": {"name": "adder"}, "digest": "d", "described_at": 1.5}}
    assert len(ask.aspects(entity=SERVICE)) == 2
    assert not base_dir.exists()
    ask.add("urn:e", "urn:s", {})
    assert len(ask.aspects()) == 3


def test_services_are_filtered_sorted_searched_and_paged(base_dir: Path, opened: Callable[..., Asker]) -> None:
    ask = opened(base_dir)
    for number in range(5):
        urn = f"urn:ivcap:service:{number}4444444-4444-5444-8444-444444444444"
        ask.add(urn, "urn:ivcap:schema.service.2", {"name": f"s{number}", "description": "crop map" if number else "x"})

    def names(**query: str) -> list[str]:
        return [item["name"] for item in ask.json("GET", "/1/services2", **query)["items"]]

    assert names() == ["s0", "s1", "s2", "s3", "s4"]
    assert names(order_by="name", order_desc="true", limit="2") == ["s4", "s3"]
    assert names(filter="name~='s3'", limit="10", order_desc="false") == ["s3"]
    assert names(filter="name ~= 's%' and description = x") == ["s0"]
    assert "s0" not in names(search="Crop")
    assert all("score" in item for item in ask.json("GET", "/1/services2", search="map s1")["items"])
    reply = ask.json("GET", "/1/services2", limit="3")
    (href,) = [link["href"] for link in reply["links"] if link["rel"] == "next"]
    assert [item["name"] for item in ask.json("GET", href)["items"]] == ["s3", "s4"]
